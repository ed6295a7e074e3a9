"""Each background task of the running gateway is killed, and returns by itself."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.app import build
from gateway.config.load import load
from gateway.observe import metrics, tasks
from tests.integration.in_process import OPERATORS, asking
from tests.unit.store.servers import until, valkey

NAMES = (
    *("activity", "bus", "capacity", "config", "control", "control_store", "dns"),
    *("dns_lookup", "events", "geo", "health", "keys", "measurements"),
    *(
        "origin_check",
        "otlp",
        "overrides",
        "revocations",
        "concurrent_sessions",
        "presence",
        "priors",
        "probe",
        "register",
    ),
    *("audit", "rates", "reports", "source", "store", "token_keys", "whereabouts"),
)
"""All but ``warm_up``, which ends, and ``file_descriptors``, which belongs to the server."""

CONFIG = """
[source]
kind = "origin"
url = "http://127.0.0.1:9/"
[dns]
resolvers = ["127.0.0.1:9"]
[events]
enabled = true
[otlp]
endpoint = "http://127.0.0.1:9/"
[health]
path = "ping"
[[edges]]
id = "one"
url = "http://127.0.0.1:9/"
[[edges]]
id = "named"
url = "http://edges.invalid/"
[edges.dns]
name = "edges.invalid"
type = "A"
"""


def running(name: str) -> list[asyncio.Task[object]]:
    """The tasks of this name that run now."""
    return [task for task in asyncio.all_tasks() if task.get_name() == name]


async def readiness(client: httpx.AsyncClient) -> dict[str, object]:
    """The check of tasks in ``/readyz``."""
    answer = await client.get(f"{OPERATORS}/readyz")
    found: dict[str, object] = answer.json()["checks"]["tasks"]
    return found


def failures(name: str) -> float:
    """What the metric counts."""
    found: float = metrics.TASK_FAILURES.labels(name)._value.get()
    return found


async def test_every_task_that_is_killed_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted, and named in ``/readyz``; the gateway goes on to answer players."""
    monkeypatch.setattr(tasks, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(tasks, "STEADY_S", 600.0)  # a failure stays visible
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG)
    with valkey(tmp_path) as server:
        environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_STORE__TIMEOUT_MS": "500"}
        app = build(load(config, environ))
        async with app.lifespan(app), asking(app) as client:
            assert set(app._background_tasks()) <= set(NAMES)
            await until(lambda: all(map(running, NAMES)))
            assert {"status": "ok"} == await readiness(client)
            for name in NAMES:
                before, killed = failures(name), running(name)
                for task in killed:
                    task.cancel()
                await until(lambda: killed != running(name) and all(map(running, NAMES)))  # noqa: B023
                assert len(killed) == failures(name) - before, name
                shown = await readiness(client)
                assert "degraded" == shown["status"]
                assert f"{name}: CancelledError" in str(shown["reason"])
            assert 504 == (await client.get("/v1/play/title.m3u8")).status_code
    assert {} == tasks.failing()
