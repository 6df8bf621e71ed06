"""Objects of classes on whole rasters: once each and whole, whichever tiles they lie on."""

from dataclasses import dataclass

import numpy as np
import pytest
import rasterio.features
import shapely

from rasterlasso.contract.errors import PromptOutsideRaster
from rasterlasso.contract.model_errors import ModelFindsNothingItself
from rasterlasso.contract.proposals import DetectParams, Proposal
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tasks.table import TASKS
from rasterlasso.models.base import Candidate, Detection

SIDE = 40
CORNERS = [(13 + 75 * column, 17 + 71 * row) for row in range(5) for column in range(8)]


def square(number):
    left, top = CORNERS[number]
    x, y = 500_000 + 2 * left, 4_500_000 - 2 * top
    return shapely.box(x, y - 2 * SIDE, x + 2 * SIDE, y)


@dataclass(frozen=True)
class Seen:
    image: np.ndarray
    valid: np.ndarray

    @property
    def nbytes(self):
        return self.image.nbytes


class Thresholding:
    """Finds what is bright by itself, and knows two classes by their brightness: a detector, if a simple one."""

    name = "bright"

    def encode(self, image, valid):
        return Seen(image, valid)

    def decode(self, embedding, prompts, most=3):
        [(x, y)] = prompts.points_xy[prompts.foreground][:1]
        for each in self.detections(embedding, 0.0):
            if each.candidate.logits[int(y), int(x)] > 0:
                return (each.candidate,)
        return ()

    def detections(self, embedding, least_score):
        values = embedding.image[..., 0]
        for shape, _ in rasterio.features.shapes((values > 150).astype(np.uint8), mask=values > 150):
            inside = rasterio.features.rasterize([shape], values.shape).astype(bool)
            score = 0.9 if values[inside].mean() > 220 else 0.6
            if score >= least_score:
                logits = np.where(inside, 4.0, -4.0).astype(np.float32)
                yield Detection("roof" if score > 0.8 else "court", Candidate(logits, score))


@pytest.fixture
def image(make_raster):
    picture = 70 + np.random.default_rng(3).integers(0, 14, (3, 380, 640))
    for number, (left, top) in enumerate(CORNERS):
        picture[:, top : top + SIDE, left : left + SIDE] = 240 if number % 2 else 190
    return str(make_raster(picture.astype(np.uint8)))


@pytest.fixture
def engine():
    made = Segmenter(models=[Thresholding()], tile_px=128)
    yield made
    made.close()


def detect(engine, params):
    return list(TASKS["detect_classes"].run(engine, params, lambda stage, fraction: None))


def test_each_object_is_found_once_and_whole_across_seams(engine, image):
    found = detect(engine, DetectParams(image, "bright"))
    assert len(found) == len(CORNERS)
    for number in range(len(CORNERS)):
        [polygon] = [each.found.polygon for each in found if each.found.polygon.intersects(square(number))]
        assert polygon.symmetric_difference(square(number)).area < 0.05 * square(number).area
    assert {each.class_name for each in found} == {"roof", "court"}
    assert Proposal.from_wire(found[0].to_wire()).class_name == found[0].class_name


def test_a_click_at_its_place_gives_it_again(engine, image):
    for each in detect(engine, DetectParams(image, "bright"))[:4]:
        assert engine.segment(image, each.prompts, model="bright", level=0).polygon.equals(each.found.polygon)


def test_classes_scores_and_an_area_limit_what_is_given(engine, image):
    assert {each.class_name for each in detect(engine, DetectParams(image, "bright", classes=("roof",)))} == {"roof"}
    assert {each.class_name for each in detect(engine, DetectParams(image, "bright", least_score=0.7))} == {"roof"}
    assert not detect(engine, DetectParams(image, "bright", classes=("nonesuch",)))
    some = detect(engine, DetectParams(image, "bright", area=square(0).bounds))
    assert 0 < len(some) < len(CORNERS)
    with pytest.raises(PromptOutsideRaster):
        detect(engine, DetectParams(image, "bright", area=(0, 0, 1, 1)))


def test_a_model_without_classes_is_refused(engine, image):
    with pytest.raises(ModelFindsNothingItself, match="YOLO26"):
        detect(engine, DetectParams(image, "builtin"))
