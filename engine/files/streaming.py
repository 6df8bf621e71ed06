"""Records written as they come, so that memory holds a batch of them only; the file appears once it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import geopandas
import pyarrow
import pyarrow.parquet
import pyogrio

from ...contract.replacing import put_file, put_layer, workplace
from .export import CREATION_OPTIONS, LAYER, Record, check_output, frame_of, refusals_told, write

BATCH = 2000
"""Records in memory at a time."""


def write_as_they_come(records: Iterable[Record], crs_wkt: str | None, path: Path) -> int:
    """Write records that all have the same properties, as `export.write` does; returns how many. None, and nothing is written.

    GeoPackage and GeoParquet take them in batches; the other formats have to be written at once. Raises as `export.write`, and
    what the iterator does.
    """
    check_output(path)
    append = {".gpkg": _append_to_geopackage, ".parquet": _append_to_parquet}.get(path.suffix.lower())
    if append is None:
        known = list(records)
        if known:
            write(known, crs_wkt, path)
        return len(known)
    count = 0
    with workplace(path) as folder:
        stage = folder / f"stage{path.suffix.lower()}"
        for batch in _batches(records):
            frame = frame_of(batch, crs_wkt)
            with refusals_told(path):
                append(frame, stage)
            count += len(batch)
        if count:
            with refusals_told(path):
                _put(stage, path, count)
    return count


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _append_to_geopackage(frame: geopandas.GeoDataFrame, path: Path) -> None:
    if path.exists():
        pyogrio.write_dataframe(frame, path, layer=LAYER, driver="GPKG", promote_to_multi=True, append=True)
    else:
        options = CREATION_OPTIONS[".gpkg"]
        pyogrio.write_dataframe(frame, path, layer=LAYER, driver="GPKG", promote_to_multi=True, **options)


def _append_to_parquet(frame: geopandas.GeoDataFrame, path: Path) -> None:
    """One file a batch; they become row groups of one file in the end."""
    path.mkdir(exist_ok=True)
    frame.to_parquet(path / f"{len(list(path.iterdir())):08d}.parquet")


def _put(stage: Path, path: Path, count: int) -> None:
    """Put a whole stage in its place; raises `OSError` where it does not hold all that was written."""
    if path.suffix.lower() == ".parquet":
        put_file(path, lambda made: _join(sorted(stage.iterdir()), made))
        return
    written = pyogrio.read_info(stage, layer=LAYER, force_feature_count=True)["features"]
    if written != count:
        raise OSError(f"{written} of {count} features were written; the disk may be full")
    if path.exists() and path.stat().st_size:
        put_layer(path, lambda made: _copy_layer(stage, made, count))
    else:
        put_file(path, lambda made: _move(stage, made))


def _move(stage: Path, made: Path) -> None:
    stage.replace(made)


def _copy_layer(stage: Path, made: Path, count: int) -> None:
    """Into a GeoPackage with layers of its own; ours is replaced."""
    for first in range(0, count, BATCH):
        frame = pyogrio.read_dataframe(stage, layer=LAYER, skip_features=first, max_features=BATCH)
        pyogrio.write_dataframe(frame, made, layer=LAYER, driver="GPKG", promote_to_multi=True, append=first > 0)


def _join(parts: list[Path], path: Path) -> None:
    """GeoParquet files of one schema as row groups of one."""
    schema = _without_extent(pyarrow.parquet.read_schema(parts[0]))
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for part in parts:
            writer.write_table(pyarrow.parquet.read_table(part).cast(schema))


def _without_extent(schema: pyarrow.Schema) -> pyarrow.Schema:
    """Without what the metadata say of the first part's geometries alone (GeoParquet 1.1: extent and types are optional)."""
    metadata = dict(schema.metadata)
    geo = json.loads(metadata[b"geo"])
    for column in geo["columns"].values():
        column.pop("bbox", None)
        column["geometry_types"] = []
    metadata[b"geo"] = json.dumps(geo).encode()
    return schema.with_metadata(metadata)
