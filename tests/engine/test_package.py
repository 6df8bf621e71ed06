"""What the package says of itself."""

import re
from configparser import ConfigParser
from pathlib import Path

from rasterlasso.contract.version import version

ROOT = Path(__file__).resolve().parents[2]


def names(path):
    lines = path.read_text().splitlines()
    return {re.split(r"[<>=]", line)[0].strip() for line in lines if line.strip() and not line.startswith("#")}


def test_metadata_says_what_qgis_needs():
    metadata = ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt")
    general = metadata["general"]
    assert general["version"] == version()
    assert (general["qgisMinimumVersion"], general["qgisMaximumVersion"]) == ("3.22", "4.99")
    assert general["hasProcessingProvider"] == "yes"
    assert "supportsQt6" not in general  # qgisMaximumVersion says it
    assert general["changelog"]
    assert (ROOT / general["icon"]).exists()


def test_every_dependency_is_pinned_and_justified():
    dependencies = names(ROOT / "resources" / "engine-requirements.txt")
    assert dependencies <= names(ROOT / "resources" / "engine-constraints.txt")
    architecture = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    assert not [name for name in dependencies if f"| {name} |" not in architecture]


def test_the_changelog_has_the_version():
    assert f"## {version()}" in (ROOT / "CHANGELOG.md").read_text()
