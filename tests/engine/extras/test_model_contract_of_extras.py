"""The contract of all models, of the promptable one that an extra library runs."""

import pytest

from rasterlasso.models.original import convert
from rasterlasso.models.sam import SamModel
from rasterlasso.tests.checkpoints import write_mobile_sam
from rasterlasso.tests.engine.test_model_contract import *  # noqa: F403 - the same tests, with this model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    file, folder = tmp_path_factory.mktemp("checkpoint") / "mine.pt", tmp_path_factory.mktemp("converted")
    write_mobile_sam(file)
    convert(file, folder)
    return SamModel("mobile_sam", folder)
