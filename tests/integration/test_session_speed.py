"""What a player measures over time, and what the gateway makes of it."""

import re
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest

from gateway.client.estimate import SampleSource
from tests.integration.in_process import application, asking
from tests.unit.store.servers import run_until

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


HINTED: list[tuple[float, str, dict[str, str], str]] = [
    (0, "", SLOW_HINT, "mobile_3g 1500;src=hints"),
    # Requests without the hint, and after a while.
    (10, "", {}, "mobile_3g 1500;src=hints"),
    (600, "", {}, "mobile_3g 1500;src=hints"),
    # What the browser says now counts more than what it said.
    (10, "", {"Downlink": "0.4"}, "mobile_2g 400;src=hints"),
    (10, "", {"ECT": "3g"}, "mobile_2g 700;src=hints"),
    (10, "", {"ECT": "3g"}, "mobile_2g 700;src=hints"),
    (10, "", SLOW_HINT, "mobile_3g 1500;src=hints"),
    # A cap is no measurement, and does not replace one.
    (10, "", {"Downlink": "10"}, "mobile_3g 1500;src=hints"),
    # The first measurement decides, and hints no longer count.
    (10, mtp(4000), SLOW_HINT, "mobile_4g 4000;src=cmcd"),
    (10, "", SLOW_HINT, "mobile_4g 4000;src=session"),
    (10, "", {}, "mobile_4g 4000;src=session"),
    (3700, "", {}, "mobile_4g None"),
]


async def test_what_the_browser_says_is_remembered(later: Callable[[float], None]) -> None:
    """While the session has measured nothing."""
    app = application()
    async with asking(app) as client:
        seen = []
        for seconds, query, headers, _ in HINTED:
            later(seconds)
            seen.append(await decided(client, query, headers))
    assert [expected for *_, expected in HINTED] == seen


async def test_a_repeated_hint_is_written_once(later: Callable[[float], None]) -> None:
    """Browsers send it with each request."""
    app = application()
    async with asking(app) as client:
        later(0)
        await decided(client, "", SLOW_HINT)
        record = app.gateway.sessions.fresh("s")
        later(30)
        await decided(client, "", SLOW_HINT)
    assert record is not None
    assert record is app.gateway.sessions.fresh("s")


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


async def steering_url(client: httpx.AsyncClient, session: str) -> str:
    """The SERVER-URI of a session's playlist."""
    answer = await client.get(f"/v1/play/film.m3u8?session={session}")
    found = re.search('SERVER-URI="([^"]+)"', answer.text)
    assert found is not None
    return found[1]


async def test_what_the_steering_server_is_told_counts(later: Callable[[float], None]) -> None:
    """From the playlist of a session over its RELOAD-URIs; bit/s are read as bit/s."""
    async with asking(application()) as client:
        url = await steering_url(client, "s")
        for bps, expected in (("", None), ("800000", 800), ("760000", 760), ("x", 760), ("0", 760)):
            later(10)
            report = f"_HLS_pathway=%22global%22&_HLS_throughput={bps}"
            url = (await client.get(f"{url}&{report}")).json()["RELOAD-URI"]
            speed = f"mobile_2g {expected};src=steering" if expected else "mobile_4g None"
            assert speed == await decided(client, "", {})
        later(10)
        await client.head(f"{url}&_HLS_pathway=global&_HLS_throughput=9000000")
        assert "mobile_2g 760;src=steering" == await decided(client, "", {})


async def test_what_a_player_says_at_first_or_again_is_no_measurement(
    later: Callable[[float], None],
) -> None:
    """It is built with a figure, and repeats the last one while it is paused. Its next measurement
    is believed, whatever it was before."""
    async with asking(application()) as client:
        url = await steering_url(client, "s")
        for kbps, expected in ((500, None), (20_000, 20_000), *[(20_000, 20_000)] * 30):
            later(30)
            report = f"_HLS_pathway=global&_HLS_throughput={kbps}000"
            url = (await client.get(f"{url}&{report}")).json()["RELOAD-URI"]
            speed = f"mobile_4g {expected};src=steering" if expected else "mobile_4g None"
            assert speed == await decided(client, "", {})
        later(1)
        assert "mobile_3g 1500;src=cmcd" == await decided(client, mtp(1500), {})


NAMED: list[tuple[str, str, dict[str, str], str]] = [
    ("a parameter", "&session=s", {}, "mobile_2g 800;src=steering"),
    ("CMCD", "&CMCD=sid%3D%22s%22", {}, "mobile_2g 800;src=steering"),
    ("CMCD in a header", "", {"CMCD-Session": 'sid="s"'}, "mobile_2g 800;src=steering"),
    ("nobody", "", {}, "mobile_4g None"),
    ("another", "&session=other", {}, "mobile_4g None"),
    ("what is no session", "&session=s%00", {}, "mobile_4g None"),
    ("what play would refuse", "&session=s&speed=x", {}, "mobile_4g None"),
]


@pytest.mark.parametrize(
    ("query", "headers", "expected"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED]
)
async def test_a_steering_request_may_name_its_session(
    query: str, headers: dict[str, str], expected: str
) -> None:
    """As requests for playlists do, where its URL does not. Later answers know it by their URL."""
    async with asking(application()) as client:
        await decided(client, "", {})
        report = f"_HLS_pathway=global&_HLS_throughput=800000{query}"
        answer = await client.get(f"/v1/steering/film?{report}", headers=headers)
        assert 200 == answer.status_code
        assert expected == await decided(client, "", {})
        again = answer.json()["RELOAD-URI"]
        assert ("session_name=" in again) is (expected != "mobile_4g None" or "other" in query)


async def test_a_steering_answer_does_not_wait_for_the_store() -> None:
    """A worker that does not know the session reads its record afterwards."""
    app = application()
    async with asking(app) as client:
        await client.get("/v1/steering/film?session=s&_HLS_pathway=global&_HLS_throughput=800000")
        assert None is app.gateway.sessions.fresh("s")
        sessions, measurements = app.gateway.sessions, app.gateway.measurements
        await run_until(lambda: sessions.fresh("s") is not None, measurements.run())
        assert "mobile_2g 800;src=steering" == await decided(client, "", {})


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
