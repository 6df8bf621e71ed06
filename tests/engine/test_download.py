"""Published weights from a server that cuts, delays, lies and serves the wrong file."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rasterlasso.contract.model_errors import DownloadFailed, DownloadRefused, ModelFileUnusable, ModelNameTaken
from rasterlasso.models.library import weights
from rasterlasso.models.library.download import fetch
from rasterlasso.models.library.published import Published


class Server(ThreadingHTTPServer):
    """files: bytes by path. behaviour: what it does wrong, until it has done so `times`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.behaviour, self.times, self.ranges, self.tokens = {}, None, 0, [], []
        self.moved = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def misbehave(self):
        self.times -= 1
        return self.behaviour if self.times >= 0 else None


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        server.tokens.append(self.headers.get("Authorization"))
        if self.path in server.moved:
            self.send_response(302)
            self.send_header("Location", server.moved[self.path])
            self.end_headers()
            return
        wrong = server.misbehave()
        if wrong is not None and isinstance(wrong, int):
            self.send_error(wrong)
            return
        body = server.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        start = 0
        if (asked := self.headers.get("Range")) and wrong != "no ranges":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_error(416)
                return
        rest = body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest) + (1000 if wrong == "promise more" else 0)))
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if wrong == "cut" else rest)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    yield running
    running.shutdown()
    running.server_close()


def get(server, target, seen=None):
    fetch(server.url("file"), target, lambda done, total: None if seen is None else seen.append((done, total)), wait_s=0.01)


BODY = bytes(range(256)) * 4000


@pytest.mark.parametrize("behaviour", [None, "cut", "no ranges", "promise more", 503])
def test_a_file_arrives_whole_whatever_happens_twice(server, tmp_path, behaviour):
    server.files["file"] = BODY
    server.behaviour, server.times = behaviour, 2
    seen = []
    get(server, tmp_path / "file", seen)
    assert (tmp_path / "file").read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    if behaviour == "cut":
        assert server.ranges == [None, f"bytes={len(BODY) // 2}-", f"bytes={len(BODY) // 4 * 3}-"]


def test_what_was_cut_off_for_good_is_resumed_the_next_time(server, tmp_path):
    server.files["file"] = BODY
    server.behaviour, server.times = "cut", 5
    with pytest.raises(DownloadFailed, match="cut again"):
        get(server, tmp_path / "file")
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.ranges[-1] is not None


def test_a_longer_beginning_of_another_file_is_thrown_away(server, tmp_path):
    server.files["file"] = BODY
    (tmp_path / "file.part").write_bytes(b"x" * (len(BODY) + 5))
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(("code", "told"), [(403, "licence"), (404, "404"), (500, "500")])
def test_refusals_are_told(server, tmp_path, code, told):
    server.behaviour, server.times = code, 9
    with pytest.raises(DownloadFailed, match=told):
        get(server, tmp_path / "file")


def test_without_a_network_one_is_told(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadFailed, match="no connection"):
        get(server, tmp_path / "file")


def test_stopping_keeps_what_is_there(server, tmp_path):
    server.files["file"] = BODY

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server.url("file"), tmp_path / "file", stop)
    assert 0 < (tmp_path / "file.part").stat().st_size < len(BODY)


def test_the_users_sign_in_goes_to_the_hub_and_not_to_where_it_sends_us(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    server.files["elsewhere"] = BODY
    server.moved["/file"] = server.url("elsewhere")
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.tokens == ["Bearer hf_secret", None]


def test_another_revision_may_be_named():
    address = Published("mine", "org/mine", "sam", "Apache-2.0", 1, revision="v2").url("config.json")
    assert address.endswith("/org/mine/resolve/v2/config.json")


@pytest.fixture
def hub(server, sam_folder, tmp_path, monkeypatch):
    for file in ("config.json", "model.safetensors"):
        server.files[f"org/mine/resolve/main/{file}"] = (sam_folder("sam") / file).read_bytes()
    monkeypatch.setenv("HF_ENDPOINT", server.url(""))
    monkeypatch.setenv("RASTERLASSO_MODELS", str(tmp_path / "models"))
    return server


def install(confirm=lambda sha256: True, **more):
    return weights.get(
        Published("mine", "org/mine", "sam", "Apache-2.0", 4_000_000, **more), lambda done, total: None, confirm, wait_s=0.01
    )


def left(tmp_path):
    return [path.name for path in (tmp_path / "models").iterdir()]


def test_published_weights_are_got_and_confirmed_by_their_hash(hub, tmp_path):
    asked = []
    installed = install(lambda sha256: asked.append(sha256) or True)
    assert asked == [installed.sha256[weights.WEIGHTS]]
    assert left(tmp_path) == ["mine"]
    weights.verify("mine")
    with pytest.raises(ModelNameTaken):
        install()


def test_a_known_hash_is_checked_without_asking(hub, tmp_path):
    with pytest.raises(DownloadRefused, match="SHA-256"):
        install(confirm=None, sha256="0" * 64)
    assert left(tmp_path) == []


def test_what_the_user_does_not_confirm_is_not_kept(hub, tmp_path):
    with pytest.raises(DownloadRefused, match="not confirmed"):
        install(lambda sha256: False)
    assert left(tmp_path) == []


def test_a_wrong_file_is_refused_and_not_kept(hub, tmp_path):
    hub.files["org/mine/resolve/main/model.safetensors"] = b"<html>sign in first</html>"
    with pytest.raises(ModelFileUnusable):
        install()
    assert left(tmp_path) == []


def test_a_mirror_without_a_scheme_is_told(tmp_path):
    with pytest.raises(DownloadFailed, match="begins with https"):
        fetch("mirror.example/model", tmp_path / "weights", lambda done, total: None)
