"""The one tree of errors that a user can mend.

Each class carries an English template that names the thing, the cause and the cure. An error crosses the pipe as its class
name and parameters, so that the plugin can say it again in the user's language.
"""

from __future__ import annotations

from typing import Any

from .secrets import without_secrets


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:  # noqa: N802 - the name that Qt's tools look for
    """Mark a text for translation; it stays English here."""
    return text


class RasterLassoError(Exception):
    """Root of all errors that are the user's to mend; `params`, without passwords and keys, fill the class's `template`."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "Something went wrong: {reason}")

    def __init__(self, **params: Any) -> None:
        self.params: dict[str, Any] = {name: _public(value) for name, value in params.items()}
        super().__init__(self.template.format(**self.params))

    @property
    def code(self) -> str:
        """Name of the error on the wire."""
        return type(self).__name__


def _public(value: Any) -> Any:
    return without_secrets(value) if isinstance(value, str) else value


class InternalError(RasterLassoError):
    """A defect of ours that the engine survived; the traceback is in its log."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "The engine failed unexpectedly ({reason}). Please report it with the engine's log."
    )


class RasterError(RasterLassoError):
    """The raster can't be used."""


class RasterNotFound(RasterError):
    """No file at the path."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "{path}: no such file. Check the path, or that its drive is mounted.")


class RasterUnreadable(RasterError):
    """The file is there, but GDAL can't open it or read its pixels."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: can't be read as a raster ({reason}). The file may be truncated, locked or of another format; "
        "try `gdalinfo -checksum` on it, or copy it again.",
    )


class RasterUnsupported(RasterError):
    """The raster opens, but is of a kind that can't be segmented."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "{path}: {reason}.")


class RasterNotOpened(RasterError):
    """QGIS may show it all the same: its GDAL knows more formats, and warps what is placed by a model of its sensor."""


class RasterFormatUnknown(RasterNotOpened, RasterUnreadable):
    """The engine's GDAL can't open the file."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: can't be opened as a raster ({reason}). The file may be truncated or locked, or of a format that is not known "
        "here: copy it again, or translate it to a GeoTIFF with gdal_translate.",
    )


class RasterPlacedBySensor(RasterNotOpened, RasterUnsupported):
    """Rational polynomials or arrays of coordinates alone say where the raster lies."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "{path}: only {means} say where it lies. Make a copy that is warped by them, with gdalwarp {option}."
    )


class MosaicIncomplete(RasterError):
    """Some sources of a mosaic are not there; the rest is worked on."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: {count} of its sources are missing, {first} for one. There is no data there until they are back; the rest can "
        "be worked on.",
    )


class RasterServerFailed(RasterError):
    """A server of imagery gave an error, or nothing."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: the server did not give the imagery ({reason}). Try again; your clicks are kept. Check network and address.",
    )


class PromptError(RasterLassoError):
    """The prompts can't be used on this raster."""


class PromptMissing(PromptError):
    """Nothing says where the object is."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "Click the feature or draw a box around it first.")


class PromptNotANumber(PromptError):
    """A coordinate is NaN or infinite, or can't be expressed in the raster's CRS."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The prompt at ({x}, {y}) has no finite coordinates in the raster's CRS. Check its CRS and the axis order.",
    )


class BoxWithoutSize(PromptError):
    """Two corners of a box are at one place, or in one line."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "The box at ({x:.8g}, {y:.8g}) has no size. Drag it around the object.")


class PromptOutsideRaster(PromptError):
    """The click or box lies off the raster."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "({x:.8g}, {y:.8g}) is outside {path}. Click on the imagery.")


class PromptOnNodata(PromptError):
    """The click is on pixels without data."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "There is no image data at ({x:.8g}, {y:.8g}) in {path}. Click where the imagery shows something."
    )


class PolygonUnusable(PromptError):
    """A polygon prompt is none."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "The drawn outline can't be used ({reason}). Draw it again around the object.")


class PromptsUnreadable(RasterLassoError):
    """A prompts file is not what it should be."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "{path}: not a prompts file ({reason}). See `rasterlasso segment --help` for its form."
    )


class LayerUnreadable(RasterLassoError):
    """A layer of polygons can't be read."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "{path}: the layer can't be read ({reason}). Check its path and name.")


class ProvenanceMissing(RasterLassoError):
    """A layer does not tell how its polygons were made."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: no feature has prompts in a field “prompts”, so nothing can be segmented again. Layers that Raster Lasso "
        "makes have it; add a text field of this name to a layer of yours before you digitize.",
    )


class BordersNotShared(RasterLassoError):
    """Polygons are no coverage."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{count} polygons overlap others or have borders that nearly fit, so their borders can't be simplified together. "
        "Digitize them with “Share borders with neighbours”, or select polygons that fit and simplify those.",
    )


class CrsUnknown(RasterLassoError):
    """A CRS was named that PROJ does not know."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "Unknown CRS {crs}: {reason}. Use a code such as EPSG:4326.")


class CrsMissing(RasterLassoError):
    """Coordinates in a CRS were given for a raster that has none."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path} has no CRS, so coordinates in {crs} can't be placed on it. Leave the CRS out, or assign one to the raster.",
    )


class SettingUnusable(RasterLassoError):
    """A variable of the environment, or a setting, has a value that is none of its kind."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "{name} is {value!r}, and {expected} belongs there. Correct it, or remove it.")


class DatasetTooSmall(RasterLassoError):
    """Too few chips have objects to train on some and validate on others."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "Only {count} chips have objects, too few to train on some and to validate on others. "
        "Choose smaller chips, digitize more, or set the share for validation to 0.",
    )


class DatasetUnreadable(RasterLassoError):
    """A folder is no data set that was exported here."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "{path}: this is no data set of Raster Lasso's ({reason}). Name the folder that was exported."
    )


class RecipeUnreadable(RasterLassoError):
    """A file is no recipe of a run."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "{path}: this is no recipe of a run ({reason}). Recipes lie beside their results."
    )


class CacheUnwritable(RasterLassoError):
    """Encoded tiles can't be kept on disk."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: encoded tiles can't be kept there ({reason}); they stay in memory until QGIS ends. "
        "Make room, or name another folder in RASTERLASSO_CACHE.",
    )


class NothingKept(RasterLassoError):
    """Tiles would be encoded ahead in vain."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: its tiles would not be kept on disk: either RASTERLASSO_CACHE is off, or the imagery comes from a server that "
        "does not tell when it changes. Encode a file, or a copy of the imagery, with a folder for tiles.",
    )


class NothingFound(RasterLassoError):
    """The model gave an empty mask."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "Nothing was found at these prompts. Click nearer the middle of the object, or zoom in."
    )


class RunNotResumable(RasterLassoError):
    """A benchmark can't go on from what was given."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "{path}: can't be resumed, {reason}. Leave --resume out, or name another file.")


class ScenesMissing(RasterLassoError):
    """What was given to the benchmark is no scene, or a folder without any."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: no scene here. A scene is a folder with image.tif and labels.gpkg, a layer with a field named class.",
    )


class BenchmarkUnavailable(RasterLassoError):
    """The benchmark is not installed with this copy."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "The benchmark lacks {module}. In a checkout: pip install -e '.[benchmark]'; the plugin's zip has none."
    )


class OutputUnsupported(RasterLassoError):
    """The suffix of the output names no known format."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "{path}: unknown output format. Use one of {known}.")


class OutputUnwritable(RasterLassoError):
    """The output can't be written."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path}: can't be written: {reason}. What was there is as it was.",
    )


class SizeUnknown(RasterLassoError):
    """A size in metres was given for a raster whose pixels have none."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{path} has no CRS, so the ground size of its pixels is not known. Assign one to it, or give the size in pixels.",
    )


class AreaTooLarge(RasterLassoError):
    """A search over more tiles than anybody waits for."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The area is {count} tiles large, and {most} are the most. Give a smaller extent, or a larger size of features.",
    )


class NoExamples(RasterLassoError):
    """Similar objects were asked for, and none is known on the raster."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "No example lies on the imagery. Accept one or more features there first, then search for others like them.",
    )


class SearchForgotten(RasterLassoError):
    """Answers came for a search that the engine does not know any more."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "The engine was started again and has forgotten the search. Search once more.")


class ProtocolError(RasterLassoError):
    """A line on the pipe is not a message."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "Not a message of the engine's protocol: {reason}.")


class EngineBroken(RasterLassoError):
    """The engine runs, but its libraries or its own model can't be loaded."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The engine does not work on this machine ({reason}). Install it again; `rasterlasso doctor` tells what is wrong.",
    )


class EngineHung(RasterLassoError):
    """The engine was asked something and said nothing for long."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The engine said nothing for {seconds} s and was started again. Your clicks are kept. If this happens again, try "
        "another model, or copy the imagery to this machine.",
    )


class EngineCrashed(RasterLassoError):
    """The engine ended again and again on the same request."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The engine stopped {attempts} times on this request. Try a coarser level or another model; its log tells more.",
    )


def first_line(error: BaseException) -> str:
    """What an error of a library says, in one line; its name where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)
