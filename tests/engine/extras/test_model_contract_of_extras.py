"""The contract of all models, of the promptable ones that extra libraries run."""

import pytest

from rasterlasso.models.library.original import convert
from rasterlasso.models.sam.model import SamModel
from rasterlasso.models.ultralytics.mobile_sam import mobile_sam_model
from rasterlasso.tests.checkpoints import write_checkpoint, write_mobile_sam
from rasterlasso.tests.engine.test_model_contract import *  # noqa: F403 - the same tests, with these models


@pytest.fixture(scope="module", params=["mobile_sam", "edgetam"])  # type: ignore[no-redef]
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    if request.param == "edgetam":
        write_checkpoint("edgetam", folder)
    else:
        file = tmp_path_factory.mktemp("checkpoint") / "mine.pt"
        write_mobile_sam(file)
        convert(file, folder)
    return SamModel(request.param, folder) if request.param == "edgetam" else mobile_sam_model(request.param, folder)
