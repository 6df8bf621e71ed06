import json
from contextlib import suppress
from string import Formatter

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract import errors, protocol
from rasterlasso.contract import requests as ops
from rasterlasso.contract.edits import Edit
from rasterlasso.contract.errors import ProtocolError, RasterLassoError
from rasterlasso.contract.failures import error_from_wire
from rasterlasso.contract.looks import PRESETS, Stretch
from rasterlasso.contract.prompts import Box, Point, Prompts
from rasterlasso.contract.recipe import Recipe
from rasterlasso.contract.wkb import checked_wkb

finite = st.floats(allow_nan=False, allow_infinity=False)
given_prompts = st.builds(
    Prompts,
    st.lists(st.builds(Point, finite, finite, st.booleans())).map(tuple),
    st.none() | st.builds(Box, finite, finite, finite, finite),
    st.none() | st.binary().map(bytes.hex),
)
polygons = st.builds(shapely.box, *[st.floats(-1e6, 1e6)] * 4)
geometries = (
    polygons
    | polygons.map(lambda each: shapely.multipolygons([each, each]))
    | polygons.map(lambda each: each.exterior.centroid)
)
drawn = st.builds(
    Prompts,
    st.lists(st.builds(Point, finite, finite, st.booleans())).map(tuple),
    st.none() | st.builds(Box, finite, finite, finite, finite),
    st.none() | polygons.map(lambda each: shapely.to_wkb(each, hex=True)),
)
jsonable = st.dictionaries(st.text(), st.text() | st.integers() | finite | st.none() | st.booleans())
ids = st.integers(0, 2**40)
messages = st.one_of(
    st.builds(protocol.Request, ids, st.text(), jsonable, st.text(), ids),
    st.builds(protocol.Cancel, ids),
    st.builds(protocol.Ready, ids, st.text(), ids),
    st.builds(protocol.Progress, ids, st.text(), finite),
    st.builds(protocol.Result, ids, jsonable),
    st.builds(protocol.Failure, ids, st.text(), jsonable, st.text()),
    st.builds(protocol.Cancelled, ids),
)


@given(messages)
def test_messages_come_back_from_one_line(message):
    line = protocol.encode(message)
    assert line.count(b"\n") == 1
    assert protocol.decode(line) == message


levels = st.integers(-3, 20)
parameters = st.one_of(
    st.builds(ops.SegmentParams, st.text(), given_prompts, st.text(), st.none() | levels, st.booleans()),
    st.builds(ops.LearnParams, st.text(), st.text(), st.text(), levels),
)


@given(parameters)
def test_parameters_come_back(params):
    line = protocol.encode(protocol.Request(1, "op", params.to_wire()))
    assert type(params).from_wire(protocol.decode(line).params) == params


@given(st.binary(max_size=60))
def test_anything_else_is_a_protocol_error(line):
    with pytest.raises(ProtocolError):
        protocol.decode(line)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"1",
        b"null",
        b'{"type":"request"}',
        b'{"type":"cancel","id":"x"}',
        b'{"type":"cancel","id":true}',
        b'{"type":"request","id":1,"op":"segment","revision":"2"}',
        b'{"type":"request","id":1,"op":"segment","params":[]}',
        b'{"type":"result","id":1}',
        b'{"type":"result","id":1,"value":null}',
        b'{"type":"item","id":1,"value":[1]}',
        b'{"type":"progress","id":1,"stage":"read","fraction":NaN}',
        b'{"type":"progress","id":1,"stage":"read","fraction":0.5,"part":3}',
        b'{"type":"failure","id":1,"code":"NothingFound","params":null,"message":""}',
        b'{"type":"result","id":1,"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type":[]}',
    ],
)
def test_json_of_another_form_is_a_protocol_error(line):
    with pytest.raises(ProtocolError):
        protocol.decode(line)


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), {1, 2}])
def test_what_json_does_not_have_is_not_sent(value):
    with pytest.raises(ProtocolError):
        protocol.encode(protocol.Result(1, {"score": value}))


@given(st.binary(max_size=30), ids)
def test_the_request_that_a_broken_line_is_about_is_known(rest, request_id):
    assert protocol.id_of(f'{{"type":"result","id":{request_id},'.encode() + rest) == request_id
    assert protocol.id_of(b"garbage") is None


def test_an_error_of_another_version_is_told_all_the_same():
    assert "RasterNotFound" in str(error_from_wire("RasterNotFound", {"file": "a.tif"}))
    assert "FromTheFuture" in str(error_from_wire("FromTheFuture", {"a": 1}))


@pytest.mark.parametrize(
    "wire",
    [
        {"points": [[1, 2]]},
        {"points": 3},
        {"box": [1, 2, 3]},
        {"polygon": "xyz"},
        {"polygon": 7},
        {"points": [["a", 1, True]]},
        {"points": [[float("nan"), 1, True]]},
        [],
    ],
)
def test_bad_prompts_are_protocol_errors(wire):
    with pytest.raises(ProtocolError):
        Prompts.from_wire(wire)


SQUARE = shapely.to_wkb(shapely.box(0, 0, 1, 1), hex=True)


@given(
    drawn,
    st.none() | st.text(),
    st.none() | st.sampled_from(list(PRESETS.values())),
    st.none() | st.just(Stretch((3, 2, 1), (0.0, 0.0, 0.0), (1.0, 2.0, 3.0), 1.5)),
    st.none() | st.integers(0, 5),
    st.lists(st.builds(Edit, st.sampled_from(["", SQUARE]), st.sampled_from(["", SQUARE])), max_size=3).map(tuple),
)
def test_a_recipe_comes_back_from_a_field(prompts, crs, finish, stretch, choice, edits):
    recipe = Recipe(prompts, crs, finish, stretch, choice, edits=edits)
    assert Recipe.of(recipe.to_text()) == recipe
    assert Recipe.of(json.loads(recipe.to_text())) == recipe  # as GeoJSON has it


DEEP_WKB = "010700000001000000" * 100_000 + "0101000000" + "00" * 16


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no prompts",
        "[1]",
        "7",
        7,
        None,
        '{"points": [[1]]}',
        "[" * 100_000,
        '{"points": ' + "[" * 100_000,
        '{"points": [[' + "9" * 1000 + ", 1, true]]}",
        '{"points": [[' + "9" * 100_000 + ", 1, true]]}",
        '{"points": [[NaN, 1, true]]}',
        json.dumps({"polygon": DEEP_WKB}),
        json.dumps({"polygon": "0106000000" + "ffffffff"}),
        '{"points": [[1, 2, true]], "choice": -1}',
        '{"points": [[1, 2, true]], "choice": true}',
        '{"points": [[1, 2, true]], "finish": 7}',
        '{"points": [[1, 2, true]], "finish": {"tolerance_px": "x"}}',
        '{"points": [[1, 2, true]], "stretch": {"bands": [1, 2], "low": [], "high": []}}',
    ],
    ids=range(19),
)
def test_a_field_with_other_things_is_a_protocol_error(text):
    with pytest.raises(ProtocolError):
        Recipe.of(text)


@given(st.binary(max_size=60))
def test_wkb_of_any_bytes_is_taken_or_refused(data):
    with suppress(ValueError):
        assert checked_wkb(data.hex()) == data


@given(geometries)
def test_wkb_of_shapely_is_taken(shape):
    for wkb_hex in (
        shapely.to_wkb(shape, hex=True),
        shapely.to_wkb(shapely.set_srid(shapely.force_3d(shape), 4326), hex=True, include_srid=True),
        shapely.to_wkb(shapely.force_3d(shape), hex=True, flavor="iso", byte_order=0),
    ):
        assert checked_wkb(wkb_hex) == bytes.fromhex(wkb_hex)


def all_errors(root=RasterLassoError):
    return [root, *(error for child in root.__subclasses__() for error in all_errors(child))]


def test_every_error_crosses_the_pipe():
    for kind in all_errors():
        if not kind.__module__.startswith(errors.__package__) or not kind.template:
            continue
        names = [name for _, name, _, _ in Formatter().parse(kind.template) if name]
        error = kind(**{name: 1.5 if name in ("x", "y") else "this" for name in names})
        assert type(error_from_wire(error.code, error.params)) is kind
        assert str(error_from_wire(error.code, error.params)) == str(error)


def test_an_unknown_error_is_an_internal_one():
    assert "Strange" in str(error_from_wire("Strange", {"path": "x"}))
