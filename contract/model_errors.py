"""Errors about models and their downloads, in the tree of `errors`."""

from __future__ import annotations

from .errors import QT_TRANSLATE_NOOP, RasterLassoError


class ModelUnknown(RasterLassoError):
    """No model of that name."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "No model is named {name}. Known: {known}.")


class ModelFileUnusable(RasterLassoError):
    """A file or folder does not hold a model that can be loaded."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: not a usable model ({reason}). "
        "Give a folder with config.json and model.safetensors, or the authors' .pt or .pth, downloaded whole.",
    )


class ModelInUse(RasterLassoError):
    """An added model can't be deleted now."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "{path}: the model can't be removed ({reason}). Close what uses it, QGIS perhaps, then try again."
    )


class ModelFolderUnwritable(RasterLassoError):
    """The folder of added models can't take one more."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: the model can't be written ({reason}). Make room there, or name another folder in RASTERLASSO_MODELS.",
    )


class DownloadFailed(RasterLassoError):
    """A file can't be fetched."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "Download of {url} failed ({reason}). Try again to resume it, or download it elsewhere and add its folder.",
    )


class DownloadRefused(RasterLassoError):
    """What was fetched is not what it should be, or the user did not want it."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "{name}: not installed, {reason}. Nothing was kept.")


class ModelNameTaken(RasterLassoError):
    """A model of that name is there already."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "There is a model named {name} already. Give another name, or remove that one.")


class ModelLibraryMissing(RasterLassoError):
    """The library that a model needs is not installed."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "The model {name} needs {library}, which this engine lacks. Install the engine again."
    )


class ModelExtraMissing(RasterLassoError):
    """The library that a model needs is an extra, which the user has not installed."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The model {name} needs {library}, which does not come with the engine; its licence is {licence}. "
        'To install it under that: "{python}" -m pip install {library}',
    )


class ModelFindsNothingItself(RasterLassoError):
    """A model that only answers prompts was asked for classes."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The model {name} was trained on no classes. Add a YOLO26 of your own, or FastSAM, and choose that.",
    )


class ModelFailed(RasterLassoError):
    """A model broke its contract."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "The model {name} gave no usable answer ({reason}). Choose another model.")
