"""`rasterlasso predictions`: what a model predicted on a data set's chips, as a layer."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...contract.datasets import ImportPredictionsParams, PredictionsRead
from .. import api
from ..tasks.table import TASKS

HELP = "bring what a model predicted on a data set's chips back onto the map"


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    command.description = (
        "Read predictions on the chips of a data set of `rasterlasso dataset`: a folder of YOLO's text files, or COCO's "
        "results in a JSON file. Polygons that chips cut are joined; the fields `class` and `score` say what each is."
    )
    command.add_argument("dataset", metavar="FOLDER", type=Path, help="the data set")
    command.add_argument("predictions", metavar="PREDICTIONS", type=Path, help="a folder of .txt files, or a .json file")
    command.add_argument(
        "-o", "--output", metavar="OUT", type=Path, required=True, help=".gpkg, .shp, .geojson, .fgb or .parquet"
    )
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    params = ImportPredictionsParams(str(arguments.dataset), str(arguments.predictions), str(arguments.output))
    with api.segmenter() as segmenter:
        for each in TASKS["import_predictions"].run(segmenter, params, lambda stage, fraction: None):
            if isinstance(each, PredictionsRead):
                print(f"{arguments.output}: {each.written} polygons of {each.predicted} predictions")
    return 0
