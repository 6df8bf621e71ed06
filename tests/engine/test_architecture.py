"""The import table of docs/ARCHITECTURE.md, asserted."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIPE = {f"engine.{name}" for name in ("errors", "prompts", "protocol", "ops", "client")}
SHARED_WITH_QGIS = PIPE | {"engine.version"}
ENGINE_LIBRARIES = {"numpy", "zarr", "rasterio", "affine", "shapely", "geopandas", "pandas", "pyogrio", "pyproj", "contourpy"}
MODEL_LIBRARIES = {"numpy", "torch", "safetensors", "transformers", "timm"}
TRAINING_LIBRARIES = MODEL_LIBRARIES | {"cv2", "scipy", "skimage", "rasterio", "geopandas", "pandas", "matplotlib"}


def modules(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """(library or None, own module or None) of each import, relative ones resolved, wherever in the module they stand."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], None
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0], None
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            for alias in node.names:
                whole = ROOT.joinpath(*base, f"{alias.name}.py")
                yield None, ".".join([*base, alias.name] if whole.exists() else base)


def trains(module):
    """Whether a module is there for training and benchmarks alone."""
    return module == "models.click_simulation" or module.startswith("models.builtin.training")


def allowed_libraries(module):
    standard = set(sys.stdlib_module_names)
    if module in SHARED_WITH_QGIS or module == "engine.launch":
        return standard
    if module.startswith("plugin"):
        return standard | {"qgis"}
    if trains(module):
        return standard | TRAINING_LIBRARIES
    return standard | (MODEL_LIBRARIES if module.startswith("models") else ENGINE_LIBRARIES)


def may_import(module, own):
    if module in PIPE:
        return own in PIPE
    if module.startswith("models"):
        return own.startswith("models") or own == "engine.errors"
    if module.startswith("plugin"):
        return own.startswith("plugin") or own in SHARED_WITH_QGIS
    if module == "engine.cli" and own.startswith("benchmarks"):
        return True
    return own.startswith(("engine", "models"))


@pytest.mark.parametrize("path", [p for p in modules("engine", "models") if not trains(name_of(p))], ids=name_of)
def test_what_runs_does_not_need_what_trains(path):
    assert not [own for _, own in imports(path) if own and trains(own)]


@pytest.mark.parametrize("path", modules("engine", "models", "plugin"), ids=name_of)
def test_imports_follow_the_table(path):
    module = name_of(path)
    for library, own in imports(path):
        if library is not None:
            assert library in allowed_libraries(module), f"{module} imports {library}"
        else:
            assert may_import(module, own), f"{module} imports {own}"


def test_the_package_imports_nothing_at_its_top():
    body = ast.parse((ROOT / "__init__.py").read_text()).body
    assert not [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]


@pytest.mark.parametrize(
    "path", [*modules("plugin"), *(ROOT / f"{name.replace('.', '/')}.py" for name in SHARED_WITH_QGIS)], ids=name_of
)
def test_what_runs_in_qgis_is_python_3_9(path):
    ast.parse(path.read_text(), feature_version=(3, 9))


def test_no_function_is_long():
    long = [
        f"{name_of(path)}.{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in modules("engine", "models", "plugin", "demo")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > 50
    ]
    assert not long
