"""Source manifests from a misbehaving origin, a real one on loopback."""

import asyncio
import contextlib
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Any

import pytest

import gateway.source.origin.origin as source_module
from gateway.clock import Clock
from gateway.observe.request_id import set_request_id
from gateway.play.dash.manifest import dash_source
from gateway.play.hls.manifest import hls_source
from gateway.source.origin.client import FailureKind
from gateway.source.origin.copies import digest_of
from gateway.source.origin.origin import OriginSource
from gateway.source.origin.origin_cache import RecentFailure
from gateway.source.origin.origin_config import (
    FreshnessBounds,
    OriginConfig,
    OriginServer,
    RequestLimits,
)
from gateway.source.origin.reader import NotFound
from gateway.source.source import (
    BadSourceError,
    ManifestKey,
    NoSuchAssetError,
    OriginError,
    OriginTimeoutError,
    SourceManifest,
)
from gateway.store.caches.source_copies import MOST_PURGES, SourceCopies
from gateway.store.connection.keys import SOURCE_PURGES
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import Store
from gateway.store.connection.redis import RedisStore
from manifests.format import ManifestFormat
from tests.integration.origins import Mode, Origin, origin, playlist
from tests.ports import free_port
from tests.unit.store.servers import until, valkey

PATH = "/a/master.m3u8"
FORMATS = {
    ManifestFormat.HLS: hls_source("{asset}/master.m3u8"),
    ManifestFormat.DASH: dash_source("{asset}/manifest.mpd"),
}
LIMITS = RequestLimits(connect_timeout_s=0.3, read_timeout_s=0.4, max_bytes=20_000)
AMPLE = replace(LIMITS, connect_timeout_s=10.0, read_timeout_s=10.0)
"""For tests of something else, on a machine that may be busy."""
FRESHNESS = FreshnessBounds(
    default_fresh_s=10, min_fresh_s=1, stale_while_revalidate_s=20, stale_if_error_s=1000
)


class Time:
    """Monotonic and Unix time, both of which the test sets."""

    def __init__(self) -> None:
        self.now = float(int(time.monotonic()))
        self.unix_ahead_s = float(int(time.time())) - self.now

    def unix(self) -> float:
        """Unix time."""
        return self.now + self.unix_ahead_s

    def clock(self) -> Clock:
        """A clock that shows these times."""
        return Clock(lambda: self.now, self.unix)


class Worker:
    """One worker's source, over a store that it may share with others."""

    def __init__(self, *urls: str | OriginServer, **options: Any) -> None:
        servers = tuple(url if isinstance(url, OriginServer) else OriginServer(url) for url in urls)
        given: dict[str, Any] = {"request": LIMITS, "freshness": FRESHNESS, "total_timeout_s": 1.5}
        given |= {"patience_s": 0.15, "failure_s": 0.2, "not_found_s": 0.2, "breaker_open_s": 0.2}
        self.clock: Time = options.pop("clock", None) or Time()
        self.store: Store = options.pop("store", None) or MemoryStore()
        self.source = OriginSource(
            OriginConfig(servers, **(given | options)),
            SourceCopies(self.store, self.clock.unix),
            FORMATS,
            clock=self.clock.clock(),
        )

    async def load(self, asset: str = "a") -> SourceManifest:
        """What a player would get."""
        return await self.source.load(asset)

    async def status(self, asset: str = "a") -> str:
        """The freshness of what a player would get."""
        found = await self.load(asset)
        assert found.state is not None
        return found.state.status

    async def outcome(self, asset: str = "a") -> str:
        """``version`` of the playlist that a player would get, or the name of the error."""
        try:
            found = await self.load(asset)
        except (NoSuchAssetError, BadSourceError) as error:
            return type(error).__name__
        return version(found)


@contextlib.asynccontextmanager
async def worker(*urls: str | OriginServer, **options: Any) -> AsyncIterator[Worker]:
    """A worker's source; closed at the end."""
    it = Worker(*urls, **options)
    try:
        yield it
    finally:
        await it.source.close()


def version(found: SourceManifest) -> str:
    """The version of the test origin's playlist."""
    path = f"/{found.path}"
    return next(name for name in "123" if digest_of(playlist(path, name)) == found.version)


@contextlib.asynccontextmanager
async def pair(**options: Any) -> AsyncIterator[tuple[Origin, Worker]]:
    """An origin and a worker with the same clock."""
    async with origin() as it, worker(it.url, **options) as one:
        it.wall = one.clock.unix
        yield it, one


async def test_one_request_for_all_who_wait() -> None:
    """100 players who ask for one asset at once cost its origin one request."""
    async with pair() as (it, one):
        it.mode = Mode(delay_s=0.1)
        found = await asyncio.gather(*(one.load() for _ in range(100)))
    assert [PATH] == [seen.target for seen in it.seen]
    assert {"a/master.m3u8"} == {each.path for each in found}
    assert {(it.url,)} == {each.base_urls for each in found}


async def test_a_player_that_leaves_cancels_nothing_for_others() -> None:
    """The first player is cancelled; the second gets what the first one's request brings."""
    async with pair() as (it, one):
        it.mode = Mode(delay_s=0.15)
        first = asyncio.create_task(one.load())
        await until(lambda: len(it.seen) == 1)
        second = asyncio.create_task(one.load())
        await asyncio.sleep(0)
        first.cancel()
        assert "1" == version(await second)
    assert 1 == it.asked(PATH)


async def test_what_is_sent() -> None:
    """The request has the player's request id and the accepted codings, and no other input from the
    player."""
    async with origin() as it, worker(OriginServer(it.url, bearer_token="secret")) as one:
        set_request_id("id-of-a-player")
        await one.load()
    (seen,) = it.seen
    assert ("GET", PATH) == (seen.method, seen.target)
    assert {
        "host": f"127.0.0.1:{it.port}",
        "accept": "application/vnd.apple.mpegurl, application/x-mpegurl, */*;q=0.5",
        "accept-encoding": "zstd, br, gzip",
        "connection": "keep-alive",
        "user-agent": "streaming-gateway/0.1.0",
        "x-request-id": "id-of-a-player",
        "authorization": "Bearer secret",
    } == dict(seen.headers)


async def test_signed_requests_can_be_checked() -> None:
    """An origin with the key can verify the signature (RFC 9421)."""
    async with origin() as it, worker(OriginServer(it.url, hmac_key="k", hmac_key_id="id")) as one:
        await one.load()
    headers = it.seen[0].headers
    described = headers["signature-input"].removeprefix("gateway=")
    base = (
        f'"@method": GET\n"@path": {PATH}\n"date": {headers["date"]}\n'
        f'"x-request-id": {headers["x-request-id"]}\n"@signature-params": {described}'
    )
    expected = b64encode(digest(b"k", base.encode(), sha256)).decode()
    assert f"gateway=:{expected}:" == headers["signature"]


async def test_fresh_then_stale_then_new() -> None:
    """Within max-age the origin gets no request. After it, the stale copy is served while the
    origin is requested; then the new one."""
    async with pair() as (it, one):
        it.mode = Mode(cache_control="max-age=5")
        assert "fresh" == await one.status()
        one.clock.now += 4
        assert "fresh" == await one.status()
        assert 1 == it.asked(PATH)
        it.version = "2"
        one.clock.now += 2
        stale = await one.load()
        assert ("1", "stale") == (version(stale), stale.state and stale.state.status)
        await until(lambda: it.asked(PATH) == 2)
        await asyncio.sleep(0.05)
        assert "2" == version(await one.load())


async def test_an_unchanged_playlist_is_confirmed() -> None:
    """A conditional request and a 304 keep the same parsed playlist (F7)."""
    async with pair() as (it, one):
        it.mode = Mode(cache_control="max-age=5")
        first = await one.load()
        one.clock.now += 6
        await one.load()
        await asyncio.sleep(0.1)
        again = await one.load()
    assert again.state is not None
    assert ("revalidated", 5.0) == (again.state.status, again.state.left_s)
    assert first.manifest is again.manifest
    tags = [seen.headers.get("if-none-match") for seen in it.seen]
    assert [None, tags[1]] == tags
    assert tags[1] is not None


BAD = {
    "killed": (None, OriginTimeoutError),
    "resets": (Mode(reset=True), OriginError),
    "silent": (Mode(silent=True), OriginTimeoutError),
    "3 s slow": (Mode(delay_s=3), OriginTimeoutError),
    "1 byte/s": (Mode(drip_bytes_per_s=1), OriginTimeoutError),
    "dripping head": (Mode(drip_bytes_per_s=20, drip_head=True), OriginTimeoutError),
    "too slow": (Mode(drip_bytes_per_s=200, body="#EXTM3U\n" + "#\n" * 2000), OriginTimeoutError),
    "500": (Mode(status=500), OriginError),
    "503": (Mode(status=503), OriginError),
    "401": (Mode(status=401), OriginError),
    "418": (Mode(status=418), OriginError),
    "HTML with 200": (Mode(html=True), OriginError),
    "nothing": (Mode(body=""), OriginError),
    "unplayable": (Mode(body="#EXTM3U\n#EXTINF:4,\nmedia.ts\n"), BadSourceError),
    "cut off": (Mode(cut_after=100), OriginError),
    "cut off, chunked": (Mode(cut_after=100, chunked=True), OriginError),
    "cut off, no framing": (Mode(cut_after=100, close_delimited=True), OriginError),
    "not HTTP": (Mode(raw="SSH-2.0-OpenSSH_9.6\r\n"), OriginError),
    "endless header": (Mode(raw="HTTP/1.1 200 OK\r\nX: " + "x" * 300_000), OriginError),
    "garbage length": (Mode(headers={"Content-Length": "-1"}), OriginError),
    "says too large": (Mode(headers={"Content-Length": "999999"}), OriginError),
    "too large": (Mode(body="#EXTM3U\n" * 5000, chunked=True), OriginError),
    "endless": (Mode(endless=True), OriginError),
    "gzip bomb": (Mode(coding="gzip", bomb_bytes=10**7), OriginError),
    "brotli bomb": (Mode(coding="br", bomb_bytes=10**7), OriginError),
    "zstd bomb": (Mode(coding="zstd", bomb_bytes=10**7), OriginError),
    "unknown coding": (Mode(coding="compress"), OriginError),
    "not what its coding says": (Mode(headers={"Content-Encoding": "gzip"}), OriginError),
    "redirects to another host": (Mode(redirect="http://localhost:1/x"), OriginError),
    "redirects to metadata": (Mode(redirect="http://169.254.169.254/latest/"), OriginError),
    "redirects to a file": (Mode(redirect="file:///etc/passwd"), OriginError),
    "redirects in circles": (Mode(redirect="{path}"), OriginError),
    "redirects nowhere": (Mode(redirect=""), OriginError),
}


@pytest.mark.parametrize(("mode", "expected"), BAD.values(), ids=BAD)
async def test_never_a_bad_playlist(mode: Mode | None, expected: type[Exception]) -> None:
    """Without a copy, a named error within the deadline. When the origin recovers, its playlist,
    soon. When it fails again, the copy, at once."""
    port = free_port()
    it = Origin()
    async with contextlib.AsyncExitStack() as stack:
        one = await stack.enter_async_context(worker(f"http://127.0.0.1:{port}/"))
        async with contextlib.AsyncExitStack() as bad:
            if mode is not None:
                it.mode = mode
                await bad.enter_async_context(it.listening(port))
            started = time.monotonic()
            with pytest.raises(expected) as caught:
                await one.load()
            assert expected is type(caught.value)
            if mode is not None and mode.bomb_bytes:
                assert isinstance(caught.value, OriginError)
                assert "too-large" == caught.value.kind
            assert time.monotonic() - started < 1.9
        it.mode = Mode(cache_control="max-age=5")
        async with it.listening(port):
            assert await eventually(one, "1") < 1.0
        one.clock.now += 60
        if mode is not None:
            it.mode = replace(mode, etag=False)
            await stack.enter_async_context(it.listening(port))
        started = time.monotonic()
        for _ in range(5):
            found = await one.load()
            assert found.state is not None
            assert ("1", "stale") == (version(found), found.state.status)
        assert time.monotonic() - started < 1.0, "one answer of the origin takes up to 1.5 s"


async def test_a_body_in_very_many_pieces() -> None:
    """Chunks of a byte each are refused after a few thousand; a real body comes in larger ones."""
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n#EXTM3U\n\r\n"
    async with pair(retries=0, request=replace(LIMITS, min_bytes_per_s=1)) as (it, one):
        it.mode = Mode(raw=head + "1\r\n#\r\n" * 12_000 + "0\r\n\r\n")
        with pytest.raises(OriginError, match=r"a body of 4\d\d\d pieces"):
            await one.load()


async def test_messages_about_an_origin_are_short() -> None:
    """An origin chooses where it redirects to."""
    async with pair(retries=0) as (it, one):
        it.mode = Mode(redirect="/" + "x" * 60_000)
        with pytest.raises(OriginError) as caught:
            await one.load()
        assert len(str(caught.value)) < 700


async def test_an_answer_to_a_question_that_was_not_asked() -> None:
    """A 304 to an unconditional request is an error."""
    async with pair() as (it, one):
        it.mode = Mode(status=304, etag=False)
        assert "OriginError" == await one.outcome()


async def eventually(one: Worker, expected: str) -> float:
    """Load repeatedly until a condition holds; returns the seconds it took."""
    started = time.monotonic()
    while await one.outcome() != expected:
        assert time.monotonic() - started < 5
        await asyncio.sleep(0.02)
    return time.monotonic() - started


LIBERAL = {
    "plain text": Mode(content_type="text/plain"),
    "octets": Mode(content_type="application/octet-stream"),
    "called HTML": Mode(content_type="text/html"),
    "gzip": Mode(coding="gzip"),
    "brotli": Mode(coding="br"),
    "zstd": Mode(coding="zstd"),
    "chunked": Mode(chunked=True),
    "no framing": Mode(close_delimited=True),
    "no freshness": Mode(cache_control=None, etag=False),
}


@pytest.mark.parametrize("mode", LIBERAL.values(), ids=LIBERAL)
async def test_what_is_a_playlist_is_taken(mode: Mode) -> None:
    """The first bytes decide, not the media type."""
    async with pair() as (it, one):
        it.mode = mode
        assert "1" == await one.outcome()


@pytest.mark.parametrize("before", [" \t\r\n\n", "\ufeff\n"])
async def test_white_space_before_a_playlist_is_a_fault_alone(before: str) -> None:
    """Scripts often write some. A source on disk is served with it as well (A1.4)."""
    async with pair() as (it, one):
        it.mode = Mode(body=before + playlist(PATH).decode())
        found = await one.load()
        assert "white space before #EXTM3U" in " ".join(map(str, found.manifest.faults))


RETRIED = [
    (429, 3), (500, 3), (502, 3), (503, 3), (504, 3),
    (400, 1), (401, 1), (403, 1), (404, 1), (410, 1), (501, 1), (505, 1),
]  # fmt: skip


@pytest.mark.parametrize(("status", "times"), RETRIED)
async def test_only_what_may_pass_is_tried_again(status: int, times: int) -> None:
    """429, 500, 502, 503 and 504 are retried, as often as configured; other statuses are not."""
    async with pair(request=AMPLE, total_timeout_s=20.0) as (it, one):
        it.mode = Mode(status=status)
        outcome = "NoSuchAssetError" if status in {404, 410} else "OriginError"
        assert outcome == await one.outcome()
        assert times == it.asked(PATH)


async def test_every_other_request_failing_is_not_noticed() -> None:
    """Retries hide an origin that fails every other time."""
    async with pair(breaker_failures=50, request=AMPLE, total_timeout_s=20.0) as (it, one):
        it.mode = Mode(fail_every=2)
        assert ["1"] * 5 == [await reloaded(one) for _ in range(5)]


async def reloaded(one: Worker) -> str:
    """The outcome for a player when no cached copy can be served."""
    await one.source.purge("a")
    one.clock.now += 1
    return await one.outcome()


@pytest.mark.parametrize(("retry_after", "asked"), [("0", 3), ("1", 2), ("30", 1), ("soon", 3)])
async def test_retry_after_is_honoured(retry_after: str, asked: int) -> None:
    """No retry is sent before then; none at all when that is after the deadline."""
    async with pair() as (it, one):
        it.mode = Mode(status=503, headers={"Retry-After": retry_after})
        await one.outcome()
        assert asked == it.asked(PATH)


async def test_too_many_requests_pauses_everything() -> None:
    """A 429 pauses requests for all assets of the origin."""
    async with pair() as (it, one):
        it.modes[PATH] = Mode(status=429, headers={"Retry-After": "60"})
        assert "OriginError" == await one.outcome("a")
        assert "OriginTimeoutError" == await one.outcome("b")
        assert 1 == len(it.seen)


async def test_retries_are_a_share_of_requests() -> None:
    """40 assets that all fail: 10 saved-up retries and a fifth of the requests, no more."""
    async with pair(breaker_failures=100, request=AMPLE, total_timeout_s=20.0) as (it, one):
        it.mode = Mode(status=503)
        await asyncio.gather(*(one.outcome(f"x{number}") for number in range(40)))
        assert 40 < len(it.seen) <= 58


@pytest.mark.parametrize("status", [404, 410])
async def test_a_404_is_remembered_briefly(status: int) -> None:
    """The origin gets the next request only after ``not_found_s``; a shared copy does not replace a
    404."""
    async with pair() as (it, one):
        it.mode = Mode(cache_control="max-age=5")
        assert "1" == await one.outcome()
        it.mode = Mode(status=status)
        one.clock.now += 60
        assert ["NoSuchAssetError"] * 3 == [await one.outcome() for _ in range(3)]
        assert 2 == it.asked(PATH)
        it.mode = Mode()
        await asyncio.sleep(0.25)
        assert "1" == await one.outcome()


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    """Relative URIs are then resolved against the redirect's target (RFC 3986, 5.1.3)."""
    async with origin() as it, worker(f"{it.url}vod/") as one:
        it.modes["/vod/a/master.m3u8"] = Mode(redirect="/vod/a/v2/index.m3u8?token=x")
        found = await one.load()
        assert "a/v2/index.m3u8" == found.path


async def test_a_redirect_elsewhere_needs_leave_and_gets_no_secret() -> None:
    """``redirect_hosts`` lists the allowed targets; the token is not sent to them."""
    async with origin() as it, origin() as other:
        it.mode = Mode(redirect=f"{other.url}b.m3u8")
        allowed = replace(LIMITS, redirect_hosts=frozenset({f"127.0.0.1:{other.port}"}))
        server = OriginServer(it.url, bearer_token="secret", hmac_key="k")
        async with worker(server, request=allowed) as one:
            found = await one.load()
        assert "a/master.m3u8" == found.path
        assert {"authorization", "signature"} <= it.seen[0].headers.keys()
        assert not {"authorization", "signature"} & other.seen[0].headers.keys()


@pytest.mark.parametrize("cut_after", [None, 1], ids=["stalls", "breaks"])
async def test_a_status_stands_without_its_body(cut_after: int | None) -> None:
    """A 404 is no failure of the origin, a redirect is followed, and a 429 pauses the origin for as
    long as it asks for."""
    short = Mode(headers={"Content-Length": "1000"}, cut_after=cut_after)
    late = {**short.headers, "Retry-After": "60"}
    async with pair() as (it, one):
        it.modes[PATH] = replace(short, status=404)
        it.modes["/b/master.m3u8"] = replace(short, redirect="/v2/b.m3u8")
        it.modes["/c/master.m3u8"] = replace(short, status=429, headers=late)
        assert "NoSuchAssetError" == await one.outcome("a")
        assert "v2/b.m3u8" == (await one.load("b")).path
        with pytest.raises(OriginError, match="answered 429"):
            await one.load("c")
        assert "OriginTimeoutError" == await one.outcome("d")
        assert [PATH, "/b/master.m3u8", "/v2/b.m3u8", "/c/master.m3u8"] == [
            seen.target for seen in it.seen
        ]


async def test_the_backup_answers_for_the_primary() -> None:
    """The backup is tried next, without a pause. When the primary has recovered, it serves
    again."""
    async with origin() as primary, origin() as backup:
        backup.version = "2"
        async with worker(primary.url, backup.url) as one:
            primary.mode = Mode(status=500)
            found = await one.load()
            assert ("2", (backup.url, primary.url)) == (version(found), found.base_urls)
            # Each round begins with the primary, and there is a pause before each but the first.
            assert [1, 1] == [len(primary.seen), len(backup.seen)]
            for bad in (
                Mode(html=True),
                Mode(silent=True),
                Mode(body="#EXTM3U\n"),
                Mode(reset=True),
            ):
                primary.mode = bad
                assert "2" == await reloaded(one)
            primary.mode = Mode()
            await asyncio.sleep(0.3)
            assert "1" == await reloaded(one)


async def test_origins_are_chosen_by_the_longest_prefix() -> None:
    """Origins with the longest matching prefix are tried in the listed order; an asset without one
    is not found."""
    async with origin() as kids, origin() as films:
        servers = OriginServer(films.url, "films/"), OriginServer(kids.url, "films/kids/")
        async with worker(*servers) as one:
            await one.load("films/a")
            await one.load("films/kids/a")
            assert "NoSuchAssetError" == await one.outcome("series/a")
        assert ["/films/a/master.m3u8"] == [seen.target for seen in films.seen]
        assert ["/films/kids/a/master.m3u8"] == [seen.target for seen in kids.seen]


async def test_a_new_worker_needs_no_origin() -> None:
    """Fresh copies of others are used; stale ones, too, when the origin is dead."""
    port = free_port()
    it = Origin()
    url = f"http://127.0.0.1:{port}/"
    async with worker(url) as one:
        async with it.listening(port):
            it.mode = Mode(cache_control="max-age=5")
            await one.load()
        async with worker(url, store=one.store, clock=one.clock) as second:
            assert "fresh" == await second.status()
        one.clock.now += 500
        async with worker(url, store=one.store, clock=one.clock) as third:
            assert "stale" == await third.status()
            watch = asyncio.create_task(third.source.watch())
            await asyncio.sleep(0.1)
            assert (None, True) == (third.source.ready(), third.source.degraded() is not None)
            watch.cancel()
    assert 1 == it.asked(PATH)


async def test_a_worker_uses_a_newer_shared_copy() -> None:
    """Two workers cost the origin one refresh."""
    async with pair() as (it, one):
        it.mode = Mode(cache_control="max-age=5")
        async with worker(it.url, store=one.store, clock=one.clock) as two:
            await one.load()
            await two.load()
            it.version = "2"
            one.clock.now += 60
            assert ["2", "2"] == [await one.outcome(), await two.outcome()]
    assert 2 == it.asked(PATH)


async def test_no_store_is_kept_here_alone() -> None:
    """A ``no-store`` response is not shared, but is this worker's last good copy when the origin
    fails."""
    async with pair() as (it, one):
        it.mode = Mode(cache_control="no-store")
        await one.load()
        it.mode = Mode(status=503)
        one.clock.now += 60
        assert "stale" == await one.status()
        async with worker(it.url, store=one.store, clock=one.clock) as two:
            assert "OriginError" == await two.outcome()


async def test_a_copy_stands_in_only_so_long() -> None:
    """After ``stale_if_error_s`` the player gets the error."""
    async with pair() as (it, one):
        it.mode = Mode(cache_control="max-age=5, stale-if-error=100")
        await one.load()
        it.mode = Mode(status=503)
        one.clock.now += 104
        assert "1" == await one.outcome()
        one.clock.now += 2
        assert "OriginError" == await one.outcome()


GARBAGE = [b"", b"gone", b"garbage", b"{}\n", b"[]\nx", b"null\n", b"\n\n", b"{" * 5000 + b"\n"]


@pytest.mark.parametrize("value", GARBAGE)
async def test_garbage_in_the_store_costs_a_fetch(value: bytes) -> None:
    """Garbage in Redis is ignored, and the manifest is fetched."""
    async with pair() as (it, one):
        one.store.put_source_later(f"{it.url} a/master.m3u8", value, 60)
        assert "1" == await one.outcome()


async def test_a_damaged_shared_copy_is_refused() -> None:
    """A change of any byte never gives another playlist or an exception."""
    async with pair() as (it, one):
        await one.load()
        name = f"{it.url} a/master.m3u8"
        value = await one.store.get_source(name) or b""
        for position in range(len(value)):
            damaged = bytearray(value)
            damaged[position] ^= 0x15
            one.store.put_source_later(name, bytes(damaged), 60)
            one.source._cache._copies.clear()  # as a worker that has just started
            assert "1" == await one.outcome()
        assert 1 + len(value) == it.asked(PATH)


async def test_a_404_from_before_a_purge() -> None:
    """A 404 that was in progress during the purge is not remembered."""
    async with pair(not_found_s=60) as (it, one):
        it.mode = Mode(status=404, delay_s=0.3)
        on_the_way = asyncio.create_task(one.outcome())
        await until(lambda: len(it.seen) == 1)
        await one.source.purge("a")
        it.mode = Mode()
        one.clock.now += 1
        assert "NoSuchAssetError" == await on_the_way
        assert "1" == await one.outcome()


async def test_a_playlist_as_large_as_allowed() -> None:
    """The configured bound applies, and parsing a large playlist does not block other requests."""
    body = "#EXTM3U\n" + "".join(
        f"#EXT-X-STREAM-INF:BANDWIDTH={number}\nv{number}.m3u8\n" for number in range(1, 25_001)
    )
    assert len(body) > 1_100_000
    async with pair(request=replace(LIMITS, max_bytes=2_000_000, read_timeout_s=5)) as (it, one):
        it.mode = Mode(body=body, coding="gzip")
        found = await one.load()
        assert 25_000 == len(found.manifest.ladder.rungs)


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisStore]:
    """A store in a real server."""
    with valkey(tmp_path) as server:
        store = RedisStore(server.url, timeout_s=5.0)  # ample: no test is about it
        await store.start()
        yield store
        await store.close()


@pytest.mark.parametrize("prefix", [None, "", "a"])
async def test_a_purge_forgets_everywhere(redis: RedisStore, prefix: str | None) -> None:
    """A purge covers this process, the store, requests in progress and new workers. Other assets
    stay."""
    async with pair(store=redis) as (it, one):
        await one.load()
        await one.load("b")
        it.version = "2"
        it.mode = Mode(delay_s=0.1)
        one.clock.now += 100
        on_the_way = asyncio.create_task(one.load())
        await asyncio.sleep(0.05)
        it.version = "3"
        one.clock.now += 1
        if prefix is None:
            await one.source.purge("a")
        else:
            await one.source.purge_prefix(prefix)
        one.clock.now += 1
        assert "3" == await one.outcome()
        await on_the_way
        assert "3" == await one.outcome()
        await asyncio.sleep(0.05)  # copies leave a few milliseconds later, several in one command
        it.mode = Mode(silent=True)
        async with worker(it.url, store=redis, clock=one.clock) as two:
            assert "3" == await two.outcome()
            others = "OriginTimeoutError" if prefix == "" else "1"
            assert others == await two.outcome("b")


async def test_a_purge_covers_copies_of_hosts_whose_clock_is_ahead(redis: RedisStore) -> None:
    """By half a second: what such a host has asked for just before a purge seems to be newer."""
    async with pair(store=redis) as (it, one):
        ahead = Time()
        ahead.now, ahead.unix_ahead_s = one.clock.now, one.clock.unix_ahead_s + 0.5
        async with worker(it.url, store=redis, clock=ahead) as other:
            await other.load()
        it.version = "2"
        one.clock.now += 0.1
        await one.source.purge("a")
        one.clock.now += 1
        await until(lambda: len(redis._waiting) == 0)
        async with worker(it.url, store=redis, clock=one.clock) as new:
            assert "2" == await new.outcome()


async def test_a_copy_from_just_after_a_purge_stands_in(redis: RedisStore) -> None:
    """A popular title is asked for at once. When the origin fails later, new workers have it."""
    async with pair(store=redis) as (it, one):
        await one.load()
        it.version = "2"
        one.clock.now += 1
        await one.source.purge("a")
        one.clock.now += 1
        assert "2" == await one.outcome()
        await until(lambda: len(redis._waiting) == 0)
        one.clock.now += 300
        it.mode = Mode(status=503)
        async with worker(it.url, store=redis, clock=one.clock) as new:
            assert "2" == await new.outcome()


async def test_purges_are_remembered_within_a_bound(redis: RedisStore) -> None:
    """With too many purges, everything up to the time of the oldest half counts as purged."""
    copies = SourceCopies(redis)
    for number in range(MOST_PURGES + 1):
        await copies.note_purge(f"={number}", float(number), 60)
    noted = await copies.purges()
    assert noted is not None
    assert (502, 499.0, None) == (len(noted), noted[""], noted.get("=499"))
    await copies.note_purge("=1000", 3.0, 60)
    assert 1000.0 == (await copies.purges() or {})["=1000"]


PURGE_GARBAGE: list[tuple[str, ...]] = [
    ("ZADD", "100000000000", ""),
    ("ZADD", "inf", "", "1e300", "a"),
    ("ZADD", "-inf", ""),
    ("ZADD", "-1", ""),
    ("ZADD", "1", "a" * 10_000_000),
    ("ZADD", "1", "\ud800"),
    ("SET", "text"),
    ("HSET", "a", "b"),
]


@pytest.mark.parametrize("garbage", PURGE_GARBAGE, ids=[str(row)[:40] for row in PURGE_GARBAGE])
async def test_purges_that_are_none(redis: RedisStore, garbage: tuple[str, ...]) -> None:
    """A purge of the year 5138 would turn caching off until then. What is no purge costs itself
    alone, and is removed when no gateway can have written it."""
    key, now = SOURCE_PURGES, time.time()
    copies = SourceCopies(redis)
    if garbage[0] == "ZADD":
        await copies.note_purge("=b", now, 60)
    command, *words = garbage
    await redis.ask(
        "t", command.encode(), key, *(w.encode("utf-8", "surrogatepass") for w in words)
    )
    for _ in range(2):
        found = await copies.purges()
        assert found is not None
        assert ["=b"] * (command == "ZADD") == list(found)
    await copies.note_purge("=c", now, 60)
    assert "=c" in (await copies.purges() or {})


async def test_purges_of_tomorrow_are_removed(redis: RedisStore) -> None:
    """One of a clock that is a little ahead stays for when its time comes."""
    now = time.time()
    words = [b"100000000000", b"", b"%d" % (now + 3600), b"=soon", b"%d" % now, b"=now"]
    await redis.ask("t", b"ZADD", SOURCE_PURGES, *words)
    copies = SourceCopies(redis)
    assert ["=now"] == list(await copies.purges() or {})
    assert [b"=now", b"=soon"] == await redis.ask("t", b"ZRANGE", SOURCE_PURGES, b"0", b"-1")
    later = SourceCopies(redis, lambda: now + 3600)
    assert ["=now", "=soon"] == sorted(await later.purges() or {})


async def test_a_suspected_copy_is_revalidated_first() -> None:
    """The copy is revalidated before it is used again, and is served when the origin fails."""
    async with pair() as (it, one):
        await one.load()
        it.version = "2"
        await one.source.revalidate_all()
        one.clock.now += 1
        assert "2" == await one.outcome()
        it.mode = Mode(status=503)
        await one.source.revalidate_all()
        assert "2" == await one.outcome()


async def test_readiness() -> None:
    """Not ready while no origin has answered and there is no copy; back without a restart."""
    port = free_port()
    it = Origin()
    async with worker(f"http://127.0.0.1:{port}/") as one:
        watch = asyncio.create_task(one.source.watch())
        await asyncio.sleep(0.1)
        assert "cannot be reached" in (one.source.ready() or "")
        async with it.listening(port):
            await until(lambda: one.source.ready() is None)
            assert None is one.source.degraded()
            await one.load()
        one.clock.now += 60
        assert "1" == await one.outcome()
        await until(lambda: one.source.degraded() is not None)
        assert None is one.source.ready()
        watch.cancel()


async def test_a_304_that_nobody_asked_for_does_not_lock_an_origin_out() -> None:
    """It answers the one request that an open breaker lets through, which had no validators."""
    async with pair(retries=0, breaker_open_s=0.1) as (it, one):
        it.mode = Mode(status=500)
        for number in range(20):
            await one.outcome(f"t{number}")
        it.mode = Mode(status=304)
        await asyncio.sleep(0.15)
        await one.outcome("x")
        it.mode = Mode()
        await asyncio.sleep(0.15)
        assert "1" == await one.outcome("y")


async def test_an_open_breaker_spares_the_origin_and_closes_by_itself() -> None:
    """While it is open no request waits, and only probes are sent; the first success closes it."""
    async with pair(retries=0, breaker_open_s=0.3) as (it, one):
        it.mode = Mode(status=503)
        watch = asyncio.create_task(one.source.watch())
        for number in range(5):
            assert "1" != await one.outcome(f"x{number}")
        asked = len(it.seen)
        found = [await one.outcome(f"y{number}") for number in range(50)]
        assert {"OriginTimeoutError"} == set(found)
        assert asked == len(it.seen)
        it.mode = Mode()
        await until(lambda: one.source.degraded() is None)
        assert "1" == await one.outcome()
        watch.cancel()


async def test_one_broken_file_takes_no_others_away() -> None:
    """Repeated 500s for one playlist do not open the breaker."""
    async with pair(failure_s=0.001, retries=0) as (it, one):
        it.modes["/bad/master.m3u8"] = Mode(status=500)
        for _ in range(12):
            assert "OriginError" == await one.outcome("bad")
            await asyncio.sleep(0.002)
        assert "1" == await one.outcome()


async def test_too_many_requests_at_a_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of assets that are fetched at a time is bounded, and so are connections."""
    monkeypatch.setattr(source_module, "MAX_FETCHES", 3)
    async with pair(request=replace(LIMITS, max_connections=2)) as (it, one):
        it.mode = Mode(delay_s=0.2)
        found = await asyncio.gather(*(one.outcome(f"x{number}") for number in range(5)))
        assert 2 == found.count("OriginTimeoutError")
        assert 3 == len(it.seen)


async def test_memory_is_bounded() -> None:
    """A manifest that does not fit is served, and fetched again next time."""
    async with pair(memory_bytes=100, store=Nowhere()) as (it, one):
        assert ["1", "1"] == [await one.outcome(), await one.outcome()]
        assert 2 == it.asked(PATH)


async def test_unknown_assets_do_not_push_out_a_copy_in_use() -> None:
    """404s and failures are bounded, and push out no copy, used or not."""
    async with pair(memory_bytes=20_000, store=Nowhere()) as (it, one):
        await one.load()
        cache = one.source._cache
        for number in range(20_000):
            unknown = ManifestKey(f"unknown-{number}", ManifestFormat.HLS)
            cache.remember(unknown, NotFound(), one.clock.now)
            broken = RecentFailure(FailureKind.STATUS, "answered 500")
            key = ManifestKey(f"broken-{number}", ManifestFormat.HLS)
            cache.remember_failure(key, None, broken)
        assert len(cache._failures) <= 8192
        assert "1" == await one.outcome()
        assert 1 == it.asked(PATH)


class Nowhere(MemoryStore):
    """A store that keeps nothing."""

    def put_source_later(self, name: str, value: bytes, ttl_s: float) -> None:
        """Drop the value."""
