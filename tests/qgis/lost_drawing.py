"""A drawing of QGIS's own that never ends must not hold up the end of the tests.

QGIS 3.22 loses an answer of a map server now and then when its canvas is told to stop: the thread that draws waits for it
forever, and pytest-qgis, Qt and Python each wait for that thread.
"""

import os
import sys

import pytest
from qgis.PyQt.QtCore import QThreadPool

PATIENCE_MS = 60_000


def _never_ended():
    return not QThreadPool.globalInstance().waitForDone(PATIENCE_MS)


@pytest.fixture(scope="session", autouse=True)
def drawing_ends(qgis_app, request):
    """Where it does not, what pytest-qgis would do at the end is left out."""
    yield
    if _never_ended():
        request.config.lost_drawing = True
        request.config._plugin_settings = request.config._plugin_settings._replace(qgis_init_disabled=True)


def pytest_sessionfinish(session, exitstatus):
    session.config.exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if getattr(config, "lost_drawing", False):
        print(f"A drawing thread of QGIS's had not ended after {PATIENCE_MS // 1000} s and was left behind.")
        sys.stdout.flush()
        os._exit(config.exit_status)
