"""Dataclasses on the pipe: each comes back, and nothing else is taken for one."""

from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract import requests
from rasterlasso.contract.errors import ProtocolError
from rasterlasso.contract.looks import Finish, Stretch
from rasterlasso.contract.prompts import Box, Point, Prompts
from rasterlasso.contract.requests import SegmentedObject, SegmentParams, ShapesParams
from rasterlasso.contract.wire import Wire

finite = st.floats(allow_nan=False, allow_infinity=False)
prompts = st.builds(
    Prompts,
    st.lists(st.builds(Point, finite, finite, st.booleans()), max_size=3).map(tuple),
    st.none() | st.builds(Box, finite, finite, finite, finite),
    st.none() | st.binary().map(bytes.hex),
)
st.register_type_strategy(float, finite)
st.register_type_strategy(Prompts, prompts)
st.register_type_strategy(
    Stretch, st.builds(Stretch, st.just((1, 2, 3)), st.tuples(*[finite] * 3), st.tuples(*[finite] * 3), st.floats(0.1, 9))
)

KINDS = [
    each for each in vars(requests).values() if isinstance(each, type) and issubclass(each, Wire) and is_dataclass(each)
] + [Finish, Stretch]


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_each_comes_back(kind, data):
    made = (
        data.draw(st.from_type(kind))
        if kind is not SegmentedObject
        else data.draw(st.builds(kind, error_params=st.just({"a": 1})))
    )
    assert kind.from_wire(made.to_wire()) == made


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_anything_else_is_a_protocol_error_or_one_of_them(kind, data):
    """Each field may hold anything at all."""
    value = {each.name: data.draw(json_values) for each in fields(kind)}
    try:
        made = kind.from_wire(value)
    except ProtocolError:
        return
    assert kind.from_wire(made.to_wire()) == made


@pytest.mark.parametrize("value", [None, 3, "text", [], [1], float("nan")])
def test_what_is_no_object_is_a_protocol_error(value):
    with pytest.raises(ProtocolError, match="SegmentParams"):
        SegmentParams.from_wire(value)


@pytest.mark.parametrize(
    "changes",
    [
        {"image": None},
        {"image": 3},
        {"level": "0"},
        {"level": True},
        {"level": 0.5},
        {"learned": 1},
        {"stretch": {"bands": [1, 2], "low": [0, 0], "high": [1, 1]}},
        {"stretch": {"bands": [1], "low": [0], "high": [1], "gamma": 0}},
        {"finish": {"grow_m": float("inf")}},
        {"finish": []},
    ],
)
def test_each_field_has_its_type(changes):
    good = SegmentParams("a.tif", Prompts((Point(1.0, 2.0),)), "builtin").to_wire()
    SegmentParams.from_wire(good)
    with pytest.raises(ProtocolError):
        SegmentParams.from_wire({**good, **changes})


def test_what_is_missing_or_null_takes_its_default():
    made = ShapesParams.from_wire({"image": "a.tif", "shapes": [], "finish": None, "level": None})
    assert made == ShapesParams("a.tif", ())
