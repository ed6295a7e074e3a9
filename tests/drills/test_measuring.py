"""What drills measure with: a gateway that lies, hangs or hangs up is found out."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.drills import report
from tests.drills.answers import Answer, fault
from tests.drills.drill import Bounds, Course, Drill, figures, percentile
from tests.drills.seen import LogReader, Seen, all_workers, avoids, logged, names
from tests.drills.stages import redis_stage
from tests.drills.table import DRILLS
from tests.drills.viewers import Plan, Sample, watching

EDGES = {"one": "https://one.example/", "two": "https://two.example/"}
VARIANT = "#EXT-X-STREAM-INF:BANDWIDTH=1\n"
GOOD = f"#EXTM3U\n## film version 1\n{VARIANT}https://one.example/film/240p.m3u8\n"
HEADERS = {
    "content-type": "application/vnd.apple.mpegurl",
    "gateway-decision": 'edge="one", rungs=1',
}


def copies(*pathways: str) -> bytes:
    """A steered playlist with a copy of its ladder for each of these edges."""
    variants = (
        f'#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID="{name}"\nhttps://{name}.example/film/a.m3u8\n'
        for name in pathways
    )
    return ("#EXTM3U\n" + "".join(variants)).encode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200, HEADERS, GOOD.encode()), ""),
        (Answer(304, HEADERS, b""), "status 304"),
        (Answer(200, {**HEADERS, "content-type": "text/html"}, b""), "content type text/html"),
        (
            Answer(200, {**HEADERS, "gateway-decision": ""}, GOOD.encode()),
            "names no edge of ours: ''",
        ),
        (Answer(200, HEADERS, b"<html>"), "not a playlist"),
        (Answer(200, HEADERS, b"#EXTM3U\n"), "no variants"),
        (
            Answer(200, HEADERS, b"#EXTM3U\n#EXTINF:1,\nhttps://one.example/film/1.ts\n"),
            "no variants",
        ),
        (Answer(200, HEADERS, GOOD.replace("## film", "## song").encode()), "the playlist of song"),
        (
            Answer(200, HEADERS, GOOD.replace("/film/", "/song/").encode()),
            "https://one.example/song/240p.m3u8 is not below https://one.example/film/",
        ),
        (
            Answer(200, HEADERS, GOOD.replace("one.example", "two.example").encode()),
            "https://two.example/film/240p.m3u8 is not below https://one.example/film/",
        ),
        (Answer(200, HEADERS, copies("one", "two")), ""),
        (Answer(200, HEADERS, copies("two", "one")), "the first pathway is two, not one"),
        (
            Answer(200, HEADERS, copies("one", "two").replace(b"//two.", b"//one.")),
            "https://one.example/film/a.m3u8 is not below https://two.example/film/",
        ),
        (
            Answer(200, HEADERS, copies("one", "six")),
            "names a pathway that is no edge of ours: 'six'",
        ),
    ],
)
def test_what_is_wrong_with_an_answer(answer: Answer, expected: str) -> None:
    """Only a multivariant playlist of the title, all on the edge that is named, is right."""
    assert expected == fault("film", EDGES, answer)


@contextlib.contextmanager
def gateway_that(*turns: str, hang_s: float = 0.0) -> Iterator[str]:
    """A server, one request for each connection: each is answered as its turn says, and all after
    the last turn as that one does."""
    body = GOOD.encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    good = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            number = 0
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    turn = turns[min(number, len(turns) - 1)]
                    number += 1
                    connection.recv(65536)
                    if turn == "hang":
                        time.sleep(hang_s)
                    if turn != "hang up":
                        connection.sendall(
                            good.replace(b"film", b"song") if turn == "lie" else good
                        )

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def answers_of(url: str, seconds: float, **changes: Any) -> list[Sample]:
    """What viewers get at a rate of 50 a second."""
    plan: dict[str, Any] = {
        "url": url,
        "edges": EDGES,
        "assets": ("film",),
        "addresses": ("192.0.2.1",),
        "rate": 50.0,
    }
    with watching(Plan(**{**plan, **changes})) as viewers:
        while not viewers.samples:
            time.sleep(0.01)
        time.sleep(seconds)
    return sorted(viewers.samples, key=lambda one: one.due)


def test_a_hang_is_seen_by_all_who_would_have_asked() -> None:
    """Latencies count from when requests are due, and these keep coming: a server that hangs for
    half a second makes the next 25 requests late, not one."""
    with gateway_that("good", "good", "hang", "good", hang_s=0.5) as url:
        samples = answers_of(url, 1.2)
    late = [one for one in samples if one.latency_ms > 50]
    assert {""} == {one.fault for one in samples}
    assert 15 <= len(late)
    rates = [after.due - before.due for before, after in pairwise(samples)]
    assert [pytest.approx(0.02)] * len(rates) == rates


def test_lies_and_lost_connections_are_told_apart() -> None:
    """A lost connection is asked again, and counted; a wrong playlist is a failure."""
    with gateway_that("hang up", "good") as url:
        samples = answers_of(url, 0.3)
    assert (1, {""}) == (sum(one.lost for one in samples), {one.fault for one in samples})
    with gateway_that("lie") as url:
        lies = answers_of(url, 0.1)
    assert {"the playlist of song"} == {one.fault for one in lies}
    with gateway_that("hang up") as url:
        silence = answers_of(url, 0.1)
    assert {0} == {one.status for one in silence}
    assert all(one.fault.startswith("connection lost") and one.lost == 4 for one in silence)


def sample(sent: float, **changes: Any) -> Sample:
    """An answer that took 10 ms."""
    members: dict[str, Any] = {
        "due": sent,
        "sent": sent,
        "done": sent + 0.01,
        "viewer": 0,
        "asset": "film",
        "known": True,
        "status": 200,
        "edge": "two",
        "decision": "",
        "fault": "",
        "refused": False,
        "lost": 0,
    }
    return Sample(**{**members, **changes})


DRILL = Drill(
    name="a-drill",
    group="Drills",
    staging=redis_stage,
    broken="It breaks.",
    mended="It is mended.",
    expected="Nothing.",
    break_it=lambda _: None,
    mend_it=lambda _: None,
    reacted=names("one"),
    recovered=names("one"),
    bounds=Bounds(react_s=1.0, recover_s=2.0, added_p99_ms=100.0, lost=1),
    dead=("one",),
    wrong=lambda one: "odd" if one.asset == "odd" else "",
)
"""Broken at 10, held until 20, mended at 21, measured from 5 on."""


def course(*samples: Sample, **changes: Any) -> Course:
    """A course with a good answer before and during."""
    moments: dict[str, Any] = {
        "began": 5.0,
        "broken": 10.0,
        "reacted": 10.5,
        "held": 20.0,
        "mended": 21.0,
        "recovered": 22.0,
    }
    return Course(samples=(sample(6), sample(11), *samples), **{**moments, **changes})


@pytest.mark.parametrize(
    ("one", "failures"),
    [
        (sample(12), 0),
        (sample(4, fault="before it counts"), 0),
        (sample(6, fault="any"), 1),
        (sample(23, fault="any"), 1),
        (sample(11.9, edge="one"), 0),
        (sample(12.1, edge="one"), 1),
        (sample(20.1, edge="one"), 0),
        (sample(12, asset="odd"), 1),
        (sample(10.1, asset="odd"), 0),
        (sample(12, known=False, refused=True, status=504, edge=""), 0),
        (sample(6, known=False, refused=True, status=504, edge=""), 1),
        (sample(21.5, known=False, refused=True, status=504, edge=""), 0),
        (sample(22.5, known=False, refused=True, status=504, edge=""), 1),
    ],
)
def test_what_fails(one: Sample, failures: int) -> None:
    """Faults at any time; a dead edge after two seconds; a refusal when all is well."""
    assert failures == len(figures(DRILL, course(one)).failures)


@pytest.mark.parametrize(
    ("given", "misses"),
    [
        (course(), ()),
        (course(reacted=11.5), ("reacted after 1.50 s; allowed: 1 s",)),
        (course(reacted=None), ("never reacted",)),
        (course(recovered=24.0), ("recovered after 3.00 s; allowed: 2 s",)),
        (course(recovered=None), ("never recovered",)),
        (course(sample(12, done=12.5)), ("p99 grew by 490 ms; allowed: 100 ms",)),
        (course(sample(12, done=12.5, known=False)), ()),
        (course(sample(12, lost=2)), ("2 connections were lost; allowed: 1",)),
    ],
)
def test_what_turns_a_drill_red(given: Course, misses: tuple[str, ...]) -> None:
    """Every bound, each by itself; recovery counts from the mending."""
    shown = figures(DRILL, given)
    assert misses == (*shown.misses, *([shown.slow] if shown.slow else []))
    assert shown.is_inconclusive == bool(shown.slow)
    assert (not misses) == shown.green


def test_a_machine_that_was_too_busy_before_proves_nothing() -> None:
    """Neither that a reaction is late, nor that there is none; but a failure is one."""
    busy = sample(7, done=7.3)
    assert figures(DRILL, course(busy)).green
    assert figures(DRILL, course(busy, reacted=None)).is_inconclusive
    assert not figures(DRILL, course(busy)).is_inconclusive
    assert not figures(DRILL, course(sample(7, done=7.2), reacted=None)).is_inconclusive
    assert not figures(DRILL, course(busy, sample(12, fault="bad"), reacted=None)).is_inconclusive


def test_percentiles() -> None:
    """The value that a share does not exceed; of nothing, no number."""
    assert [99, 1, 5] == [
        percentile(values, 0.99) for values in ([*range(100)], [1], [5, 4, 3, 2, 1])
    ]
    assert math.isnan(percentile([], 0.99))


def state(at: float, pid: int, value: str) -> tuple[float, dict[str, Any]]:
    """A log line."""
    return at, {"event": "store_state", "state": value, "pid": pid}


LOG = (
    *(state(1, 7, "up"), state(2, 8, "up")),
    *(state(10, 7, "down"), state(11, 8, "down"), state(12, 7, "up"), state(14, 8, "up")),
)
SAMPLES = (sample(9, edge="one"), sample(10.5, edge="one"), sample(11), sample(13, edge="one"))


@pytest.mark.parametrize(
    ("sign", "since", "expected"),
    [
        (all_workers("store_state", "state", {"up"}), 5, 5),
        (all_workers("store_state", "state", {"down"}), 5, 11),
        (all_workers("store_state", "state", {"up"}), 11.5, 14),
        (all_workers("store_state", "state", {"readonly"}), 5, None),
        (all_workers("store_state", "state", {"up"}, url="other"), 5, None),
        (logged("store_state", state="down"), 5, 11),
        (logged("store_state", each=1, state="down"), 5, 10),
        (logged("store_state", state="down"), 10.5, None),
        (avoids("one"), 10, 13.01),
        (avoids("two"), 12, 12),
        (names("one"), 10, 10.51),
        (names("one", "two"), 10, 11.01),
        (names("one"), 13, None),
    ],
)
def test_when_something_shows(sign: Any, since: float, expected: float | None) -> None:
    """The first moment at which all workers, or all manifests, go by it."""
    found = sign(Seen(LOG, SAMPLES, workers=2, now=15.0), since)
    assert expected == (found if found is None else pytest.approx(found))


def test_a_line_counts_from_when_it_was_written() -> None:
    """However late it is read; but nothing counts as seen before the moment from which it is
    looked for."""
    log: list[dict[str, Any]] = []
    reader = LogReader(log)
    mark = reader.mark()
    for ahead_s in (-5.0, 0.02, 60.0):
        at = datetime.fromtimestamp(time.time() + ahead_s, UTC)
        log.append({"event": "e", "timestamp": at.isoformat().replace("+00:00", "Z")})
    time.sleep(0.1)
    log.append({"event": "not json"})
    early, right, late, without = (at - mark for at, _ in reader.read())
    assert 0 == early
    assert 0.01 < right < 0.1 <= late <= without
    assert [] == reader.read()


def test_an_edge_is_not_avoided_before_it_has_been_for_a_while() -> None:
    """The last manifest that names it may be yet to come."""
    assert avoids("one")(Seen((), SAMPLES, workers=2, now=13.5), 10) is None


def test_the_page_tells_of_these_drills() -> None:
    """``docs/failure-drills.md`` was written for the drills as they are now."""
    page = Path(__file__).parents[2].joinpath("docs", "failure-drills.md").read_text("utf-8")
    written = page.partition("## The last run")
    shown = figures(DRILL, course())
    expected = report.page([(drill, shown) for drill in DRILLS]).partition("## The last run")
    assert expected[0] == written[0]
    assert expected[2].partition("\n## ")[2] == written[2].partition("\n## ")[2]
    assert len({drill.name for drill in DRILLS}) == len(DRILLS)
