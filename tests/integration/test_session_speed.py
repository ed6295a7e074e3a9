"""What a player measures over time, and what the gateway makes of it."""

import re
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest

from gateway.client.estimate import SampleSource
from tests.integration.in_process import application, asking

PHONE = {
    "User-Agent": "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
}
SLOW_HINT = {"Downlink": "1.5"}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock forward."""
    now_s = [1_800_000_000.0]

    def advance(seconds: float) -> None:
        now_s[0] += seconds

    monkeypatch.setattr(time, "time", lambda: now_s[0])
    return advance


async def decided(client: httpx.AsyncClient, query: str, headers: dict[str, str]) -> str:
    """The profile and the speed of a player's next request."""
    answer = await client.get(f"/v1/play/film.m3u8?session=s{query}", headers=PHONE | headers)
    found = re.search(
        r"profile=(\w+).*?(?:speed=(\d+;src=\w+))?, edge", answer.headers["Gateway-Decision"]
    )
    assert found is not None
    return f"{found[1]} {found[2]}"


def mtp(kbps: float) -> str:
    """A query with the throughput that a player measured."""
    return "&CMCD=" + quote(f"mtp={kbps}")


STORY: list[tuple[float, str, dict[str, str], str]] = [
    (0, "", {}, "mobile_4g None"),
    (10, "", SLOW_HINT, "mobile_3g 1500;src=hints"),
    (10, mtp(5000), {}, "mobile_4g 5000;src=cmcd"),
    (10, mtp(5100), {}, "mobile_4g 5100;src=cmcd"),
    (10, mtp(4900), {}, "mobile_4g 4900;src=cmcd"),
    (10, "", SLOW_HINT, "mobile_4g 4900;src=session"),
    # One report in bit/s, or one in Mbit/s: not believed, and hardly seen afterwards.
    (10, mtp(5_000_000), {}, "mobile_4g 4900;src=session"),
    (10, "", {}, "mobile_4g 6375;src=session"),
    (10, mtp(5000), {}, "mobile_4g 5000;src=cmcd"),
    (10, mtp(5000), {}, "mobile_4g 5000;src=cmcd"),
    (10, mtp(5), {}, "mobile_4g 5000;src=session"),
    # A slower network, believed at once.
    (10, mtp(900), {}, "mobile_2g 900;src=cmcd"),
    # Whoever states a speed gets the profile for it.
    (10, "&speed=9000000", {}, "mobile_4g 9000000;src=query"),
    (10, "&speed=300", {}, "mobile_2g 300;src=query"),
    # An estimate ages: the browser knows better, and after an hour nobody knows.
    (600, "", SLOW_HINT, "mobile_3g 1500;src=hints"),
    (3600, "", {}, "mobile_4g None"),
]


async def test_a_session_over_time(later: Callable[[float], None]) -> None:
    """One player on one connection, whose reports are sometimes wrong."""
    app = application()
    async with asking(app) as client:
        seen = []
        for seconds, query, headers, _ in STORY:
            later(seconds)
            seen.append(await decided(client, query, headers))
    assert [expected for *_, expected in STORY] == seen


async def test_a_flood_of_lies_is_one(later: Callable[[float], None]) -> None:
    """A player that reports a lie fifty times in a second is heard once."""
    app = application()
    async with asking(app) as client:
        for _ in range(4):
            later(10)
            await decided(client, mtp(2000), {})
        later(10)
        for _ in range(50):
            later(0.02)
            await decided(client, mtp(9_000_000), {})
        later(10)
        assert "mobile_3g 2500;src=session" == await decided(client, "", {})


@pytest.mark.parametrize("source", ["probe", "steering"])
async def test_other_measurements_name_their_source(
    later: Callable[[float], None], source: SampleSource
) -> None:
    """What a probe or a steering request measured decides the next manifest, and is named."""
    app = application()
    async with asking(app) as client:
        await decided(client, "", {})
        record, _ = await app.gateway.sessions.get("s")
        estimate = record.estimate.updated(800, source, time.time(), app.gateway.runtime.estimator)
        app.gateway.sessions.put("s", record.measured(estimate))
        assert f"mobile_2g 800;src={source}" == await decided(client, "", {})
