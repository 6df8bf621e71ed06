"""Who may import whom: the table of docs/ARCHITECTURE.md, asserted."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ENGINE_LIBRARIES = {
    "numpy",
    "zarr",
    "rasterio",
    "affine",
    "shapely",
    "geopandas",
    "pandas",
    "pyogrio",
    "pyarrow",
    "pyproj",
    "contourpy",
    "distributed",
}
MODEL_LIBRARIES = {"numpy", "torch", "safetensors", "transformers", "timm", "huggingface_hub"}
TRAINING_LIBRARIES = MODEL_LIBRARIES | {"cv2", "scipy", "skimage", "rasterio", "geopandas", "pandas", "matplotlib"}

LAYERS = {
    "engine": [
        {"launch"},
        {"worker", "cli"},
        {"serving", "commands"},
        {"api"},
        {"tasks"},
        {"files", "datasets"},
        {"proposing"},
        {"segmenting"},
        {"encoding"},
        {"outlines"},
        {"spreading"},
        {"rasters", "tiles"},
    ],
    "plugin": [
        {"main"},
        {"canvas", "panel", "journal"},
        {"processing"},
        {"reviewing"},
        {"digitizing"},
        {"imagery", "target"},
        {"runtime", "geo"},
        {"errors", "settings", "translation"},
    ],
}
"""From the top down: who stands higher may import who stands lower, and of its own row what hangs together with it."""

MODEL_FAMILIES = {"builtin", "sam", "ultralytics"}
KNOW_FAMILIES = {"registry", "library"}
"""Those who may know the families of models; they don't know each other, but for what is SAM's with another encoder."""

SHARED_DECODER = {("ultralytics", "sam")}
"""MobileSAM is SAM with an encoder that the library ultralytics has."""


def modules(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, *, at_load=False):
    """(library or None, own module or None) of each import, relative ones resolved; at_load: those that loading runs alone."""
    package = path.relative_to(ROOT).parts[:-1]
    tree = ast.parse(path.read_text())
    later = {id(inner) for node in ast.walk(tree) if _runs_later(node) for inner in ast.walk(node)} if at_load else set()
    for node in ast.walk(tree):
        if id(node) in later:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], None
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0], None
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            for alias in node.names:
                whole = ROOT.joinpath(*base, alias.name)
                is_module = whole.with_suffix(".py").exists() or whole.is_dir()
                yield None, ".".join([*base, alias.name] if is_module else base)


def _runs_later(node):
    is_for_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return is_for_types or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def trains(module):
    """Whether a module is there for training and benchmarks alone."""
    return module == "models.click_simulation" or module.startswith("models.builtin.training")


def allowed_libraries(module):
    standard = set(sys.stdlib_module_names)
    if module.startswith("contract") or module == "engine.launch":
        return standard
    if module.startswith("plugin"):
        return standard | {"qgis"}
    if trains(module):
        return standard | TRAINING_LIBRARIES
    return standard | (MODEL_LIBRARIES if module.startswith("models") else ENGINE_LIBRARIES)


def row_of(package, module):
    """How far down a module stands in its package; None for the package itself."""
    parts = module.split(".")
    return next((number for number, row in enumerate(LAYERS[package]) if len(parts) > 1 and parts[1] in row), None)


def may_import(module, own):
    package = module.split(".")[0]
    if own.startswith("contract"):
        return package != "models" or own in ("contract.errors", "contract.model_errors")
    if package == "contract":
        return False
    if package == "models":
        return own.startswith("models") and may_know(module, own)
    if package == "engine" and own.startswith("models"):
        return True
    if not own.startswith(package):
        return False
    here, there = row_of(package, module), row_of(package, own)
    return here is not None and there is not None and here <= there


def may_know(module, own):
    """Whether a module of `models/` may know another: the families don't know each other."""
    asking, asked = module.split(".")[1], [*own.split("."), ""][1]
    if asked not in MODEL_FAMILIES or asking == asked:
        return True
    return asking in KNOW_FAMILIES or (asking, asked) in SHARED_DECODER


@pytest.mark.parametrize("path", [p for p in modules("engine", "models") if not trains(name_of(p))], ids=name_of)
def test_what_runs_does_not_need_what_trains(path):
    assert not [own for _, own in imports(path) if own and trains(own)]


@pytest.mark.parametrize("path", modules("contract", "engine", "models", "plugin"), ids=name_of)
def test_imports_follow_the_table(path):
    module = name_of(path)
    for library, own in imports(path):
        if library is not None:
            assert library in allowed_libraries(module), f"{module} imports {library}"
        else:
            assert may_import(module, own), f"{module} imports {own}"


def test_every_folder_stands_in_the_table():
    for package, rows in LAYERS.items():
        there = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
        assert there - {"__init__"} == set().union(*rows)


@pytest.mark.parametrize("folder", ["contract", "engine", "models", "plugin", "benchmarks"])
def test_no_files_import_each_other_in_a_circle(folder):
    graph = {name_of(path): {own for _, own in imports(path, at_load=True) if own} for path in modules(folder)}
    try:
        TopologicalSorter(
            {name: {own for own in found if own in graph and own != name} for name, found in graph.items()}
        ).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' → '.join(error.args[1])}")


def test_nobody_imports_benchmarks():
    assert not [
        name_of(path)
        for path in modules("contract", "engine", "models", "plugin")
        for _, own in imports(path)
        if own and own.startswith("benchmarks")
    ]


def test_the_package_imports_nothing_at_its_top():
    body = ast.parse((ROOT / "__init__.py").read_text()).body
    assert not [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]


@pytest.mark.parametrize("path", modules("plugin", "contract"), ids=name_of)
def test_what_runs_in_qgis_is_python_3_9(path):
    ast.parse(path.read_text(), feature_version=(3, 9))


def test_no_function_and_no_module_is_long():
    everything = modules("contract", "engine", "models", "plugin", "demo", "benchmarks")
    long = [
        f"{name_of(path)}.{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in everything
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > 50
    ]
    long += [f"{name_of(path)}: {count} lines" for path in everything if (count := len(path.read_text().splitlines())) > 400]
    assert not long


def test_the_distribution_holds_every_package():
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {
        f"rasterlasso.{name_of(path)}"
        for path in modules("contract", "engine", "models", "benchmarks")
        if path.stem == "__init__"
    }
    assert listed == there | {"rasterlasso"}
