"""``POST /v1/cmcd``: what players report is answered at once, and counts for their sessions."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from gateway.app import Application
from gateway.background.reports import ReportReader, measurements
from gateway.client.cmcd_report import Report
from gateway.client.estimate import Sample
from gateway.client.prior import network_name
from gateway.play.report_queue import OVERHEAD_BYTES
from gateway.play.reports import MAX_BODY_BYTES
from gateway.play.request import Headers
from gateway.store.connection.keys import REPORTS, session_name, shown_session
from tests.integration.in_process import application, asking
from tests.unit.store.servers import until, valkey

REASONS = ("off", "budget", "overflow", "unreadable", "anonymous", "store", "fault", "shutdown")
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
CMCD = {"Content-Type": "application/cmcd"}


@dataclass
class Running:
    """An application whose background tasks run, and a client of it."""

    app: Application
    client: httpx.AsyncClient

    async def report(self, body: str | bytes, **given: str) -> httpx.Response:
        """Post a body; ``given`` are headers."""
        headers = CMCD | {name.replace("_", "-"): value for name, value in given.items()}
        return await self.client.post("/v1/cmcd", content=body, headers=headers)

    async def read(self) -> None:
        """Wait until no report waits."""
        for _ in range(200):
            await asyncio.sleep(0.005)
            if not len(self.app.gateway.reports):
                await asyncio.sleep(0.005)  # what was taken last
                return
        raise AssertionError("the reports are not read")

    def samples(self, session: str) -> tuple[Sample, ...]:
        """What is known of the speed of a session."""
        record = self.app.gateway.sessions.fresh(session)
        return () if record is None else record.estimate.samples


@pytest_asyncio.fixture
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """The shipped defaults, with what a test changes in the environment."""
    app = application(environ=getattr(request, "param", None))
    async with app.lifespan(app), asking(app) as client:
        yield Running(app, client)


def counted() -> dict[str, float]:
    """The reports that were dropped so far, by reason."""
    only = REGISTRY.restricted_registry(["gateway_cmcd_reports_dropped_total"])
    samples = [sample for family in only.collect() for sample in family.samples]
    found = {sample.labels["reason"]: sample.value for sample in samples}
    return {reason: found.get(reason, 0.0) for reason in REASONS}


def dropped_since(before: dict[str, float]) -> dict[str, float]:
    """What was dropped since then."""
    now = counted()
    return {reason: now[reason] - was for reason, was in before.items() if now[reason] != was}


async def test_a_report_decides_the_next_playlist(running: Running) -> None:
    """The measurement of an event is a sample of its session, as that of a request is."""
    answer = await running.report('e=t,mtp=(900;v),sid="one",ts=1800000000000,v=2\n')
    assert (204, b"") == (answer.status_code, answer.content)
    assert "content-type" not in answer.headers
    assert "*" == answer.headers["Access-Control-Allow-Origin"]
    await running.read()
    played = await running.client.get("/v1/play/film.m3u8?session=one")
    assert "speed=900;src=session" in played.headers["Gateway-Decision"]


async def test_a_batch_is_read_as_a_whole(running: Running) -> None:
    """Each line counts for its own session. The time between reports is the player's; its clock may
    be wrong by years."""
    lines = [
        f'mtp=({speed}),sid="s{speed % 2}",ts={speed * 20_000},v=2' for speed in range(100, 105)
    ]
    await running.report("\r\n".join(lines))
    await running.read()
    even, odd = running.samples("s0"), running.samples("s1")
    assert ([100, 102, 104], [101, 103]) == ([s.kbps for s in even], [s.kbps for s in odd])
    assert [40, 40] == [later.time_s - earlier.time_s for earlier, later in pairwise(even)]


T_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
AGES: list[tuple[str, list[int | None], list[float]]] = [
    ("in order", [T_MS - 30_000, T_MS - 15_000, T_MS], [30, 15, 0]),
    ("without a time", [None, None], [0, 0]),
    ("some without", [T_MS - 30_000, None, T_MS - 10_000, T_MS, None], [30, 10, 10, 0, 0]),
    ("a paused player", [T_MS - 3 * HOUR_MS, T_MS], [10_800, 0]),
    ("set back", [T_MS + 2 * HOUR_MS, T_MS - 15_000, T_MS], [15, 15, 0]),
    ("set forward", [60_000, T_MS - 15_000, T_MS], [(T_MS - 60_000) / 1000, 15, 0]),
    ("one in microseconds", [T_MS - 30_000, T_MS * 1000, T_MS], [30, 0, 0]),
    ("one that cannot be", [T_MS - 20_000, T_MS - 10_000, 5, T_MS], [20, 10, (T_MS - 5) / 1000, 0]),
    ("the last in seconds", [T_MS - 30_000, T_MS // 1000], [0, 0]),
]


@pytest.mark.parametrize(
    ("times_ms", "ages_s"), [row[1:] for row in AGES], ids=[row[0] for row in AGES]
)
def test_how_old_measurements_are(times_ms: list[int | None], ages_s: list[float]) -> None:
    """The last one is new, whatever the clock says; those before it are no newer."""
    reports = [Report(speed_kbps=at, time_ms=time_ms) for at, time_ms in enumerate(times_ms)]
    found = dict(measurements([*reports, Report(starved=True)], 2e9))
    assert ages_s == [pytest.approx(2e9 - found[at]) for at in range(len(reports))]


async def test_the_url_may_name_the_session(running: Running) -> None:
    """As in a request for a playlist, it wins over the sid. A malformed query does not matter."""
    for query in ("session=url", "session=%00&max_bitrate=x"):
        body = 'mtp=(800),sid="sid",v=2'
        answer = await running.client.post(f"/v1/cmcd?{query}", content=body, headers=CMCD)
        assert 204 == answer.status_code
    await running.read()
    assert [800] == [sample.kbps for sample in running.samples("url")]
    assert [800] == [sample.kbps for sample in running.samples("sid")]


@pytest.mark.parametrize(
    "media_type",
    ["application/cmcd", "Application/CMCD; charset=utf-8", "text/cmcd", "application/json", ""],
)
async def test_media_types_of_reports(running: Running, media_type: str) -> None:
    """That of the standard, those of its drafts, and none."""
    body = '[{"mtp": 700, "sid": "a"}]' if "json" in media_type else 'mtp=700,sid="a"'
    assert 204 == (await running.report(body, Content_Type=media_type)).status_code
    await running.read()
    assert [700] == [sample.kbps for sample in running.samples("a")]


@pytest.mark.parametrize(
    "given",
    [
        {"Content_Type": "text/plain"},
        {"Content_Type": "multipart/form-data; boundary=x"},
        {"Content_Type": "\x01"},
        {"Content_Encoding": "gzip"},
    ],
)
async def test_other_bodies_are_refused(running: Running, given: dict[str, str]) -> None:
    """415, with what is allowed."""
    answer = await running.report('mtp=700,sid="a"', **given)
    assert 415 == answer.status_code
    assert "unsupported-media-type" in answer.json()["type"]
    allowed = answer.headers.get("Accept-Post", answer.headers.get("Accept-Encoding"))
    assert allowed in {"application/cmcd, text/cmcd, application/json", "identity"}


async def test_only_post(running: Running) -> None:
    answer = await running.client.get("/v1/cmcd")
    assert (405, "OPTIONS, POST") == (answer.status_code, answer.headers["Allow"])


@pytest.mark.parametrize("size", [0, 1, MAX_BODY_BYTES, MAX_BODY_BYTES + 1])
async def test_sizes(running: Running, size: int) -> None:
    """1 MiB is a batch, and one byte more is not."""
    answer = await running.report(b"x" * size)
    assert (413 if size > MAX_BODY_BYTES else 204) == answer.status_code
    if size > MAX_BODY_BYTES:
        assert "body-too-large" in answer.json()["type"]


GARBAGE = [
    b"",
    b"\n\n\n",
    b"\xff\xfe\x00",
    b"(((((",
    b'"' * 1000,
    b"[" * 5000,
    b"[{}]",
    b"null",
    b"mtp=,sid=;v=2",
    b"v=3,mtp=5",
]


@pytest.mark.parametrize("body", GARBAGE)
async def test_garbage_is_answered_like_a_report(running: Running, body: bytes) -> None:
    """It is counted, and the reports after it are read."""
    assert 204 == (await running.report(body)).status_code
    await running.report('mtp=600,sid="after"')
    await running.read()
    assert [600] == [sample.kbps for sample in running.samples("after")]


async def test_what_cannot_be_used_is_counted(running: Running) -> None:
    """Lines that cannot be read, and reports of nobody."""
    before = counted()
    await running.report('?\nmtp=500\nv=9\nmtp=500,sid="x"\n')
    await running.read()
    assert {"unreadable": 2, "anonymous": 1} == dropped_since(before)
    assert [500] == [sample.kbps for sample in running.samples("x")]


@pytest.mark.parametrize("running", [{"GATEWAY_CMCD__NETWORK_REPORTS_PER_S": "2"}], indirect=True)
async def test_a_network_over_its_budget(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reports are dropped and counted, the answer stays the same; others are read."""
    stopped = SimpleNamespace(monotonic=lambda: 1e6, time=time.time)  # no budget refills
    monkeypatch.setattr("gateway.play.reports.time", stopped)
    before = counted()
    for number in range(25):
        answer = await running.report(f'mtp=400,sid="n{number}"', X_Forwarded_For="103.4.145.245")
        assert 204 == answer.status_code
    assert {"budget": 5} == dropped_since(before)
    await running.report('mtp=400,sid="other"', X_Forwarded_For="129.240.2.6")
    await running.read()
    assert running.samples("n19")
    assert not running.samples("n20")
    assert running.samples("other")


@pytest.mark.parametrize("running", [{"GATEWAY_CMCD__NETWORK_REPORTS_PER_S": "2"}], indirect=True)
async def test_large_reports_count_more(running: Running) -> None:
    """A network cannot send a megabyte a second in one line."""
    before = counted()
    await running.report(b"x" * 100_000)
    assert {"budget": 1} == dropped_since(before)


@pytest.mark.parametrize("running", [{"GATEWAY_CMCD__NETWORK_REPORTS_PER_S": "2"}], indirect=True)
async def test_of_a_batch_over_budget_the_first_reports_are_read(running: Running) -> None:
    """Lines, and objects in JSON, also behind white space."""
    objects = json.dumps([{"mtp": 400, "sid": f"m{number}"} for number in range(30)])
    for network, body in (
        ("103.4.145.245", "\n".join(f'mtp=400,sid="n{number}"' for number in range(30))),
        ("129.240.2.6", objects),
        ("198.51.100.7", " \r\n" + objects.replace(': "m', ': "x')),
    ):
        before = counted()
        await running.report(body, X_Forwarded_For=network)
        assert {"budget": 10} == dropped_since(before)
    await running.read()
    read = [bool(running.samples(f"{kind}{at}")) for kind in "nmx" for at in (0, 19, 20)]
    assert [True, True, False] * 3 == read


async def test_a_full_batch_of_reports_is_read(running: Running) -> None:
    """1 MiB, as a player sends after a time without a network; of one session or of many."""
    line = 'bl=(12000),br=(2000;v 128;a),cid="film",e=t,mtp=(8400;v),sid="{}",sn=12,ts={},v=2'
    line += " " * 200
    for sids in (1, 50):
        lines = (line.format(f"{sids}-{n % sids}", n * 1000) for n in range(100_000))
        body = "\n".join(fitting_lines(lines, MAX_BODY_BYTES))
        before, read = counted(), REGISTRY.get_sample_value("gateway_cmcd_reports_total") or 0.0
        assert 204 == (await running.report(body)).status_code
        await running.read()
        await until(lambda: bool(running.samples(f"{sids}-{sids - 1}")))  # noqa: B023
        now = REGISTRY.get_sample_value("gateway_cmcd_reports_total") or 0.0
        assert {} == dropped_since(before)
        assert body.count("\n") + 1 == now - read


def fitting_lines(lines: Iterator[str], most: int) -> Iterator[str]:
    """The first lines that fit in so many bytes, with the line ends between them."""
    for line in lines:
        most -= len(line) + 1
        if most < 0:
            return
        yield line


@pytest.mark.parametrize("running", [{"GATEWAY_CMCD__QUEUE_BYTES": "4096"}], indirect=True)
async def test_more_than_may_wait_is_dropped(running: Running) -> None:
    """The queue is bounded in bytes; what waits is read later."""
    before = counted()
    fitting = 4096 // (OVERHEAD_BYTES + 20)
    line = 'mtp=400,sid="n",v=2'
    answers = await asyncio.gather(*(running.report(line) for _ in range(fitting + 2)))
    assert {204} == {answer.status_code for answer in answers}
    assert {"overflow": 2} == dropped_since(before)
    await running.read()
    assert running.samples("n")


@pytest.mark.parametrize("running", [{"GATEWAY_CMCD__ENABLED": "false"}], indirect=True)
async def test_reports_can_be_off(running: Running) -> None:
    """They are answered, and not read."""
    before = counted()
    assert 204 == (await running.report('mtp=400,sid="a"\nmtp=400,sid="a"')).status_code
    assert {"off": 2} == dropped_since(before)
    assert not running.samples("a")


async def test_what_is_kept_of_playback(running: Running) -> None:
    """State, counts and the start delay; an edge by its id, and no text that nobody listed. What a
    request for a playlist says is kept as well."""
    body = (
        'bs,cdn="us-east-1",msd=812,sid="one",sta=p,ts=1000,v=2\n'
        'e=e,ec=("MEDIA_ERR" "secret"),sid="one",ts=2000,v=2\n'
    )
    for _ in range(2):  # sent again, as the answer to the first was lost
        await running.report(body)
    await running.read()
    record = running.app.gateway.sessions.fresh("one")
    assert record is not None
    playback = record.playback
    assert playback is not None
    assert ("p", "us-east-1", 1, 2, (), 812) == (
        playback.state,
        playback.cdn,
        playback.stalls,
        playback.errors,
        playback.error_codes,
        playback.start_delay_ms,
    )
    await running.client.get("/v1/play/film.m3u8?CMCD=sid%3D%22one%22%2Cbs%2Cv%3D2")
    after = running.app.gateway.sessions.fresh("one")
    assert after is not None
    assert after.playback is not None
    assert (2, 1) == (after.playback.stalls, len(after.places))


@pytest.mark.parametrize(
    "running",
    [{"GATEWAY_CMCD__ERROR_CODES": '["MEDIA_ERR"]', "GATEWAY_CMCD__CDN_NAMES": '["mine"]'}],
    indirect=True,
)
async def test_listed_text_is_kept(running: Running) -> None:
    """The names that the config lists."""
    await running.report('cdn="mine",ec=("MEDIA_ERR" "OTHER"),sid="one",v=2')
    await running.read()
    record = running.app.gateway.sessions.fresh("one")
    assert record is not None
    assert record.playback is not None
    assert ("mine", ("MEDIA_ERR",)) == (record.playback.cdn, record.playback.error_codes)
    assert b"OTHER" not in record.to_bytes()


@pytest.mark.parametrize("running", [{"GATEWAY_CMCD__KEEP_PLAYBACK": "false"}], indirect=True)
async def test_playback_need_not_be_kept(running: Running) -> None:
    """The measurement counts all the same."""
    await running.report('bs,mtp=(500),sid="one",v=2')
    await running.client.get("/v1/play/film.m3u8?CMCD=sid%3D%22one%22%2Cbs%2Cv%3D2")
    await running.read()
    record = running.app.gateway.sessions.fresh("one")
    assert record is not None
    assert record.playback is None
    assert [500] == [sample.kbps for sample in running.samples("one")]


async def test_workers_share_what_was_reported(tmp_path: Path) -> None:
    """Through the store, under a hash of the session. While the store is frozen, players are
    answered, and what is not shared is counted."""
    with valkey(tmp_path) as server:
        environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "500"}
        first, second = application(environ=environ), application(environ=environ)
        async with first.lifespan(first), second.lifespan(second), asking(first) as client:
            running = Running(first, client)
            await running.report('bs,mtp=(500),sid="viewer-name",v=2')
            await until(lambda: bool(running.samples("viewer-name")))
            await first.gateway.store.flush()
            record, trouble = await second.gateway.sessions.get("viewer-name")
            assert (trouble, [500]) == (None, [s.kbps for s in record.estimate.samples])
            assert record.playback is not None
            assert 1 == record.playback.stalls
            before = counted()
            server.freeze()
            answer = await running.report('bs,mtp=(500),sid="late",v=2')
            assert 204 == answer.status_code
            await until(lambda: dropped_since(before) == {"store": 1})
            server.thaw()


async def test_reports_for_other_programs(tmp_path: Path) -> None:
    """The keys that the config lists, under the hash that decision events have. While Redis does
    not take them, they are lost and counted, and nobody waits."""
    with valkey(tmp_path) as server:
        environ = {
            "GATEWAY_STORE__URL": server.url,
            "GATEWAY_STORE__TIMEOUT_MS": "500",
            "GATEWAY_CMCD__STREAM": "true",
            "GATEWAY_CMCD__STREAM_KEYS": '["br", "mtp", "e", "com.example-a"]',
            "GATEWAY_CMCD__STREAM_MAX_LENGTH": "100",
        }
        app = application(environ=environ)
        async with app.lifespan(app), asking(app) as client:
            running = Running(app, client)
            line = 'br=(5000;v 128),cid="secret",com.example-a="b",e=t,mtp=(500),sid="one",v=2'
            written = streamed("written")
            await running.report(f"{line}\n?\nmtp=5\n")
            await until(lambda: streamed("written") == written + 1)
            with server.client() as redis:
                found = cast("list[tuple[bytes, dict[bytes, bytes]]]", redis.xrange(REPORTS))
            ((_, entry),) = found
            assert shown_session(session_name("one")).encode() == entry[b"session"]
            assert b"1" == entry[b"v"]
            assert abs(int(entry[b"time"]) / 1000 - time.time()) < 60
            expected = {"br": [{"v": True, "value": 5000}, 128], "com.example-a": "b", "e": "t"}
            assert expected | {"mtp": [500]} == json.loads(entry[b"report"])
            await running.report(f"{line}\n" * 1000)
            await until(lambda: streamed("written") == written + 1001)
            with server.client() as redis:
                assert 100 <= cast("int", redis.xlen(REPORTS)) < 300
            lost = streamed("lost")
            server.freeze()
            assert 204 == (await running.report(line)).status_code
            await until(lambda: streamed("lost") == lost + 1)
            server.thaw()


TWO_EDGES = """
[[edges]]
id = "one"
url = "https://one.example/"
fallback = true
[[edges]]
id = "two"
url = "https://two.example/"
fallback = true
[cmcd]
avoid_poor_edges = AVOID
poor_edge_viewers = 5
slow_start_ms = 4000
"""
TROUBLES = ["bs", 'ec=("x")', "msd=4001"]


@pytest.mark.parametrize("avoid", [True, False])
async def test_an_edge_with_trouble_comes_last_for_its_network(tmp_path: Path, avoid: bool) -> None:
    """New viewers of a network get another edge than the one on which its viewers report trouble.
    Other networks do not, nor does a session that plays from it."""
    config = tmp_path / "gateway.toml"
    config.write_text(TWO_EDGES.replace("AVOID", str(avoid).lower()))
    app = application(config)

    async def edge_of(asset: str, address: str, query: str = "") -> str:
        headers = {"X-Forwarded-For": address}
        answer = await client.get(f"/v1/play/{asset}.m3u8{query}", headers=headers)
        found = re.search('edge="(.*?)"', answer.headers["Gateway-Decision"])
        return "" if found is None else found[1]

    async with app.lifespan(app), asking(app) as client:
        running = Running(app, client)
        viewers = [f"129.240.{number}.5" for number in range(6)]
        assets = [f"film-{number}" for number in range(20)]
        before = {asset: await edge_of(asset, viewers[0]) for asset in assets}
        sessions = [f"?session={number}" for number in range(20)]
        placed = [await edge_of("film", viewers[0], session) for session in sessions]
        for number, viewer in enumerate(viewers):
            trouble = TROUBLES[number % len(TROUBLES)]
            body = f'cdn="one",{trouble},sid="a{number}"\ncdn="two",msd=4000,sid="b{number}"'
            await running.report(body, X_Forwarded_For=viewer)
        await running.read()
        after = {asset: await edge_of(asset, viewers[0]) for asset in assets}
        elsewhere = {asset: await edge_of(asset, "103.4.145.245") for asset in assets}
        assert {"one", "two"} == set(before.values())
        assert ({"two"} if avoid else {"one", "two"}) == set(after.values())
        assert {"one", "two"} == set(elsewhere.values())
        assert placed == [await edge_of("film", viewers[0], session) for session in sessions]


def streamed(outcome: str) -> float:
    """The reports for the stream, by outcome."""
    found = REGISTRY.get_sample_value("gateway_cmcd_stream_total", {"outcome": outcome})
    return found or 0.0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", '"gw-1";mb=1200'),
        ("?speed=4800.4", '"gw-1";etp=4800;mb=1200'),
        ("?speed=700", '"gw-1";etp=700;mb=200'),
    ],
)
@pytest.mark.parametrize("running", [{"GATEWAY_CMCD__CMSD_NAME": "gw-1"}], indirect=True)
async def test_the_player_is_told_of_its_network(
    running: Running, query: str, expected: str
) -> None:
    """CMSD-Dynamic: the throughput that decided, and the best rung in the answer (D4.2)."""
    answer = await running.client.get(f"/v1/play/film.m3u8{query}", headers={"User-Agent": PHONE})
    assert expected == answer.headers["CMSD-Dynamic"]
    again = {"User-Agent": PHONE, "If-None-Match": answer.headers["ETag"]}
    unchanged = await running.client.get(f"/v1/play/film.m3u8{query}", headers=again)
    assert (304, expected) == (unchanged.status_code, unchanged.headers["CMSD-Dynamic"])


@pytest.mark.parametrize("running", [{"GATEWAY_CMCD__CMSD_NAME": "gw-1"}], indirect=True)
async def test_a_prior_is_no_estimate_of_a_players_network(running: Running) -> None:
    """It is not about this player, so it is not told."""
    gateway = running.app.gateway
    headers = Headers({"user-agent": PHONE})
    sender = gateway.runtime.clients.sender("127.0.0.1", headers)
    device = gateway.runtime.clients.player(headers).device.kind
    gateway.priors.active = True
    gateway.priors.known = {network_name(sender.place, sender.prefix, device): 900}
    answer = await running.client.get("/v1/play/film.m3u8", headers={"User-Agent": PHONE})
    assert "src=prior" in answer.headers["Gateway-Decision"]
    assert '"gw-1";mb=1200' == answer.headers["CMSD-Dynamic"]


async def test_without_a_name_there_is_no_cmsd(running: Running) -> None:
    answer = await running.client.get("/v1/play/film.m3u8?speed=4800")
    assert "CMSD-Dynamic" not in answer.headers


async def test_what_was_not_read_at_the_end_is_counted() -> None:
    """A worker that ends does not lose reports silently."""
    app = application()
    before = counted()
    async with asking(app) as client:
        await client.post("/v1/cmcd", content='sid="a"\nsid="b"', headers=CMCD)
    ReportReader(app.gateway).finish()
    assert {"shutdown": 2} == dropped_since(before)


async def test_one_viewer_counts_once_in_the_prior() -> None:
    """A batch of a player is one viewer of its network, as its request for a playlist is."""
    app = application()
    added: list[tuple[str, float]] = []
    gateway = app.gateway
    gateway.priors.active = True
    real = gateway.priors.add

    def add(network: str, viewer: int, kbps: float, now_s: float) -> None:
        added.append((network, kbps))
        real(network, viewer, kbps, now_s)

    gateway.priors.add = add  # type: ignore[method-assign]
    async with app.lifespan(app), asking(app) as client:
        running = Running(app, client)
        lines = 'mtp=0,sid="a"\nmtp=5000,sid="a"\nmtp=6000,sid="a"'
        for _ in range(2):
            await running.report(lines, X_Forwarded_For="103.4.145.245", User_Agent="x")
        await running.read()
        await client.get(
            "/v1/play/film.m3u8?speed=700",
            headers={"X-Forwarded-For": "103.4.145.245", "User-Agent": "x"},
        )
    assert [5000, 700] == [kbps for _, kbps in added]
    assert 1 == len({network for network, _ in added})
    assert re.fullmatch(r"\S+ BD \w+", added[0][0])
