"""What ``/readyz`` and the metrics say while something is wrong."""

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from tests.integration.in_process import OPERATORS, started

WITHIN_S = 10.0
SUCCESSFUL = "gateway_config_last_reload_successful"
SUCCESS_AT = "gateway_config_last_reload_success_timestamp_seconds"


async def check_when(
    client: httpx.AsyncClient, name: str, status: str, reason: str = ""
) -> dict[str, Any]:
    """One check of ``/readyz``, once it has this status and its reason holds ``reason``."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            check: dict[str, Any] = (await client.get(f"{OPERATORS}/readyz")).json()["checks"][name]
            if check["status"] == status and reason in check.get("reason", ""):
                return check
            await asyncio.sleep(0.02)


async def value_of(client: httpx.AsyncClient, metric: str) -> float:
    """The value of a metric without labels."""
    lines = (await client.get(f"{OPERATORS}/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{metric} "))


async def test_a_refused_config_degrades_until_a_good_one_is_in_force(tmp_path: Path) -> None:
    """The reason, the time of the first refusal and the gauges; all of it ends by itself."""
    path = tmp_path / "gateway.toml"
    path.write_text("", "utf-8")
    before = time.time()
    async with started(path) as client:
        check = await check_when(client, "config", "ok")
        assert before <= await value_of(client, SUCCESS_AT) <= time.time()
        assert await value_of(client, SUCCESSFUL) == 1
        assert "reason" not in check

        path.write_text("[server]\nprot = 1\n", "utf-8")
        check = await check_when(client, "config", "degraded")
        assert check["reason"].startswith("gateway.toml: server.prot: is not a known key")
        since = check["since"]
        assert int(before) <= datetime.fromisoformat(since).timestamp() <= time.time()
        assert (await client.get(f"{OPERATORS}/readyz")).status_code == 200
        assert await value_of(client, SUCCESSFUL) == 0
        loaded = await value_of(client, SUCCESS_AT)

        path.write_text("[server]\n" + "".join(f"x{n} = 1\n" for n in range(5)), "utf-8")
        check = await check_when(client, "config", "degraded", "x0")
        assert check["since"] == since
        assert check["reason"].endswith("; and 2 more, see the log")

        path.write_text("[server]\nport = 1\nmanifest_max_age_s = 9\n", "utf-8")
        check = await check_when(client, "config", "ok")
        assert "reason" not in check
        assert "server.port" in check["waits_for_restart"]
        assert await value_of(client, SUCCESSFUL) == 1
        assert await value_of(client, SUCCESS_AT) > loaded


async def test_a_config_that_is_deleted_is_a_refused_one(tmp_path: Path) -> None:
    """The last good one stays in force, and a restart would fail: that is said."""
    path = tmp_path / "gateway.toml"
    path.write_text("[server]\nmanifest_max_age_s = 9\n", "utf-8")
    async with started(path) as client:
        path.unlink()
        check = await check_when(client, "config", "degraded")
        assert "cannot be read" in check["reason"]
        answer = await client.get("/v1/play/film.m3u8")
        assert answer.headers["cache-control"] == "private, max-age=9"
