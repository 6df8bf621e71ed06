"""The real engine process, over its pipe."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import shapely

from rasterlasso.contract import protocol
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.contract.protocol import Cancel, Cancelled, Failure, Notice, Progress, Ready, Request, Result
from rasterlasso.contract.requests import LearnParams, PrefetchParams, SegmentParams
from rasterlasso.engine.worker import Worker

LAUNCHER = Path(__file__).resolve().parents[2] / "engine" / "launch.py"
TIMEOUT = 60


class Engine:
    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-u", str(LAUNCHER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.watchdog = threading.Timer(TIMEOUT, self.process.kill)
        self.watchdog.start()

    def send(self, *messages):
        self.process.stdin.write(b"".join(map(protocol.encode, messages)))
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read().decode()
        return protocol.decode(line)

    def final(self, request_id):
        """The answer to a request, after its progress."""
        while True:
            message = self.receive()
            if getattr(message, "id", None) == request_id and not isinstance(message, Progress):
                return message

    def close(self):
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture
def engine():
    running = Engine()
    assert isinstance(running.receive(), Ready)
    yield running
    running.close()


def segment(request_id, image, points, revision=1, channel="draft"):
    params = SegmentParams(str(image), Prompts(tuple(Point(*point) for point in points)), "builtin", 0)
    return Request(request_id, "segment", params.to_wire(), channel, revision)


@pytest.fixture
def image(make_raster, field_image):
    """The field lies at x 500120..500360, y 4499640..4499800."""
    return make_raster(field_image)


INSIDE = (500_240.0, 4_499_720.0, True)


def test_a_click_becomes_a_polygon(engine, image):
    engine.send(segment(1, image, [INSIDE]))
    progress = engine.receive()
    assert isinstance(progress, Progress)
    value = engine.final(1).value
    polygon = shapely.from_wkb(value["wkb_hex"])
    assert polygon.is_valid
    assert polygon.bounds == pytest.approx((500_120, 4_499_640, 500_360, 4_499_800), abs=3)
    assert (value["model"], value["level"]) == ("builtin", 0)


def test_a_glance_answers_only_where_a_click_was_answered(engine, image):
    params = SegmentParams(str(image), Prompts((Point(*INSIDE),)), "builtin", 0)
    off = SegmentParams(str(image), Prompts((Point(0.0, 0.0),)), "builtin", 0)
    engine.send(Request(1, "glance", params.to_wire()))
    assert engine.final(1).value == {"found": None}
    engine.send(segment(2, image, [INSIDE]), Request(3, "glance", params.to_wire()), Request(4, "glance", off.to_wire()))
    clicked, glanced, missed = engine.final(2).value, engine.final(3).value["found"], engine.final(4).value["found"]
    assert (glanced["wkb_hex"], glanced["others"]) == (clicked["wkb_hex"], clicked["others"])
    assert missed is None


def test_the_engine_learns_and_forgets(engine, image):
    half = shapely.to_wkb(shapely.box(500_120, 4_499_640, 500_240, 4_499_800), hex=True)
    asked = SegmentParams(str(image), Prompts((Point(*INSIDE),)), "builtin", 0, learned=True).to_wire()
    learn = LearnParams(str(image), half, "builtin", 0).to_wire()
    answers = []
    for number, request in enumerate(
        [("segment", asked), ("learn", learn), ("segment", asked), ("forget", {}), ("segment", asked)]
    ):
        engine.send(Request(number, *request))
        answers.append(engine.final(number).value)
    assert answers[1] == {"learnt": True}
    assert answers[2]["wkb_hex"] != answers[0]["wkb_hex"] == answers[4]["wkb_hex"]
    engine.send(Request(9, "learn", {**learn, "wkb_hex": "no geometry"}))
    assert engine.final(9).code == "ProtocolError"


def test_errors_cross_with_their_parameters(engine, image):
    engine.send(segment(1, image, [(0.0, 0.0, True)]))
    failure = engine.final(1)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.params["path"]) == ("PromptOutsideRaster", str(image))


def test_a_defect_is_reported_and_survived(engine):
    engine.send(Request(1, "segment", {"image": 3}), Request(2, "nonsense"))
    assert engine.final(1).code == "ProtocolError"
    assert engine.final(2).code == "ProtocolError"
    engine.send(Request(3, "models"))
    assert engine.final(3).value["models"][0]["name"] == "builtin"


def test_a_request_that_can_not_be_read_is_answered_and_the_reader_lives(engine):
    engine.process.stdin.write(b'{"type":"request","id":1,"op":"models","channel":"a","revision":"2"}\n')
    engine.process.stdin.write(b'{"type":"request","id":2,"op":"segment","params":{"image":Infinity}}\n')
    engine.process.stdin.write(b'{"type":"request","id":3,"op":"models","params":' + b"[" * 100_000 + b"\n")
    engine.send(Request(4, "models"))
    for number in (1, 3, 2):
        assert engine.final(number).code == "ProtocolError"
    assert engine.final(4).value["models"]


def test_lines_that_are_no_messages_are_passed_over(engine):
    engine.process.stdin.write(b"garbage\n\n{}\n\xff\xfe\n")
    engine.send(Request(1, "models"))
    assert isinstance(engine.final(1), Result)


def test_the_newest_revision_overtakes_older_ones(engine, make_raster):
    noise = np.random.default_rng(1).integers(0, 255, (3, 1500, 1500)).astype(np.uint8)
    big = make_raster(noise)
    points = [(500_000.0 + 40 * n, 4_499_000.0, True) for n in range(1, 8)]
    engine.send(*(segment(n, big, [points[n]], revision=n) for n in range(1, 7)))
    ends = {}
    while len(ends) < 6:
        message = engine.receive()
        if not isinstance(message, Progress):
            ends[message.id] = type(message)
    assert ends[6] is Result
    assert [ends[n] for n in range(2, 6)] == [Cancelled] * 4


def test_a_request_under_way_is_cancelled(engine, make_raster):
    noise = np.random.default_rng(1).integers(0, 255, (3, 1500, 1500)).astype(np.uint8)
    engine.send(segment(1, make_raster(noise), [(501_000.0, 4_499_000.0, True)]))
    assert isinstance(engine.receive(), Progress)
    engine.send(Cancel(1))
    assert isinstance(engine.final(1), Cancelled)


def test_the_end_of_input_ends_the_engine(engine):
    engine.process.stdin.close()
    assert engine.process.wait(10) == 0


def test_what_libraries_print_does_not_reach_the_pipe():
    code = (
        "import os\n"
        "from rasterlasso.engine import worker\n"
        "worker.Worker.work = lambda self: (print('noise'), os.write(1, b'more noise'))\n"
        "worker.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=b"", capture_output=True, timeout=TIMEOUT, check=True)
    [line] = done.stdout.splitlines()
    assert json.loads(line)["type"] == "ready"
    assert b"noise" in done.stderr


def test_the_engine_ends_in_order_while_its_input_is_open():
    code = "from rasterlasso.engine import worker\nworker.Worker.work = lambda self: None\nworker.main()\n"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(TIMEOUT) == 0


def test_a_killed_engine_is_replaced_and_the_draft_goes_on(image):
    """The client's bookkeeping over two real processes, the first of which is killed while it segments."""
    from rasterlasso.contract.client import EngineClient, Replies

    results, current = [], []

    def write(data):
        current[-1].process.stdin.write(data)
        current[-1].process.stdin.flush()

    client = EngineClient(write, lambda ready: None)
    params = SegmentParams(str(image), Prompts((Point(*INSIDE),)), "builtin", 0).to_wire()
    client.request("segment", params, Replies(results.append, results.append), "draft")
    for kill in (True, False):
        current.append(Engine())
        process = current[-1].process
        while not results and (line := process.stdout.readline()):
            client.feed(line)
            if kill and isinstance(protocol.decode(line), Progress):
                process.send_signal(signal.SIGKILL)
                process.wait()
                break
        client.disconnected()
        current[-1].close()
    [value] = results
    assert shapely.from_wkb(value["wkb_hex"]).contains(shapely.Point(INSIDE[:2]))


def test_a_view_is_encoded_while_nothing_is_asked_and_a_click_there_finds_its_tile(engine, image):
    where = PrefetchParams(str(image), "builtin", 0, (500_240, 4_499_720), (500_000, 4_499_400, 500_800, 4_500_000))
    engine.send(Request(1, "prefetch", where.to_wire(), "prefetch", 1))
    assert engine.final(1) == Result(1, {})
    glance = SegmentParams(str(image), Prompts((Point(500_240, 4_499_720),)), "builtin", 0).to_wire()
    for number in range(2, 200):
        engine.send(Request(number, "glance", glance, "hover", number))
        if engine.final(number).value["found"] is not None:
            break
        time.sleep(0.05)
    else:
        pytest.fail("never encoded")
    engine.send(segment(500, image, [(500_240, 4_499_720, True)]))
    stages = []
    while isinstance(message := engine.receive(), Progress):
        stages.append(message.stage)
    assert isinstance(message, Result)
    assert "encode" not in stages


def test_prefetching_what_can_not_be_read_is_no_matter(engine, image, tmp_path):
    where = PrefetchParams(str(tmp_path / "none.tif"), "builtin", 0, (0, 0), (0, 0, 1, 1))
    engine.send(Request(1, "prefetch", where.to_wire(), "prefetch", 1))
    assert engine.final(1) == Result(1, {})
    engine.send(Request(2, "prefetch", PrefetchParams().to_wire(), "prefetch", 2))
    assert engine.final(2) == Result(2, {})
    engine.send(segment(3, image, [(500_240, 4_499_720, True)]))
    assert isinstance(engine.final(3), Result)


def test_libraries_that_do_not_work_are_told_to_each_request(monkeypatch):
    monkeypatch.setitem(
        sys.modules, "rasterlasso.engine.segmenting.session", None
    )  # its import fails, as that of a broken library
    told, all_told = [], threading.Event()

    def send(message):
        told.append(message)
        if len(told) == 3:
            all_told.set()

    def lines():
        for number in (1, 2):
            yield protocol.encode(Request(number, "models", {}))
        assert all_told.wait(TIMEOUT)

    worker = Worker(send)
    reader = threading.Thread(target=worker.read, args=(lines(),))
    reader.start()
    worker.work()
    reader.join()
    notice, *answers = told
    assert isinstance(notice, Notice)
    assert [(each.id, each.code) for each in answers] == [(1, "EngineBroken"), (2, "EngineBroken")]
    assert all("doctor" in each.message for each in told)
