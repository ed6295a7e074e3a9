"""Live MPDs from origins: how old a copy may be, and never an older one after a newer one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.offload import INLINE_BYTES
from gateway.source.source import (
    BadSourceError,
    NoSuchAssetError,
    OriginError,
    SourceManifest,
)
from gateway.store.connection.memory import MemoryStore
from manifests.format import ManifestFormat
from tests.integration.origins import Mode, Origin, origin
from tests.integration.test_origin import FRESHNESS, LIMITS, PATH, Worker, worker

MPD_PATH = "/a/manifest.mpd"
SERVES_MPD = "application/dash+xml"


def mpd(second: int, update: str = 'minimumUpdatePeriod="PT4S"', more: str = "") -> str:
    """A live MPD as it was published ``second`` seconds after ten o'clock."""
    return (
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" minBufferTime="PT2S" '
        f'profiles="urn:mpeg:dash:profile:isoff-live:2011" {update} '
        'availabilityStartTime="2026-11-29T09:00:00Z" '
        f'publishTime="2026-11-29T10:{second // 60:02}:{second % 60:02}Z"><Period id="1">'
        '<AdaptationSet mimeType="video/mp4"><SegmentTemplate media="$RepresentationID$/$Number$" '
        'duration="2"/><Representation id="v" bandwidth="1000" codecs="avc1.4d401e"/>'
        f"</AdaptationSet>{more}</Period></MPD>"
    )


def answers(body: str, **more: object) -> Mode:
    """An origin that answers with this MPD."""
    given: dict[str, object] = {"body": body, "content_type": SERVES_MPD, "cache_control": None}
    return Mode.of(given | more)


@contextlib.asynccontextmanager
async def live(**options: object) -> AsyncIterator[tuple[Origin, Worker]]:
    """An origin with a live MPD and a worker with the same clock."""
    async with origin() as it, worker(it.url, **options) as one:
        it.wall = one.clock.unix
        it.modes[MPD_PATH] = answers(mpd(0))
        yield it, one


async def load(one: Worker, asset: str = "a") -> SourceManifest:
    """What a player of DASH would get."""
    return await one.source.load(asset, wanted=ManifestFormat.DASH)


async def published(one: Worker) -> int:
    """When the MPD that a player would get was published: seconds after ten."""
    found = (await load(one)).manifest.live
    assert found is not None
    assert found.published_s is not None
    return round(found.published_s) % 3600


async def settled(one: Worker) -> None:
    """Wait for the requests in progress."""
    await asyncio.gather(*(fetch.task for fetch in one.source._fetches.values()))


async def test_both_formats_of_a_title_are_two_manifests_of_one_origin() -> None:
    """Each has its own copy, and a purge of the title forgets both."""
    async with live() as (it, one):
        for _ in range(2):
            assert ManifestFormat.DASH == (await load(one)).manifest.format
            assert ManifestFormat.HLS == (await one.load()).manifest.format
        assert (1, 1) == (it.asked(PATH), it.asked(MPD_PATH))
        assert await one.source.has("a", ManifestFormat.DASH)
        await one.source.purge("a")
        assert not await one.source.has("a", ManifestFormat.DASH)
        await load(one)
        await one.load()
        assert (2, 2) == (it.asked(PATH), it.asked(MPD_PATH))
        accepts = {seen.target: seen.headers["accept"] for seen in it.seen}
        assert accepts[MPD_PATH].startswith("application/dash+xml")
        assert accepts[PATH].startswith("application/vnd.apple.mpegurl")


async def test_half_of_the_update_period_is_fresh_and_half_is_served_meanwhile() -> None:
    """Whatever the origin's default or a longer max-age says: no player gets an older one."""
    async with live() as (it, one):
        it.modes[MPD_PATH] = answers(mpd(0), cache_control="max-age=60")
        assert 0 == await published(one)
        it.modes[MPD_PATH] = answers(mpd(3))
        one.clock.now += 1.9
        assert 0 == await published(one)
        assert 1 == it.asked(MPD_PATH)
        one.clock.now += 1.0
        assert 0 == await published(one)  # stale: the origin is asked meanwhile
        await settled(one)
        assert 3 == await published(one)
        it.modes[MPD_PATH] = answers(mpd(9))
        one.clock.now += 4.1
        assert 9 == await published(one)  # too old to be served without asking
        assert 3 == it.asked(MPD_PATH)


async def test_one_request_for_all_viewers_of_a_live_programme() -> None:
    """A hundred that ask at once after the copy has become too old."""
    async with live() as (it, one):
        await load(one)
        one.clock.now += 10
        it.modes[MPD_PATH] = answers(mpd(10), delay_s=0.05)
        found = await asyncio.gather(*(published(one) for _ in range(100)))
        assert [10] * 100 == found
        assert 2 == it.asked(MPD_PATH)


async def test_a_confirmed_copy_is_a_live_one_too() -> None:
    """304 does not make it fresh for longer than half of the period."""
    async with live() as (it, one):
        it.modes[MPD_PATH] = answers(mpd(0), cache_control="max-age=60")
        await load(one)
        for _ in range(3):
            one.clock.now += 4.1
            found = await load(one)
            assert found.state is not None
            assert "revalidated" == found.state.status
            assert 0 < found.state.left_s <= 2
        assert 4 == it.asked(MPD_PATH)


async def test_an_mpd_that_is_never_updated_is_as_fresh_as_its_origin_says() -> None:
    """Without @minimumUpdatePeriod, as a static one."""
    async with live() as (it, one):
        it.modes[MPD_PATH] = answers(mpd(0, update=""), cache_control="max-age=60")
        found = await load(one)
        assert found.state is not None
        assert 59 < found.state.left_s <= 60
        assert found.manifest.live is None


BOUND = replace(FRESHNESS, max_stale_live_s=30)


async def test_a_stale_copy_is_better_than_an_error_for_a_while() -> None:
    """``max_stale_live_s``, however long others may be stale. Then it is an error."""
    async with live(freshness=BOUND) as (it, one):
        await load(one)
        await one.load()
        it.mode = it.modes[MPD_PATH] = Mode(reset=True)
        one.clock.now += 2 + 29
        assert 0 == await published(one)
        one.clock.now += 2
        with pytest.raises(OriginError):
            await load(one)
        assert "1" == await one.outcome()  # the playlist of the title, from the same origin


async def test_a_lagging_replica_takes_nobody_back() -> None:
    """The newer copy stays, and says why it is stale."""
    async with live(retries=0) as (it, one):
        it.modes[MPD_PATH] = answers(mpd(8))
        assert 8 == await published(one)
        it.modes[MPD_PATH] = answers(mpd(4))
        for _ in range(3):
            one.clock.now += 4.1
            found = await load(one)
            await settled(one)
            assert found.state is not None
            assert "stale" == found.state.status
            assert 8 == await published(one)
        why = (await load(one)).state
        assert "older live manifest" in str(why)
        assert [] == one.source.faults.current()
        it.modes[MPD_PATH] = answers(mpd(20))
        one.clock.now += 4.1
        await asyncio.sleep(0.25)
        await load(one)
        await settled(one)
        assert 20 == await published(one)


async def test_the_next_origin_or_attempt_may_be_ahead() -> None:
    """An older answer is passed over like a failure."""
    async with origin() as it, origin() as other, worker(it.url, other.url) as one:
        it.modes[MPD_PATH] = answers(mpd(8))
        assert 8 == await published(one)
        it.modes[MPD_PATH] = answers(mpd(4))
        other.modes[MPD_PATH] = answers(mpd(12))
        one.clock.now += 4.1
        assert 12 == await published(one)


async def test_an_older_one_is_used_when_the_newer_copy_has_become_useless() -> None:
    """The programme was started again by an encoder whose clock is behind."""
    async with live(freshness=BOUND, retries=0) as (it, one):
        it.modes[MPD_PATH] = answers(mpd(50))
        await load(one)
        it.modes[MPD_PATH] = answers(mpd(4))
        one.clock.now += 2 + 31
        assert 4 == await published(one)


async def test_a_purge_forgets_the_newer_one() -> None:
    """An operator wants what the origin has now."""
    async with live() as (it, one):
        it.modes[MPD_PATH] = answers(mpd(50))
        await load(one)
        it.modes[MPD_PATH] = answers(mpd(4))
        await one.source.purge("a")
        assert 4 == await published(one)


async def test_workers_take_nobody_back_either() -> None:
    """A copy that another worker has shared is used when it is newer, and not when it is older."""
    store = MemoryStore()
    async with (
        live(store=store) as (it, one),
        worker(it.url, store=store, clock=one.clock) as two,
    ):
        it.modes[MPD_PATH] = answers(mpd(8))
        assert 8 == await published(one)
        assert 8 == await published(two)
        assert 1 == it.asked(MPD_PATH)
        one.clock.now += 4.1
        it.modes[MPD_PATH] = answers(mpd(12))
        assert 12 == await published(one)
        it.modes[MPD_PATH] = answers(mpd(9))
        assert 12 == await published(two)
        assert 2 == it.asked(MPD_PATH)


async def test_times_that_nobody_can_read_do_not_stop_updates() -> None:
    """Without @publishTime, the answer that came last is the newest."""
    async with live() as (it, one):
        it.modes[MPD_PATH] = answers(mpd(8))
        await load(one)
        it.modes[MPD_PATH] = answers(mpd(4).replace("2026-11-29T10:00:04Z", "soon"))
        one.clock.now += 4.1
        found = (await load(one)).manifest.live
        assert found is not None
        assert found.published_s is None


GARBAGE = [
    ("a web page", "<!DOCTYPE html><html><body>sorry</body></html>", OriginError),
    ("a playlist", "#EXTM3U\n", OriginError),
    ("JSON", '{"MPD": 1}', OriginError),
    ("nothing", "", OriginError),
    ("another document", "<MPDs/>", BadSourceError),
    ("an unfinished one", mpd(0)[:-6], BadSourceError),
    ("a DOCTYPE", f"<!DOCTYPE MPD>{mpd(0)}", BadSourceError),
    ("too large", mpd(0, more="x" * LIMITS.max_bytes), OriginError),
]


@pytest.mark.parametrize(
    ("body", "error"), [row[1:] for row in GARBAGE], ids=[row[0] for row in GARBAGE]
)
async def test_garbage_replaces_no_copy(body: str, error: type[Exception]) -> None:
    """Whatever its media type says; without a copy it is an error that names what came."""
    async with live(retries=0) as (it, one):
        good = it.modes[MPD_PATH]
        it.modes[MPD_PATH] = answers(body)
        with pytest.raises(error) as raised:
            await load(one)
        assert error is type(raised.value)
        it.modes[MPD_PATH] = good
        await asyncio.sleep(0.25)
        assert 0 == await published(one)
        it.modes[MPD_PATH] = answers(body)
        one.clock.now += 4.1
        assert 0 == await published(one)


async def test_a_body_without_framing_may_end_without_a_line_end() -> None:
    """An MPD ends with its last tag; cut before that, it is refused."""
    async with live(retries=0) as (it, one):
        it.modes[MPD_PATH] = answers(mpd(0), close_delimited=True)
        assert 0 == await published(one)
        await one.source.purge("a")
        it.modes[MPD_PATH] = answers(mpd(0)[:-9], close_delimited=True)
        with pytest.raises(OriginError, match="ends too early"):
            await load(one)


async def test_a_title_without_an_mpd() -> None:
    """404 of one format says nothing about the other."""
    async with live() as (it, one):
        it.modes[MPD_PATH] = Mode(status=404)
        with pytest.raises(NoSuchAssetError):
            await load(one)
        assert "1" == await one.outcome()


async def test_a_large_mpd_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading 2 MB takes a tenth of a second."""
    seen: list[int] = []

    async def noted(size: int, function: object, *args: object) -> object:
        seen.append(size)
        return function(*args)  # type: ignore[operator]

    monkeypatch.setattr("gateway.source.origin.reader.offload_if_large", noted)
    async with live(request=replace(LIMITS, max_bytes=1_000_000)) as (it, one):
        it.modes[MPD_PATH] = answers(mpd(0, more="<!--" + "x" * INLINE_BYTES + "-->"))
        await load(one)
    assert max(seen) > INLINE_BYTES
