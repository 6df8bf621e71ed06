"""Many objects on one raster, one after the other: what can't be found is told, and the others are done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import shapely

from ...contract.errors import NothingFound, PromptError, RasterLassoError
from ...contract.prompts import Prompts
from ...contract.requests import SegmentedObject, SegmentObjectsParams, SegmentResult
from ..encoding.clock import Checkpoint
from ..rasters.ground import area_m2
from ..segmenting.answer import Segmentation
from ..segmenting.reproject import reprojected
from ..segmenting.session import Segmenter


@dataclass(frozen=True)
class Segmented:
    """One of the objects. prompts: as they were given. found, or the error that says why nothing was."""

    id: int
    prompts: Prompts
    found: Segmentation | None = None
    area_m2: float | None = None
    error: RasterLassoError | None = None

    def to_wire(self) -> dict[str, object]:
        """As `SegmentedObject` is on the pipe."""
        if self.error is not None:
            return SegmentedObject(self.id, error_code=self.error.code, error_params=self.error.params).to_wire()
        found = None if self.found is None else result_of(self.found)
        return SegmentedObject(self.id, found, self.area_m2).to_wire()


def run(segmenter: Segmenter, params: SegmentObjectsParams, checkpoint: Checkpoint) -> Iterator[Segmented]:
    """Each object in turn; raises what concerns all of them: `RasterError`s, `CrsMissing`, `ModelUnknown`, `ModelFailed`."""
    crs_wkt = segmenter.scene(params.image, params.stretch).source.crs_wkt
    segmenter.model(params.model)
    for number, each in enumerate(params.objects):

        def told(stage: str, fraction: float, before: int = number) -> None:
            checkpoint(stage, (before + fraction) / len(params.objects))

        told("read", 0.0)
        try:
            own = each.prompts if params.crs is None else reprojected(each.prompts, params.crs, crs_wkt, params.image)
            found = segmenter.segment(
                params.image,
                own,
                model=params.model,
                level=params.level,
                stretch=params.stretch,
                finish=params.finish,
                checkpoint=told,
            )
        except (PromptError, NothingFound) as error:
            yield Segmented(each.id, each.prompts, error=error)
        else:
            yield Segmented(each.id, each.prompts, found, area_m2(found.polygon, found.crs_wkt))


def result_of(found: Segmentation) -> SegmentResult:
    """An answer as it crosses the pipe."""
    (wkb_hex, score), *others = ((shapely.to_wkb(each.polygon, hex=True), each.score) for each in found.candidates)
    return SegmentResult(
        wkb_hex,
        score,
        found.model,
        found.level,
        found.seconds,
        tuple(others),
        found.gsd_m,
        found.tiles_left,
        view_level=found.view_level,
        frame="" if found.frame is None else shapely.to_wkb(found.frame, hex=True),
    )
