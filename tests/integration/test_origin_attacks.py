"""A player who picks ids for which the origin fails takes no title away from others."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.background import probe
from gateway.background.probe import (
    RECEIVE_BYTES,
    ProbeLimits,
    Prober,
    ProbeTarget,
    ResultKind,
)
from gateway.source.origin import origin as source_module
from gateway.source.origin.transport import MAX_HEAD_BYTES, READ_BYTES
from gateway.source.source import BadSourceError, NoSuchAssetError
from tests.background import in_background
from tests.integration.in_process import started
from tests.integration.origins import Mode, Origin
from tests.integration.test_origin import LIMITS, Worker, pair
from tests.unit.store.servers import listening, until

ATTACKER, VIEWER = "2001:db8:1:200::/56", "203.0.113.0/24"
AMPLE = replace(LIMITS, connect_timeout_s=5.0, read_timeout_s=1.0)
"""A machine that is busy takes long to connect, which is no failure of the origin."""
BAD_IDS = 81
GOOD_IDS = 65


class Picky(Origin):
    """An origin that has the titles ``good/…``, and answers everything else by ``mode``."""

    def mode_of(self, path: str) -> Mode:
        return self.modes.get(path) or (Mode() if path.startswith("/good/") else self.mode)


@asynccontextmanager
async def attacked(mode: Mode, **options: Any) -> AsyncIterator[tuple[Origin, Worker]]:
    """A worker that watches its origin, which treats all ids but the good ones by ``mode``."""
    async with Picky().listening() as it:
        given = {"request": AMPLE, "total_timeout_s": 3.0}
        one = Worker(it.url, **(given | options))
        it.wall = one.clock.unix
        it.mode = mode
        try:
            async with in_background(one.source.watch()):
                yield it, one
        finally:
            await one.source.close()


async def outcome(one: Worker, asset: str, client: str) -> str:
    """``ok``, or the name of the error that the client gets."""
    try:
        await one.source.load(asset, client)
    except (NoSuchAssetError, BadSourceError) as error:
        return type(error).__name__
    return "ok"


ILL_BEHAVED = {
    "500": Mode(status=500),
    "503": Mode(status=503),
    "503 for a minute": Mode(status=503, headers={"Retry-After": "60"}),
    "429": Mode(status=429, headers={"Retry-After": "60"}),
    "404": Mode(status=404),
    "403": Mode(status=403),
    "silent": Mode(silent=True),
    "slow": Mode(status=404, delay_s=0.8),
    "reset": Mode(reset=True),
    "cut": Mode(cut_after=20),
    "dripping": Mode(drip_bytes_per_s=5.0),
    "garbage": Mode(raw="\x00\x01 nothing like HTTP\r\n\r\n"),
    "html": Mode(html=True),
    "unplayable": Mode(body="#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=x\n"),
    "redirected to a dead host": Mode(redirect="http://127.0.0.1:1{path}"),
}


@pytest.mark.parametrize("mode", [ILL_BEHAVED[name] for name in ("500", "429", "404", "reset")])
async def test_nor_from_the_same_network(mode: Mode) -> None:
    """A household, or an office, has one address: the attacker's neighbours get what exists."""
    async with attacked(mode) as (_, one):
        attack = [
            asyncio.create_task(outcome(one, f"bad/{number}", VIEWER)) for number in range(BAD_IDS)
        ]
        found = [await outcome(one, f"good/{number}", VIEWER) for number in range(GOOD_IDS)]
        assert ["ok"] * GOOD_IDS == found
        await asyncio.gather(*attack)


async def test_the_last_one_goes_first() -> None:
    """Ids that are never answered hold up the next title of their own network only briefly."""
    async with attacked(Mode(silent=True)) as (_, one):
        attack = [
            asyncio.create_task(outcome(one, f"bad/{number}", VIEWER)) for number in range(BAD_IDS)
        ]
        await asyncio.sleep(0.05)
        assert "ok" == await outcome(one, "good/1", VIEWER)
        await asyncio.gather(*attack)


async def test_a_429_counts_for_a_while() -> None:
    """For the id that got it, its Retry-After; when a known asset gets one, for all."""
    async with attacked(Mode(status=429, headers={"Retry-After": "60"})) as (it, one):
        for _ in range(3):
            assert "OriginError" == await outcome(one, "bad/1", ATTACKER)
            await asyncio.sleep(0.25)
        assert 1 == it.asked("/bad/1/master.m3u8")
        assert "ok" == await outcome(one, "good/1", ATTACKER)
        it.modes["/good/1/master.m3u8"] = it.mode
        one.clock.now += 100
        assert "ok" == await outcome(one, "good/1", VIEWER)
        assert "OriginTimeoutError" == await outcome(one, "good/2", VIEWER)


@pytest.mark.parametrize("known", [True, False], ids=["known titles", "new titles"])
@pytest.mark.parametrize("mode", ILL_BEHAVED.values(), ids=ILL_BEHAVED)
async def test_bad_ids_take_no_title_away(mode: Mode, known: bool) -> None:
    """81 bad ids, while another viewer asks for 65 good titles: each is answered, whether the
    gateway has sent one of them before, or none."""
    limits = replace(AMPLE, redirect_hosts=frozenset({"127.0.0.1:1"}))
    async with attacked(mode, request=limits) as (_, one):
        if known:
            assert "ok" == await outcome(one, "good/0", VIEWER)
        attack = [
            asyncio.create_task(outcome(one, f"bad/{number}", ATTACKER))
            for number in range(BAD_IDS)
        ]
        await asyncio.sleep(0.2)
        found = [await outcome(one, f"good/{number}", VIEWER) for number in range(GOOD_IDS)]
        assert ["ok"] * GOOD_IDS == found
        assert {"ok"}.isdisjoint(await asyncio.gather(*attack))
        await asyncio.sleep(0.7)  # the gateway has found out by itself that the origin is well
        found = [await outcome(one, f"good/b{number}", VIEWER) for number in range(9)]
        assert ["ok"] * 9 == found
        assert None is one.source.degraded()


async def test_a_title_that_an_attacker_asked_for_first_does_not_wait_for_him() -> None:
    """His own share is used up by ids that never answer; a viewer's share serves the title."""
    async with attacked(Mode(silent=True)) as (it, one):
        attack = [
            asyncio.create_task(outcome(one, f"bad/{number}", ATTACKER)) for number in range(60)
        ]
        await asyncio.sleep(0.05)
        title = asyncio.create_task(outcome(one, "good/1", ATTACKER))
        await asyncio.sleep(0.05)
        assert 0 == it.asked("/good/1/master.m3u8")
        started = time.monotonic()
        assert "ok" == await outcome(one, "good/1", VIEWER)
        assert time.monotonic() - started < 1.0
        assert "ok" == await title
        await asyncio.gather(*attack)


async def test_one_client_fetches_only_so_many_unknown_ids_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More are refused at once, and others are still served."""
    monkeypatch.setattr(source_module, "MAX_FETCHES_PER_CLIENT", 10)
    async with attacked(Mode(silent=True)) as (it, one):
        attack = [
            asyncio.create_task(outcome(one, f"bad/{number}", ATTACKER)) for number in range(50)
        ]
        assert "ok" == await outcome(one, "good/1", VIEWER)
        assert {"OriginTimeoutError"} == set(await asyncio.gather(*attack))
        assert 10 == sum(it.asked(f"/bad/{number}/master.m3u8") > 0 for number in range(50))


OUTAGES = {
    "503": Mode(status=503),
    "silent": Mode(silent=True),
    "reset": Mode(reset=True),
}


@pytest.mark.parametrize("mode", OUTAGES.values(), ids=OUTAGES)
async def test_an_outage_is_noticed_by_whoever_asks(mode: Mode) -> None:
    """Titles that were good fail, too, when the gateway tries them. So the breaker opens, though a
    single client asks for ids that nobody had before; and closes again."""
    async with pair(breaker_open_s=0.3) as (it, one):
        watch = asyncio.create_task(one.source.watch())
        for number in range(8):
            assert "ok" == await outcome(one, f"good/{number}", VIEWER)
        it.mode = mode
        assert "ok" != await outcome(one, "bad/1", ATTACKER)
        await until(lambda: one.source.degraded() is not None)
        it.mode = Mode()
        await until(lambda: one.source.degraded() is None)
        assert "ok" == await outcome(one, "new", VIEWER)
        watch.cancel()


async def test_an_outage_before_anything_is_known_needs_several_clients() -> None:
    """One client's failures count once; those of five open the breaker."""
    async with pair(retries=0) as (it, one):
        it.mode = Mode(status=503)
        for number in range(20):
            await outcome(one, f"x{number}", ATTACKER)
        await outcome(one, "y", ATTACKER)
        assert 21 == len(it.seen)
        for number in range(4):
            await outcome(one, f"z{number}", f"203.0.{number}.0/24")
        assert "OriginTimeoutError" == await outcome(one, "y2", VIEWER)
        assert 25 == len(it.seen)


async def test_copies_age_by_a_clock_that_never_jumps() -> None:
    """The host's clock is corrected by a day, to and fro: a fresh copy stays fresh, an old one gets
    stale, and a purge covers only what was asked before it."""
    async with pair() as (it, one):
        await one.load()
        for jump_s in (86_400.0, -2 * 86_400.0):
            one.clock.unix_ahead_s += jump_s
            assert "fresh" == await one.status()
        one.clock.now += 65
        assert "stale" == await one.status()
        one.clock.unix_ahead_s -= 86_400.0
        await one.source.purge("a")
        one.clock.now += 1
        it.version = "2"
        assert "2" == await one.outcome()
        asked = it.asked("/a/master.m3u8")
        assert "2" == await one.outcome()
        assert asked == it.asked("/a/master.m3u8")


async def test_over_http(tmp_path: Path) -> None:
    """The whole gateway behind a proxy: the ids of one player, whatever sessions he names, cost the
    titles of others nothing."""
    async with Picky().listening() as it:
        it.mode = Mode(status=503)
        config = tmp_path / "gateway.toml"
        config.write_text(
            f'[source]\nkind = "origin"\nurl = "{it.url}"\n[[edges]]\nid = "e"\n'
            'url = "https://e.example/"\nfallback = true\n'
        )

        async with started(config) as client:

            async def status(asset: str, address: str) -> int:
                answer = await client.get(
                    f"/v1/play/{asset}.m3u8?session={asset[-9:].replace('/', '-')}",
                    headers={"X-Forwarded-For": address},
                )
                return answer.status_code

            attack = [
                asyncio.create_task(status(f"bad/{number}", f"2001:db8:1:2{number:02x}::{number}"))
                for number in range(BAD_IDS)
            ]
            found = [await status(f"good/{number}", "203.0.113.7") for number in range(GOOD_IDS)]
            assert {502} == set(await asyncio.gather(*attack))
            found += [await status(f"good/b{number}", "203.0.113.7") for number in range(GOOD_IDS)]
            assert {200} == set(found)


HEAD = b"HTTP/1.1 200 OK\r\n"
FLOODS = {
    "103": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "header fields": (HEAD, b"a:b\r\n"),
    "one header field": (HEAD + b"Location: ", b"../"),
    "cookies": (HEAD, b"Set-Cookie: " + b'"' * 1000 + b"\r\n"),
}


@pytest.mark.parametrize(("start", "more"), FLOODS.values(), ids=FLOODS)
async def test_what_precedes_a_body_is_bounded(start: bytes, more: bytes) -> None:
    """An origin that never gets to its response is not read until the time is up."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        while True:
            writer.write(more * 100)
            await writer.drain()
            sent += len(more) * 100

    async with listening(flood) as port:
        one = Worker(f"http://127.0.0.1:{port}/", request=AMPLE, retries=0, total_timeout_s=60.0)
        with pytest.raises(BadSourceError, match=f"more than {MAX_HEAD_BYTES} bytes before"):
            await one.source.load("any", VIEWER)
        await one.source.close()
    assert sent < 64 * 2**20, "what fits into the sockets' buffers"


async def test_a_large_head_within_the_bound_is_read_and_cookies_are_not_kept() -> None:
    """Several reads of it, then a body of several reads; the second request has no cookie."""
    body = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n" + b"#\n" * READ_BYTES
    fields = b"".join(b"Set-Cookie: c%d=%s\r\n" % (at, b"x" * 200) for at in range(100))
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 103 E\r\n\r\n" * 100 + HEAD + fields)
            writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()

    async with listening(answer) as port:
        one = Worker(f"http://127.0.0.1:{port}/", request=AMPLE)
        for asset in ("one", "two"):
            assert "ok" == await outcome(one, asset, VIEWER)
        await one.source.close()
    assert 2 == len(asked)
    assert not any(b"cookie" in each.lower() for each in asked)


@settings(max_examples=60, deadline=None)
@given(
    head=st.sampled_from(["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 302 F\r\nLocation: ", "HTTP/1.1 "]),
    rest=st.text(st.characters(max_codepoint=255), max_size=80)
    | st.lists(
        st.sampled_from(
            [
                *(
                    "\r\n",
                    "\r\n\r\n",
                    "Content-Length: ",
                    "Transfer-Encoding: chunked\r\n",
                    "0",
                    "5",
                ),
                *("99999999999999999999", "-1", "Age: 1e9\r\n", "Date: x\r\n", "Location: //[\r\n"),
                *("Content-Encoding: gzip\r\n", "Content-Encoding: zstd\r\n", "#EXTM3U\n", "\x00"),
                *(
                    "Retry-After: 1e400\r\n",
                    "503 X\r\n",
                    "429 X\r\n",
                    "http://[::1",
                    "http:///",
                    "\xff",
                ),
                *(
                    "https://user:pw@h:99999/",
                    "103 E\r\n\r\n",
                    "#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n",
                ),
            ]
        ),
        max_size=9,
    ).map("".join),
)
async def test_no_bytes_of_an_origin_raise_anything_else(head: str, rest: str) -> None:
    """A manifest, or one of the errors that a source names."""
    async with attacked(Mode(raw=head + rest), retries=0, total_timeout_s=0.3) as (_, one):
        assert await outcome(one, "any", VIEWER)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 F\r\nLocation: "]),
    st.binary(max_size=80)
    | st.lists(
        st.sampled_from(
            [
                *(b"\r\n", b"\r\n\r\n", b"Content-Length: ", b"9" * 30, b"-1", b"1e9", b"0\r\n"),
                *(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffffffff\r\n", b"//[", b"\xff"),
                *(
                    b"#EXTM3U\n",
                    b"#EXT-X-TARGETDURATION:1e9\n",
                    b"#EXTINF:nan,\na\n",
                    b"http://\x00/",
                ),
            ]
        ),
        max_size=9,
    ).map(b"".join),
)
async def test_no_bytes_of_an_edge_raise_anything(head: bytes, rest: bytes) -> None:
    """A probe has a result, whatever an edge sends."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + rest)
        await writer.drain()

    prober = Prober(2)
    try:
        async with listening(answer) as port:
            target = ProbeTarget(f"http://127.0.0.1:{port}/a", True, 0)
            found = await prober.probe(target, None, ProbeLimits(0.3, 3.0), 1000.0)
        assert found.kind in get_args(ResultKind)
    finally:
        await prober.close()


async def test_what_a_probe_receives_at_a_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the buffers of its sockets."""
    made: list[socket.socket] = []

    def seen(address: Any) -> socket.socket:
        made.append(original(address))
        return made[-1]

    original = probe._bounded_socket
    monkeypatch.setattr(probe, "_bounded_socket", seen)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    prober = Prober(2)
    async with listening(answer) as port:
        target = ProbeTarget(f"http://127.0.0.1:{port}/a", False, 0)
        found = await prober.probe(target, None, ProbeLimits(5.0, 3.0), 1000.0)
        assert "ok" == found.kind
        assert made
        assert all(
            each.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 2 * RECEIVE_BYTES
            for each in made
        )
    await prober.close()
