"""The store of a running gateway: shared, gone, frozen, restarted, full of garbage, and free of
personal data."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from gateway.observe.metrics import STORE_GARBAGE
from tests.integration.in_process import OPERATORS, started
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.store.servers import Valkey, valkey

PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Mobile Safari/537.36"
)
NORWAY = "129.240.2.6"
VIEWER = {"User-Agent": PHONE, "X-Forwarded-For": NORWAY}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey for one test, which may break it."""
    with valkey(tmp_path) as running:
        yield running


def on(server: Valkey) -> dict[str, str]:
    """The environment of a gateway on that server, with a deadline for a busy machine."""
    return {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "150"}


async def cache(client: httpx.AsyncClient, asset: str, **query: str) -> str:
    """Where the decision about an asset came from."""
    answer = await client.get(f"/v1/play/{asset}.m3u8", params=query, headers=VIEWER)
    assert 200 == answer.status_code
    return answer.headers["Gateway-Decision"].rpartition("cache=")[2]


class Audience:
    """Players that send requests all the time, each for another title, and count the answers."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.caches: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest_s = 0.0
        self._gateway = gateway
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def see(self, kind: str, count: int = 5, within_s: float = 8.0) -> None:
        """Wait for ``count`` more answers with ``cache=kind``."""
        wanted = self.caches[kind] + count
        deadline = time.monotonic() + within_s
        while self.caches[kind] < wanted:
            assert time.monotonic() < deadline, (kind, self.caches, self.failures)
            time.sleep(0.01)

    def _ask(self) -> None:
        with httpx.Client(base_url=self._gateway.url, headers=VIEWER, timeout=5) as client:
            number = 0
            while not self._stop.is_set():
                number += 1
                begun = time.monotonic()
                try:
                    answer = client.get(f"/v1/play/title/{number}.m3u8?session=s{number % 7}")
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    continue
                self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
                if answer.status_code != 200 or not answer.text.startswith("#EXTM3U"):
                    self.failures.append(answer.text)
                    continue
                self.caches[answer.headers["Gateway-Decision"].rpartition("cache=")[2]] += 1


async def test_two_gateways_share_their_decisions(server: Valkey) -> None:
    """``miss`` for a new decision, ``hit`` for one of another process, then ``local``."""
    async with started(environ=on(server)) as one, started(environ=on(server)) as two:
        assert ["miss", "local"] == [await cache(one, "film"), await cache(one, "film")]
        await asyncio.sleep(0.2)  # it is written after the player has its answer
        assert ["hit", "local"] == [await cache(two, "film"), await cache(two, "film")]
        await cache(one, "film", session="viewer", speed="700")
        await asyncio.sleep(0.2)
        answer = await two.get("/v1/play/film.m3u8?session=viewer", headers=VIEWER)
        assert "speed=700;src=session" in answer.headers["Gateway-Decision"]


def test_the_player_notices_nothing(server: Valkey) -> None:
    """Stopped, restarted empty, frozen and thawed under load: no failure, one line per change,
    ``cache=off`` while it lasts, and recovery without a restart."""
    with running_gateway(None, environ=on(server)) as gateway, Audience(gateway) as viewers:
        viewers.see("miss")
        for trouble, cure in ((server.kill, server.start), (server.freeze, server.thaw)):
            trouble()
            viewers.see("off")
            assert 0.0 == metric(gateway.admin_url, "gateway_store_up")
            ready = httpx.get(f"{gateway.admin_url}/readyz")
            assert (200, "degraded") == (ready.status_code, ready.json()["status"])
            assert "degraded" == ready.json()["checks"]["redis"]["status"]
            cure()
            viewers.see("miss")
            assert 1.0 == metric(gateway.admin_url, "gateway_store_up")
            assert "ready" == httpx.get(f"{gateway.admin_url}/readyz").json()["status"]
    assert [] == viewers.failures
    states = [line["state"] for line in gateway.lines("store_state")]
    assert ["up", "down", "up", "down", "up"] == states
    assert viewers.slowest_s < 2.0


async def test_a_gateway_starts_without_its_store(server: Valkey) -> None:
    """It serves with ``cache=off``, and uses the store when that starts."""
    server.kill()
    async with started(environ=on(server)) as client:
        assert "off" == await cache(client, "film")
        assert "degraded" == (await client.get(f"{OPERATORS}/readyz")).json()["status"]
        server.start()
        async with asyncio.timeout(8):
            while (await client.get(f"{OPERATORS}/readyz")).json()["status"] != "ready":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert "miss" == await cache(client, "other")


GARBAGE = [
    b"",
    b"\x00\xff",
    b"null",
    b"[]",
    b"{}",
    b'{"format": 1}',
    b"[" * 100_000,
    (
        b'{"format":1,"profile":"wifi","rule":null,"variants":[99],"iframes":[],"renditions":[],"tiers":'
        b'[["continent",0,[0]]],"reasons":[]}'
    ),
    b"x" * 300_000,
]


async def test_garbage_in_the_store_is_no_decision(server: Valkey) -> None:
    """Garbage under our keys is counted and replaced, and the decision is computed."""
    titles = [f"title/{number}" for number in range(len(GARBAGE))]
    async with started(environ=on(server)) as client:
        for title in titles:
            assert "miss" == await cache(client, title, session=title, speed="9000")
        healthy = (await client.get("/v1/play/title/0.m3u8?speed=9000", headers=VIEWER)).text
    with server.client() as redis:
        names = sorted(redis.scan_iter("gw1:[ds]:*"))
        assert len(names) >= 2 * len(GARBAGE)
        for position, name in enumerate(names):
            redis.set(name, GARBAGE[position % len(GARBAGE)])
        redis.delete(names[0])
        redis.lpush(names[0], "another type")
    async with started(environ=on(server)) as client:
        before = STORE_GARBAGE._value.get()
        for title in titles:
            assert "miss" == await cache(client, title, session=title, speed="9000")
        answer = await client.get("/v1/play/title/0.m3u8?speed=9000", headers=VIEWER)
        assert healthy == answer.text
        assert STORE_GARBAGE._value.get() - before >= len(GARBAGE) - 2
    async with started(environ=on(server)) as client:
        assert "hit" == await cache(client, titles[1], session=titles[1], speed="9000")


@pytest.mark.parametrize("stories", [True, False])
async def test_nothing_about_a_person_is_in_the_store(server: Valkey, *, stories: bool) -> None:
    """No key and no value contains an address, a session, a User-Agent or text that a player sent.
    Titles are in the stories of sessions alone, which can be off."""
    secrets = {NORWAY, "129.240", "my-session-4711", "SM-S918B", "Mozilla", "what/i/watch"}
    switch = {"GATEWAY_SESSIONS__ENABLED": str(stories).lower()}
    async with started(environ={**on(server), **switch}) as client:
        assert "miss" == await cache(
            client, "private/title", session="my-session-4711", speed="900"
        )
        cmcd = {"CMCD": 'sid="my-session-4711",mtp=1200,cid="what/i/watch"'}
        await client.get("/v1/play/private/title", params=cmcd, headers=VIEWER)
    with server.client() as redis:  # what is left to write is written before the gateway ends
        # As Redis itself would write it down, whatever the type, and nothing compressed.
        redis.config_set("rdbcompression", "no")
        everything = [(name, redis.dump(name) or b"") for name in redis.scan_iter("*")]
    assert len(everything) >= 3
    text = repr(everything)
    assert set() == {secret for secret in secrets if secret in text}
    assert stories == ("private/title" in text)
