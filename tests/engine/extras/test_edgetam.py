"""EdgeTAM, whose encoder is timm's, gives what transformers gives."""

import pytest

from rasterlasso.contract.model_errors import ModelExtraMissing
from rasterlasso.models.library import families, weights
from rasterlasso.tests.engine.test_sam import test_logits_are_the_librarys  # noqa: F401 - the same test of one more kind


@pytest.fixture
def kind():
    return "edgetam"


def test_without_timm_the_user_is_told_before_it_is_added(sam_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("RASTERLASSO_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(families, "find_spec", lambda name: None)
    with pytest.raises(ModelExtraMissing, match=r"timm.*Apache-2\.0"):
        weights.add(sam_folder("edgetam"), "mine")
    assert not any(weights.installed())
