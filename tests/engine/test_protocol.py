import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract import errors, protocol
from rasterlasso.contract import requests as ops
from rasterlasso.contract.errors import ProtocolError, RasterLassoError, error_from_wire
from rasterlasso.contract.prompts import Box, Point, Prompts, prompts_of_text, prompts_text

finite = st.floats(allow_nan=False, allow_infinity=False)
given_prompts = st.builds(
    Prompts,
    st.lists(st.builds(Point, finite, finite, st.booleans())).map(tuple),
    st.none() | st.builds(Box, finite, finite, finite, finite),
    st.none() | st.binary().map(bytes.hex),
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
        b'{"type":"cancel","id":1,"more":2}',
        b'{"type":[]}',
    ],
)
def test_json_of_another_form_is_a_protocol_error(line):
    with pytest.raises(ProtocolError):
        protocol.decode(line)


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


@given(given_prompts, st.none() | st.text())
def test_prompts_come_back_from_a_field(prompts, crs):
    assert prompts_of_text(prompts_text(prompts, crs)) == (prompts, crs)


@pytest.mark.parametrize("text", ["", "no prompts", "[1]", "7", '{"points": [[1]]}'])
def test_a_field_with_other_things_is_a_protocol_error(text):
    with pytest.raises(ProtocolError):
        prompts_of_text(text)


def all_errors(root=RasterLassoError):
    return [root, *(error for child in root.__subclasses__() for error in all_errors(child))]


def test_every_error_crosses_the_pipe():
    params = dict.fromkeys(
        ("path", "reason", "name", "known", "crs", "attempts", "module", "url", "library", "count", "licence", "python"), "this"
    ) | {
        "x": 1.5,
        "y": -2.0,
    }
    for kind in all_errors():
        if kind.__module__ != errors.__name__ or not kind.template:
            continue
        error = kind(**params)
        assert type(error_from_wire(error.code, error.params)) is kind
        assert str(error_from_wire(error.code, error.params)) == str(error)


def test_an_unknown_error_is_an_internal_one():
    assert "Strange" in str(error_from_wire("Strange", {"path": "x"}))
