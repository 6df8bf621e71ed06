"""Making the engine's environment, and taking away what does not work."""

from helpers import wait_until
from rasterlasso.contract.client import Replies
from rasterlasso.contract.errors import EngineBroken
from rasterlasso.plugin.errors import EngineInstallFailed, PythonMissing
from rasterlasso.plugin.runtime.engine_command import LAUNCHER
from rasterlasso.plugin.runtime.engine_process import EngineProcess, EngineState
from rasterlasso.plugin.runtime.environment import COMPLETE, engine_python, python_in
from rasterlasso.plugin.runtime.installing import EngineInstaller, base_pythons
from rasterlasso.plugin.settings import Settings
from rasterlasso.plugin.translation import error_text


def finish(installer, seconds=600):
    outcome, lines = [], []
    installer.finished.connect(outcome.append)
    installer.progress.connect(lines.append)
    installer.start()
    wait_until(lambda: outcome, seconds)
    return outcome[0], lines


def test_the_engine_is_installed_from_nothing(qgis_app, tmp_path, monkeypatch):
    monkeypatch.setattr("rasterlasso.plugin.runtime.environment.managed_folder", lambda: tmp_path / "engine")
    installer = EngineInstaller(tmp_path / "engine")
    error, lines = finish(installer, 600)
    assert error is None, lines[-5:]
    assert any("ok   built-in model" in line for line in lines)
    engine = EngineProcess(engine_python(Settings()))
    engine.start()
    wait_until(lambda: engine.state is EngineState.READY)
    engine.shut_down()


def test_an_installation_that_fails_says_why_and_leaves_nothing(qgis_app, tmp_path, monkeypatch):
    monkeypatch.setattr("rasterlasso.plugin.runtime.installing.RESOURCES", tmp_path / "nowhere")
    error, lines = finish(EngineInstaller(tmp_path / "engine"))
    assert isinstance(error, EngineInstallFailed)
    assert "nowhere" in error_text(error)
    assert len(lines) > 2
    assert not (tmp_path / "engine").exists()


def test_an_installation_without_python_says_what_to_install(qgis_app, tmp_path, monkeypatch):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    monkeypatch.setattr("rasterlasso.plugin.runtime.installing.base_pythons", lambda: [str(old), str(tmp_path / "none")])
    error, _ = finish(EngineInstaller(tmp_path / "engine"))
    assert isinstance(error, PythonMissing)
    assert "3.11" in error_text(error)


def test_a_cancelled_installation_leaves_nothing(qgis_app, tmp_path):
    installer = EngineInstaller(tmp_path / "engine")
    installer.start()
    wait_until((tmp_path / "engine").exists)
    installer.cancel()
    assert not (tmp_path / "engine").exists()


def test_only_a_whole_environment_counts(qgis_app, tmp_path, monkeypatch):
    monkeypatch.setattr("rasterlasso.plugin.runtime.environment.managed_folder", lambda: tmp_path)
    assert engine_python(Settings()) is None
    (tmp_path / COMPLETE).touch()
    assert engine_python(Settings()) == python_in(tmp_path)
    assert base_pythons()


def test_an_environment_stays_where_another_one_can_not_be_made(qgis_app, tmp_path, monkeypatch):
    monkeypatch.setattr("rasterlasso.plugin.runtime.installing.RESOURCES", tmp_path / "nowhere")
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / COMPLETE).touch()
    (folder / "mine").write_text("whole")
    installer = EngineInstaller(folder)
    installer.start()
    installer.cancel()  # while it looks for Python
    assert (folder / "mine").exists()
    error, _ = finish(EngineInstaller(folder))
    assert isinstance(error, EngineInstallFailed)
    assert (folder / "mine").read_text() == "whole"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("engine")] == ["engine"]


def test_a_cancelled_installation_gives_the_former_environment_back(qgis_app, tmp_path, monkeypatch):
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / COMPLETE).touch()
    (folder / "mine").write_text("whole")
    writing = "for each in $(seq 20000); do : > $each; done"
    python = tmp_path / "python3"  # its child goes on for a while after it was stopped, as venv's and pip's do
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\nmkdir "$3"; cd "$3"; sh -c \'{writing}\' & wait')
    python.chmod(0o755)
    monkeypatch.setattr("rasterlasso.plugin.runtime.installing.base_pythons", lambda: [str(python)])
    installer = EngineInstaller(folder)
    installer.start()
    wait_until(lambda: (folder / "100").exists())
    installer.cancel()
    assert (folder / "mine").read_text() == "whole"
    assert (folder / COMPLETE).exists()


def test_an_engine_whose_libraries_fail_can_be_installed_again(qgis_app, engine_python, tmp_path, monkeypatch):
    launcher = tmp_path / "launch.py"
    lines = ("import runpy, sys", "sys.modules['torch'] = None", f"sys.argv = [{str(LAUNCHER)!r}]")
    launcher.write_text("\n".join((*lines, f"runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')")))
    monkeypatch.setattr("rasterlasso.plugin.runtime.engine_command.LAUNCHER", launcher)
    engine, failures = EngineProcess(engine_python), []
    engine.request("models", {}, Replies(result=lambda value: None, failure=failures.append))
    wait_until(lambda: engine.state is EngineState.FAILED)
    assert [type(each) for each in failures] == [EngineBroken]
    assert engine.process_id == 0
    engine.shut_down()
