"""Errors of the plugin's own, in the tree of `contract.errors`."""

from __future__ import annotations

from ..contract.errors import QT_TRANSLATE_NOOP, RasterLassoError


class NoImagery(RasterLassoError):
    """No raster layer is chosen."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "There is no imagery to click on. Add a raster layer, then choose it in the panel."
    )


class ImageryUnsupported(RasterLassoError):
    """The raster layer is not read through GDAL."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The layer {layer} comes from the provider {provider}, which can't be segmented. Export it to a GeoTIFF and use that.",
    )


class ImageryInvalid(RasterLassoError):
    """The raster layer's source is gone."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "The layer {layer} can't be read. Repair its data source or choose another layer."
    )


class CoordinatesUntransformable(RasterLassoError):
    """A place of the map has no place in the other CRS."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "This place can't be transformed from {source} to {target}: {reason}")


class NothingToCorrect(RasterLassoError):
    """A background click without an object."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "Click a feature first. A right click then says what does not belong to it.")


class LineDoesNotCross(RasterLassoError):
    """The line that was drawn cuts nothing in two."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "The line does not cross the polygon. Draw it from side to side.")


class LineDoesNotReshape(RasterLassoError):
    """The line that was drawn to reshape the outline does not cross it twice."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "The line does not cross the outline twice. Begin and end it on the same side of the outline."
    )


class OutlineWouldCross(RasterLassoError):
    """A change by hand would leave no polygon."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "The outline would cross itself, or nothing would be left of it. Move it somewhere else."
    )


class TargetReadOnly(RasterLassoError):
    """The target layer can't be edited."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The layer {layer} can't be edited ({reason}). Choose another target layer or make a new one; the polygon is kept.",
    )


class TargetUnfit(RasterLassoError):
    """The target layer holds neither polygons nor lines."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The layer {layer} holds neither polygons nor lines. Choose another layer or make a new one; the polygon is kept.",
    )


class TargetRefused(RasterLassoError):
    """The target layer did not take the polygon."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "The layer {layer} did not take the polygon ({reason}). The polygon is kept.")


class NothingToExport(RasterLassoError):
    """There is no target layer."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "There is nothing to export: choose a target layer in the panel first.")


class DraftUnderWay(RasterLassoError):
    """Another object is not accepted yet."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "Accept the object under way (Enter) or forget it (Esc) before you take up another."
    )


class NothingToReopen(RasterLassoError):
    """No accepted polygon is at the place."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "No polygon of the target layer is here. Alt+click on one to reopen it; choose its layer as the target."
    )


class LayerNotCreated(RasterLassoError):
    """A new layer's file can't be written."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "{path}: the layer can't be created ({reason}). Choose another folder or name.")


class NothingToAccept(RasterLassoError):
    """There is no polygon yet."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "There is nothing to accept yet. Click on a feature first.")


class NothingToChange(RasterLassoError):
    """There is no outline to change by hand."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "There is no outline to change yet. Click a feature first.")


class NothingSelected(RasterLassoError):
    """There are no features to take as prompts."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "Nothing is selected. Click a layer of points, boxes or rough polygons in the layer list and select features of it "
        "first.",
    )


class TooManySelected(RasterLassoError):
    """More features than QGIS's own thread prepares at once."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "{count} features are selected; {most} are the most at once. Select fewer, or run one of Raster Lasso's algorithms "
        "from the Processing toolbox on the layer.",
    )


class FeaturesUnderWay(RasterLassoError):
    """The features that were selected before are not done yet."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "The features that you selected before are still being segmented. Wait until they are done, or cancel."
    )


class SearchUnderWay(RasterLassoError):
    """The search before is not done yet."""

    template = QT_TRANSLATE_NOOP("RasterLasso", "A search is under way. Wait until it is done, or cancel it.")


class NothingToReview(RasterLassoError):
    """The layer has no polygon in view that is not in the target yet."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "There is nothing to look through. In the layers panel choose a layer of polygons that is not the target, and move the "
        "map to features of it that the target does not have yet.",
    )


class PredictionsMissing(RasterLassoError):
    """Neither form of predictions was named."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "Name what was predicted: a folder of YOLO's text files, or a file of COCO's results."
    )


class OtherImagery(RasterLassoError):
    """Proposals of one layer are answered while another one is the imagery."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "These proposals were found on {imagery}. Choose it as the imagery again, or press Esc to end the review.",
    )


class ProposalSaved(RasterLassoError):
    """An accepted proposal is to be taken back that is saved, or gone."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso", "That proposal is saved in {layer}, or was removed there already. Delete it with QGIS's own tools."
    )


class LibraryElsewhere(RasterLassoError):
    """A model needs a library, and the engine is on another machine."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "This model needs the library {library} in the engine's environment, which is on another machine. Install it there,"
        " then add the model again.",
    )


class EngineMissing(RasterLassoError):
    """The engine has no Python environment."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The engine is not installed yet. Press “Install engine” in the Raster Lasso panel; your clicks are kept.",
    )


class EngineStartFailed(RasterLassoError):
    """The engine's process ended before it was ready."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The engine can't start ({reason}). Press “Install engine” in the Raster Lasso panel to install it again; "
        "your clicks are kept.",
    )


class PythonMissing(RasterLassoError):
    """No Python is new enough for the engine."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The engine needs Python {minimum} or newer with venv, and none was found. Install one (on Debian: apt install "
        "python3-venv; on Windows and macOS: python.org), then press “Install engine” again.",
    )


class EngineInstallFailed(RasterLassoError):
    """A step of the installation failed."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The installation failed ({reason}). Check the network and the free disk space, then try again.",
    )


class JournalUnwritable(RasterLassoError):
    """What is not saved can't be written down."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "Objects that are not saved can't be kept for the case that QGIS ends badly ({reason}). Save often, or mend this and "
        "start QGIS again.",
    )


class ImageryMissing(RasterLassoError):
    """An object under way can't be taken up without its imagery."""

    template = QT_TRANSLATE_NOOP(
        "RasterLasso",
        "The object under way was begun on the layer {layer}, which is not in the project. Open its project or add the layer, "
        "then restore it.",
    )
