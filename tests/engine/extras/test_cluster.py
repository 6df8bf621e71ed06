"""A job on a Dask cluster gives what one process gives, also where a worker dies, and goes on after it was stopped."""

import os
import signal

import numpy as np
import pytest
import torch
from distributed import LocalCluster

from rasterlasso.contract.elsewhere_errors import SchedulerUnreachable
from rasterlasso.contract.errors import RasterNotFound
from rasterlasso.contract.proposals import EverythingParams
from rasterlasso.engine import cli
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tasks import cluster as on_cluster
from rasterlasso.engine.tasks.table import TASKS
from rasterlasso.engine.tiles.disk_store import TileStore

SIDE = 120
TILE_PX = 256

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library and its servers


@pytest.fixture
def image(make_raster):
    picture = 70 + np.random.default_rng(3).integers(0, 14, (3, 300, 360))
    for left, top in [(20, 15), (200, 20), (110, 160)]:
        picture[:, top : top + SIDE, left : left + SIDE] += 110
    return str(make_raster(picture.astype(np.uint8)))


@pytest.fixture(autouse=True)
def one_thread():
    """As workers have it: sums of floats depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
        yield made


def everything(params, store=None, checkpoint=lambda stage, fraction: None):
    engine = Segmenter(tile_px=TILE_PX, store=store)
    try:
        return [_without_time(each.to_wire()) for each in TASKS["segment_everything"].run(engine, params, checkpoint)]
    finally:
        engine.close()


def _without_time(found):
    return {**found, "found": {**found["found"], "seconds": 0}}


def test_workers_find_what_one_process_finds(image, cluster):
    expected = everything(EverythingParams(image, side_px=SIDE))
    assert len(expected) >= 3
    assert everything(EverythingParams(image, side_px=SIDE, scheduler=cluster.scheduler_address)) == expected


def test_a_worker_that_is_killed_changes_nothing(image, cluster, monkeypatch):
    expected = everything(EverythingParams(image, side_px=SIDE))
    victims = [worker.pid for worker in cluster.workers.values()][:1]
    given = on_cluster._text_of

    def kill_one(future):
        if victims:
            os.kill(victims.pop(), signal.SIGKILL)
        return given(future)

    monkeypatch.setattr(on_cluster, "_text_of", kill_one)
    assert everything(EverythingParams(image, side_px=SIDE, scheduler=cluster.scheduler_address)) == expected
    assert not victims


def test_with_more_tiles_than_may_be_under_way_a_lost_worker_stops_nothing(image, cluster, monkeypatch):
    monkeypatch.setattr(on_cluster, "TILES_A_WORKER", 1)
    counts = iter((2, 2, 1))  # as the scheduler tells once a worker is gone

    def workers(client):
        return {"workers": dict.fromkeys(range(next(counts, 1)))}

    monkeypatch.setattr("distributed.Client.scheduler_info", workers)
    expected = everything(EverythingParams(image, side_px=SIDE))
    assert everything(EverythingParams(image, side_px=SIDE, scheduler=cluster.scheduler_address)) == expected


def test_a_run_that_was_stopped_on_a_cluster_goes_on_anywhere(image, cluster, tmp_path):
    store = TileStore(tmp_path / "cache", 1 << 30)
    expected = everything(EverythingParams(image, side_px=SIDE))
    params = EverythingParams(image, side_px=SIDE, scheduler=cluster.scheduler_address)

    def stop_later(stage, fraction):
        if fraction > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        everything(params, store, stop_later)
    searched = []
    later = everything(
        EverythingParams(image, side_px=SIDE),
        store,
        lambda stage, fraction: searched.append(stage) if stage == "decode" else None,
    )
    whole = []
    everything(
        EverythingParams(image, side_px=SIDE), None, lambda stage, fraction: whole.append(stage) if stage == "decode" else None
    )
    assert later == expected
    assert len(searched) < len(whole)


def test_what_a_worker_can_t_open_is_told_as_here(image, cluster, monkeypatch):
    given = on_cluster._in_order

    def without_the_raster(client, task, params, *rest):
        return given(client, task, {**params, "image": f"{image}.gone"}, *rest)

    monkeypatch.setattr(on_cluster, "_in_order", without_the_raster)
    with pytest.raises(RasterNotFound):
        everything(EverythingParams(image, side_px=SIDE, scheduler=cluster.scheduler_address))


def test_a_scheduler_that_is_not_there(image, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(on_cluster, "CONNECT_S", 1)
    address = "tcp://127.0.0.1:9"
    with pytest.raises(SchedulerUnreachable, match="dask scheduler"):
        everything(EverythingParams(image, side_px=SIDE, scheduler=address))
    command = ["everything", image, "--size-px", str(SIDE), "--scheduler", address, "-o", str(tmp_path / "found.gpkg")]
    assert cli.main(command) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "found.gpkg").exists()
