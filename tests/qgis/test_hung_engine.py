"""An engine that is there and says nothing: noticed, said, and started again with what was asked."""

import os
import signal

import pytest

from helpers import MIDDLE, wait_until
from rasterlasso.contract.errors import EngineHung
from rasterlasso.plugin.panel import status
from rasterlasso.plugin.panel.status import status_text
from rasterlasso.plugin.runtime import engine_process
from rasterlasso.plugin.runtime.engine_process import EngineState

FORESTALLED_S = 4.0
"""Two pulses: tests need not wait as long as a user may have to."""


@pytest.fixture
def ready(bench, engine):
    bench.click(*MIDDLE)
    bench.answered()
    bench.digitizer.clear()
    return engine


def test_an_engine_that_is_stopped_is_replaced_and_the_click_is_answered(bench, ready, monkeypatch):
    monkeypatch.setattr(engine_process, "SILENT_S", FORESTALLED_S)
    noticed = []
    ready.noticed.connect(noticed.append)
    stopped = ready.process_id
    os.kill(stopped, signal.SIGSTOP)
    bench.click(*MIDDLE)
    polygon = bench.answered()
    assert polygon.area() > 0
    assert ready.process_id not in (0, stopped)
    [error] = noticed
    assert isinstance(error, EngineHung)
    assert "Your clicks are kept" in str(error)


def test_an_engine_that_pauses_is_waited_for(bench, ready, monkeypatch):
    monkeypatch.setattr(engine_process, "SILENT_S", FORESTALLED_S)
    working = ready.process_id
    os.kill(working, signal.SIGSTOP)
    bench.click(*MIDDLE)
    wait_until(lambda: bench.digitizer.stage_seconds > 1)
    os.kill(working, signal.SIGCONT)
    assert bench.answered().area() > 0
    assert ready.process_id == working


def test_restarting_keeps_the_clicks_and_says_how_long_it_took(bench, ready, monkeypatch):
    monkeypatch.setattr(status, "LONG_S", 0.5)
    stopped = ready.process_id
    os.kill(stopped, signal.SIGSTOP)
    bench.click(*MIDDLE)
    wait_until(lambda: bench.digitizer.stage_seconds > 1)
    assert "for 1 s. Esc discards this object" in status_text(ready, bench.digitizer)
    ready.restart()
    assert ready.state is EngineState.STARTING
    assert bench.answered().area() > 0
    assert ready.process_id not in (0, stopped)
