"""Lines put together from pieces, as both ends of the pipe do it."""

from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract.client import EngineClient, Replies
from rasterlasso.contract.lines import LineBuffer
from rasterlasso.contract.protocol import PROTOCOL_VERSION, Ready, Result, encode


@given(st.lists(st.binary(max_size=12)))
def test_lines_are_those_of_all_the_bytes(pieces):
    buffer = LineBuffer()
    lines = [line for piece in pieces for line in buffer.feed(piece)]
    assert [*lines, buffer.rest()] == b"".join(pieces).split(b"\n")


def test_what_was_begun_can_be_forgotten():
    buffer = LineBuffer()
    assert buffer.feed(b"half of a li") == []
    buffer.clear()
    assert buffer.feed(b"whole\n") == [b"whole"]


def test_a_message_of_many_megabytes_arrives_in_small_pieces():
    """Put together again with each piece, 40 MB took ten seconds of QGIS's own thread."""
    found = []
    client = EngineClient(lambda data: None, on_ready=lambda ready: None)
    client.feed(encode(Ready(PROTOCOL_VERSION, "0", 1)))
    number = client.request("segment", {}, Replies(result=found.append, failure=found.append))
    whole = encode(Result(number, {"wkb_hex": "a0" * 10_000_000}))
    for start in range(0, len(whole), 1 << 14):
        client.feed(whole[start : start + (1 << 14)])
    assert found == [{"wkb_hex": "a0" * 10_000_000}]
