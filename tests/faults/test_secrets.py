"""Passwords and keys stay where they were given."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract.errors import InternalError, RasterServerFailed, RasterUnreadable
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.contract.protocol import Request
from rasterlasso.contract.requests import SegmentParams
from rasterlasso.contract.secrets import HIDDEN, without_secrets
from rasterlasso.engine import cli
from rasterlasso.engine.files.reading import read_layer
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.tests.engine.test_remote import SERVER
from rasterlasso.tests.engine.test_worker import Engine

SECRET = "s3cr3t-W0rd"

SOURCES = [
    f"https://anna:{SECRET}@example.org/a.tif",
    f"/vsicurl/https://anna:{SECRET}@example.org/a.tif",
    f"/vsicurl/http://example.org/a.tif?token={SECRET}&b=1",
    f"/vsicurl?max_retry=3&url=https://x.org/a.tif%3F&access_token={SECRET}",
    f"https://acc.blob.core.windows.net/c/a.tif?sv=2024&se=2030&sr=b&sig={SECRET}",
    f"https://b.s3.amazonaws.com/a.tif?X-Amz-Signature={SECRET}&X-Amz-Credential={SECRET}&X-Amz-Security-Token={SECRET}",
    f"https://tiles.example.org/{{z}}/{{x}}/{{y}}.png?api_key={SECRET}",
    f"type=xyz&url=https://t.example.org/%7Bz%7D.png?apikey%3D1&zmax=9&password={SECRET}",
    f"type=xyz&url=https://t.example.org/%7Bz%7D/%7Bx%7D/%7By%7D.png%3Fapikey%3D{SECRET}%26style%3Da&zmax=18",
    f"PG:host=db dbname=maps user=anna password={SECRET} table=aerial",
    f"PG:host='db' user='anna' password='{SECRET} and more' table='aerial'",
    f'PG:"host=db password={SECRET} table=aerial"',
    f"postgresql://anna:{SECRET}@db/maps",
    f"georaster:anna/{SECRET}@db,table",
    f"<GDAL_WMS><Service><ServerUrl>https://x.org/?a=1&amp;key={SECRET}</ServerUrl></Service></GDAL_WMS>",
    f"<GDAL_WMS><UserPwd>anna:{SECRET}</UserPwd></GDAL_WMS>",
    f"Authorization: Bearer {SECRET}abc",
]


@pytest.mark.parametrize("source", SOURCES)
def test_no_secret_is_left(source):
    shown = without_secrets(source)
    assert SECRET not in shown
    assert without_secrets(shown) == shown
    for error in (RasterServerFailed(path=source, reason=f"while opening {source}"), InternalError(reason=source)):
        assert SECRET not in str(error)
        assert SECRET not in json.dumps(error.params)


@pytest.mark.parametrize(
    "plain",
    [
        "/data/maps/user@host/a.tif",
        r"C:\Users\anna\keys=7\a.tif",
        "https://example.org/tiles/a.tif?map=/srv/a.map&layers=b",
        "GPKG:/data/passwords.gpkg:token",
        "Lake = 3; the key is on the left",
        "",
    ],
)
def test_what_is_none_stays(plain):
    assert without_secrets(plain) == plain


@given(st.text(max_size=80))
def test_it_is_done_once(text):
    once = without_secrets(text)
    assert without_secrets(once) == once


@pytest.fixture
def address(make_raster, field_image, tmp_path, monkeypatch):
    """A raster on a server, asked for with a key."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    make_raster(field_image)
    with subprocess.Popen([sys.executable, SERVER, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        yield f"/vsicurl/http://127.0.0.1:{process.stdout.readline().strip()}/image.tif?token={SECRET}"
        process.terminate()


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb", ".parquet"])
def test_files_tell_the_source_without_its_key(address, tmp_path, suffix, capfd):
    out = tmp_path / f"out{suffix}"
    assert cli.main(["segment", address, "--point", "500240,4499720", "--out", str(out)]) == 0
    [source] = read_layer(out)["source"]
    assert "image.tif" in source
    assert HIDDEN in source
    assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.glob("out*"))
    assert SECRET not in "".join(capfd.readouterr())


def test_errors_and_the_log_tell_no_key(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    gone = f"/vsicurl/http://anna:{SECRET}@127.0.0.1:9/a.tif?key={SECRET}"
    segmenter = Segmenter()
    with pytest.raises(RasterServerFailed) as failed:
        segmenter.segment(gone, Prompts((Point(0, 0),)))
    with pytest.raises(RasterUnreadable) as unreadable:
        segmenter.segment(f"PG:host=127.0.0.1 port=9 password={SECRET} table=a", Prompts((Point(0, 0),)))
    segmenter.close()
    assert SECRET not in f"{failed.value}{unreadable.value}"
    engine = Engine()
    params = SegmentParams(gone, Prompts((Point(0, 0),)), "builtin", 0).to_wire()
    engine.send(Request(1, "segment", {**params, "finish": {"name": f"password={SECRET}"}}), Request(2, "segment", params))
    answers = [engine.final(number) for number in (1, 2)]
    engine.process.stdin.close()
    log = engine.process.stderr.read().decode()
    engine.process.stdin = open("/dev/null", "wb")  # noqa: SIM115, PTH123 - `close` closes it
    engine.close()
    assert SECRET not in log
    assert not [answer for answer in answers if SECRET in str(answer)]
