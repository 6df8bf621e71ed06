import pytest

from rasterlasso.contract import protocol
from rasterlasso.contract.client import MAX_ATTEMPTS, EngineClient, Replies
from rasterlasso.contract.errors import EngineCrashed, NothingFound, ProtocolError
from rasterlasso.contract.protocol import Cancel, Failure, Item, Progress, Ready, Result


class Conversation:
    """A client whose engine is the test."""

    def __init__(self):
        self.sent, self.heard = [], []
        self.client = EngineClient(
            lambda data: self.sent.append(protocol.decode(data)), lambda ready: self.heard.append("ready")
        )

    def request(self, name, channel=""):
        def tell(kind):
            return lambda *what: self.heard.append((name, kind, *what))

        replies = Replies(tell("result"), tell("failure"), tell("progress"), tell("cancelled"))
        return self.client.request("op", {"name": name}, replies, channel)

    def reply(self, *messages):
        self.client.feed(b"".join(map(protocol.encode, messages)))

    def ready(self):
        self.reply(Ready(protocol.PROTOCOL_VERSION, "1", 1))


@pytest.fixture
def talk():
    return Conversation()


def test_requests_wait_for_ready_and_replies_find_them(talk):
    first, second = talk.request("a"), talk.request("b")
    assert talk.sent == []
    talk.ready()
    assert [request.id for request in talk.sent] == [first, second]
    progress = Progress(second, "encode", 0.5)
    talk.reply(progress, Result(second, {"n": 2}), Failure(first, "NothingFound", {}, ""))
    assert talk.heard[:3] == ["ready", ("b", "progress", progress), ("b", "result", {"n": 2})]
    assert talk.heard[3][:2] == ("a", "failure")
    assert isinstance(talk.heard[3][2], NothingFound)
    assert not talk.client.busy


def test_lines_may_come_in_pieces(talk):
    talk.ready()
    asked = talk.request("a")
    for byte in protocol.encode(Result(asked, {"text": "ä\n"})):
        talk.client.feed(bytes([byte]))
    assert talk.heard[-1] == ("a", "result", {"text": "ä\n"})


def test_the_newest_of_a_channel_wins(talk):
    talk.ready()
    old, new = talk.request("old", "draft"), talk.request("new", "draft")
    other = talk.request("other")
    assert [request.revision for request in talk.sent] == [1, 2, 0]
    talk.reply(Result(old, {}), Result(new, {}), Result(other, {}))
    assert [what[:2] for what in talk.heard[1:]] == [("old", "cancelled"), ("new", "result"), ("other", "result")]


def test_cancelling_tells_the_engine_once(talk):
    talk.ready()
    asked = talk.request("a", "draft")
    talk.client.cancel_channel("draft")
    talk.client.cancel(asked)
    assert talk.sent[1:] == [Cancel(asked)]
    assert talk.heard[1:] == [("a", "cancelled")]


def test_what_was_under_way_is_sent_again_after_a_crash(talk):
    talk.ready()
    done, lost = talk.request("done"), talk.request("lost")
    talk.reply(Result(done, {}))
    talk.client.feed(b'{"type":"resu')
    talk.client.disconnected()
    late = talk.request("late")
    talk.ready()
    assert [request.id for request in talk.sent] == [done, lost, lost, late]


def test_an_engine_that_dies_of_a_request_is_not_given_it_for_ever(talk):
    asked = talk.request("poison")
    for _ in range(MAX_ATTEMPTS):
        talk.ready()
        talk.client.disconnected()
    assert [request.id for request in talk.sent] == [asked] * MAX_ATTEMPTS
    assert isinstance(talk.heard[-1][2], EngineCrashed)
    assert not talk.client.busy


def test_abandoned_requests_fail(talk):
    talk.request("a")
    talk.client.abandon(NothingFound())
    assert talk.heard[0][:2] == ("a", "failure")


def test_an_engine_of_another_protocol_is_refused(talk):
    with pytest.raises(ProtocolError, match="version 99"):
        talk.reply(Ready(99, "1", 1))


BROKEN = (
    b'{"type":"result","id":%d}',
    b'{"type":"result","id":%d,"value":null}',
    b'{"type":"progress","id":%d,"stage":1,"fraction":0.5}',
    b'{"type":"failure","id":%d,"code":7}',
    b'{"type":"result","id":%d,"value":{"wkb_hex":',
)


@pytest.mark.parametrize("line", BROKEN)
def test_an_answer_that_can_not_be_read_ends_its_request_alone(talk, line):
    talk.ready()
    broken, other = talk.request("broken", "draft"), talk.request("other")
    talk.client.feed(line % broken + b"\n")
    assert talk.heard[1][:2] == ("broken", "failure")
    assert isinstance(talk.heard[1][2], ProtocolError)
    assert talk.sent[-1] == Cancel(broken)
    talk.reply(Result(broken, {}), Result(other, {}))
    assert [what[:2] for what in talk.heard[2:]] == [("other", "result")]
    assert not talk.client.busy


@pytest.mark.parametrize("message", [Result(1, {"score": "high"}), Progress(1, "refine", 0.0, {}), Item(1, {})])
def test_an_answer_that_is_not_what_was_asked_for_ends_its_request(talk, message):
    def refuse(what):
        raise ProtocolError(reason="not that")

    failures = []
    talk.ready()
    talk.client.request("op", {}, Replies(refuse, failures.append, refuse, item=refuse))
    talk.reply(message)
    [error] = failures
    assert isinstance(error, ProtocolError)
    assert not talk.client.busy


def test_a_line_about_nothing_is_for_the_owner_to_judge(talk):
    talk.ready()
    talk.request("a")
    with pytest.raises(ProtocolError):
        talk.client.feed(b"Traceback (most recent call last):\n")
    assert talk.client.busy


def test_what_is_asked_as_soon_as_the_engine_is_ready_is_sent_once():
    sent = []

    def ask_for_models(ready):
        client.request("models", {}, Replies(lambda value: None, lambda error: None))

    client = EngineClient(lambda data: sent.append(protocol.decode(data)), ask_for_models)
    client.request("segment", {}, Replies(lambda value: None, lambda error: None))
    client.feed(protocol.encode(Ready(protocol.PROTOCOL_VERSION, "1", 1)))
    assert [request.op for request in sent] == ["segment", "models"]
