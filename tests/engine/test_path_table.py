"""Folders of this machine and of the engine's: what is sent and received means the same files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract.elsewhere_errors import PathTableUnusable
from rasterlasso.contract.path_table import PathTable

TABLE = PathTable.of("/home/me/imagery=/data/imagery; Z:\\rasters = /mnt/rasters/")


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("/home/me/imagery/a.tif", "/data/imagery/a.tif"),
        ("/home/me/imagery", "/data/imagery"),
        ("/home/me/imagery2/a.tif", "/home/me/imagery2/a.tif"),
        ("Z:\\rasters\\2024\\a.tif", "/mnt/rasters/2024/a.tif"),
        ('NETCDF:"/home/me/imagery/wind.nc":u', 'NETCDF:"/data/imagery/wind.nc":u'),
        ("/vsizip//home/me/imagery/a.zip/a.tif", "/vsizip//data/imagery/a.zip/a.tif"),
        ("https://example.org/home/me/imagery.tif", "https://example.org/home/me/imagery.tif"),
    ],
)
def test_paths_are_those_of_the_engines_machine(here, there):
    params = {"image": here, "finish": {"smooth": True}, "shapes": [{"id": 1, "wkb_hex": "0103" * 5000}]}
    sent = TABLE.to_engine(params)
    assert sent["image"] == there
    assert {name: each for name, each in sent.items() if name != "image"} == {
        name: each for name, each in params.items() if name != "image"
    }


def test_what_comes_back_has_this_machines_paths_also_within_sentences():
    told = TABLE.from_engine({"path": "/data/imagery/a.tif", "reason": "no such file: /mnt/rasters/b/c.tif"})
    assert told == {"path": "/home/me/imagery/a.tif", "reason": "no such file: Z:\\rasters\\b\\c.tif"}


names = st.text(st.characters(categories=("L", "Nd"), include_characters=" -_."), min_size=1, max_size=12).map(str.strip)


@given(st.lists(names.filter(bool), min_size=1, max_size=5))
def test_a_path_comes_back_as_it_was_sent(parts):
    for folder in ("/home/me/imagery/", "Z:\\rasters\\"):
        path = folder + folder[-1].join(parts)
        assert TABLE.from_engine(TABLE.to_engine(path)) == path


@pytest.mark.parametrize("text", ["/home/me", "=/data", "/a=", "/a=/b=/c", "/a=/b; oops"])
def test_a_table_that_is_none_is_refused_with_its_entry(text):
    with pytest.raises(PathTableUnusable, match="rasterlasso/engine_paths"):
        PathTable.of(text)


def test_an_empty_table_changes_nothing():
    params = {"image": "/home/me/imagery/a.tif"}
    assert PathTable.of(" ; ").to_engine(params) is params
