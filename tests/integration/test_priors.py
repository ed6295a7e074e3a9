"""A viewer of unknown speed starts as others of its network can; its profile does not change."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.commands.explain import Question, explain_decision
from gateway.config.load import load
from gateway.store.coordination.priors import SETTLE_S
from tests.integration.in_process import application, asking
from tests.unit.store.servers import Valkey, valkey

DESKTOP = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.0.0 Safari/537.36"}
PLAY = "/v1/play/film.m3u8"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    with valkey(tmp_path) as running:
        yield running


def viewer(number: int) -> dict[str, str]:
    """The headers of a viewer: each has a /24 of its own, in one /16."""
    return DESKTOP | {"X-Forwarded-For": f"129.240.{number}.7"}


@pytest.mark.parametrize(
    ("enabled", "speed", "start"),
    [
        ("true", "speed=413;src=prior, ", "240p/playlist.m3u8"),
        ("false", "", "360p/playlist.m3u8"),
    ],
)
async def test_a_network_whose_viewers_are_slow(
    server: Valkey, enabled: str, speed: str, start: str
) -> None:
    """Fifty viewers measure 0.5 Mbit/s. When their window is over, a new one starts on the lowest
    rung instead of within 730 kbit/s. It has the same profile and rungs, and may say otherwise."""
    environ = {
        "GATEWAY_STORE__URL": server.url,
        "GATEWAY_STORE__TIMEOUT_MS": "500",  # the shipped deadline passes on a busy machine
        "GATEWAY_PRIOR__ENABLED": enabled,
        "GATEWAY_PRIOR__WINDOW_S": "86400",  # so that the test is in one window, but at midnight
    }
    app = application(environ=environ)
    async with app.lifespan(app), asking(app) as client:
        for number in range(50):
            await client.get(f"{PLAY}?speed=500", headers=viewer(number))
        before = await client.get(PLAY, headers=viewer(99))
        assert "speed=" not in before.headers["Gateway-Decision"]
        priors, window_s = app.gateway.priors, app.gateway.runtime.settings.prior.window_s
        await priors.flush(time.time())
        await priors.look(time.time() + window_s + SETTLE_S)
        after = await client.get(PLAY, headers=viewer(99))
        decision = after.headers["Gateway-Decision"]
        assert ("src=prior" in decision) is (enabled == "true")
        without = decision.replace(speed, "").partition(", cache=")[0]
        assert without == before.headers["Gateway-Decision"].partition(", cache=")[0]
        assert sorted(before.text.splitlines()) == sorted(after.text.splitlines())
        first = next(line for line in after.text.splitlines() if "playlist.m3u8" in line)
        assert first.endswith(start)
        explained = await explain_decision(
            load(environ=environ),
            Question("film", DESKTOP["User-Agent"], "129.240.99.7"),
        )
        assert ("413 kbit/s (prior)" in explained) is (enabled == "true")
        told = await client.get(f"{PLAY}?speed=90000", headers=viewer(99))
        assert "profile=fiber" in told.headers["Gateway-Decision"]
        elsewhere = await client.get(PLAY, headers=DESKTOP | {"X-Forwarded-For": "103.4.145.245"})
        assert "speed=" not in elsewhere.headers["Gateway-Decision"]
        # Nothing in Redis says who the viewers were.
        names = server.command("KEYS", "*")
        assert isinstance(names, list)
        dump = b"".join(
            server.command("DUMP", name)  # type: ignore[misc]
            for name in names
            if b"priors" in name
        )
        assert (b"129.240" in dump) is False
        assert bool(dump) is (enabled == "true")


async def test_probes_count_as_other_measurements(server: Valkey) -> None:
    """A viewer counts once, whatever it measures with; a result that says nothing does not."""
    environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_PRIOR__WINDOW_S": "86400"}
    app = application(environ=environ)
    async with app.lifespan(app), asking(app) as client:
        for number in range(50):
            result = {"session": f"s{number}", "bytes": 500_000, "duration_ms": 8000}
            answer = await client.post("/v1/probe", json=result, headers=viewer(number))
            assert answer.json()["accepted"]
            await client.get(f"{PLAY}?speed=90000", headers=viewer(number))
            short = {**result, "bytes": 1000, "duration_ms": 0.5}
            await client.post("/v1/probe", json=short, headers=viewer(number + 100))
        priors, window_s = app.gateway.priors, app.gateway.runtime.settings.prior.window_s
        await priors.flush(time.time())
        await priors.look(time.time() + window_s + SETTLE_S)
        after = await client.get(PLAY, headers=viewer(99))
    assert "speed=413;src=prior" in after.headers["Gateway-Decision"]
