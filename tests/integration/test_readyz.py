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


NO_BANDWIDTH = "BANDWIDTH is missing or not a number"
BROKEN = "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=1x1\na.m3u8\n"
EDGE = '[[edges]]\nid = "a"\nurl = "https://a.example/"\nfallback = true\n'


async def test_a_broken_manifest_is_listed_while_it_lasts(tmp_path: Path) -> None:
    """Its file, line and rule, when it was first met and how often; counted by kind."""
    file = tmp_path / "catalogue/film/master.m3u8"
    file.parent.mkdir(parents=True)
    file.write_text(BROKEN, "utf-8")
    path = tmp_path / "gateway.toml"
    path.write_text(f'source = {{ kind = "directory", root = "catalogue" }}\n{EDGE}', "utf-8")
    async with started(path) as client:
        await check_when(client, "manifests", "ok")
        for _ in range(3):
            answer = await client.get("/v1/play/film.m3u8")
            assert answer.status_code == 502
        check = await check_when(client, "manifests", "degraded")
        (fault,) = check["faults"]
        first, last = fault.pop("first_met"), fault.pop("last_met")
        assert datetime.fromisoformat(first) <= datetime.fromisoformat(last)
        assert fault == {
            "file": "film/master.m3u8",
            "kind": "bandwidth",
            "line": 2,
            "rule": "RFC 8216bis 4.4.6.2",
            "problem": f"film/master.m3u8, line 2: RFC 8216bis 4.4.6.2: {NO_BANDWIDTH}",
            "count": 3,
        }
        counted = 'gateway_source_errors_total{kind="bandwidth"}'
        assert await value_of(client, counted) >= 3
        file.write_text(BROKEN.replace("RESOLUTION=1x1", "BANDWIDTH=1"), "utf-8")
        await check_when(client, "manifests", "ok")
        assert (await client.get("/v1/play/film.m3u8")).status_code == 200


async def test_a_lost_catalogue_degrades_and_is_no_404(tmp_path: Path) -> None:
    """A title that was served is served; any other is 503 with a time to ask again."""
    file = tmp_path / "catalogue/film/master.m3u8"
    file.parent.mkdir(parents=True)
    file.write_text(BROKEN.replace("RESOLUTION=1x1", "BANDWIDTH=1"), "utf-8")
    path = tmp_path / "gateway.toml"
    path.write_text(f'source = {{ kind = "directory", root = "catalogue" }}\n{EDGE}', "utf-8")
    async with started(path) as client:
        good = await client.get("/v1/play/film.m3u8")
        (tmp_path / "catalogue").rename(tmp_path / "elsewhere")
        await check_when(client, "source", "degraded", str(tmp_path / "catalogue"))
        assert (await client.get("/v1/play/film.m3u8")).content == good.content
        other = await client.get("/v1/play/other.m3u8")
        assert (503, "2") == (other.status_code, other.headers["retry-after"])
        assert str(tmp_path) not in other.text
        assert other.json()["type"].endswith(":source-lost")
        assert (await client.get("/readyz")).status_code == 200
        (tmp_path / "elsewhere").rename(tmp_path / "catalogue")
        await check_when(client, "source", "ok")
        assert (await client.get("/v1/play/other.m3u8")).status_code == 404
