"""The config and the GeoIP file change while players send requests: changes take effect at once, or
not at all."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.processes import children
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import Viewers, until
from tests.unit.geodata.mmdb_files import GERMANY, MINNEAPOLIS, write_mmdb

VIEWER = {"X-Forwarded-For": "203.0.113.7", "Connection": "close"}

PLAYLIST = (
    "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,"
    'CODECS="avc1.4d401e,mp4a.40.2"\n360.m3u8\n'
)
SOURCE = (
    '[[edges]]\nid = "own"\nurl = "https://own.example"\nfallback = true\n'
    '[source]\nkind = "directory"\n'
)
RULE = '[[tokens.protect]]\nasset_prefix = "film/"\nrefuse_anonymous = true\n'


def config(height: int) -> str:
    """A config that a test can identify by a height."""
    return (
        f"[profiles.wifi]\nmax_height = {height}\n"
        '[geo]\ndatabase = "city.mmdb"\n[store]\nurl = "memory"\n'
    )


def database(path: Path, record: dict[str, Any]) -> None:
    """Put a City database in place as a careful program does."""
    new = path.with_name("new.mmdb")
    write_mmdb(new, "GeoIP2-City", {"203.0.113.0/24": record})
    new.replace(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config and its GeoIP file."""
    folder = tmp_path_factory.mktemp("reload")
    (folder / "gateway.toml").write_text(config(720), "utf-8")
    database(folder / "city.mmdb", MINNEAPOLIS)
    return folder


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[RunningGateway]:
    """A gateway with two workers."""
    with running_gateway(folder / "gateway.toml", "--workers", "2") as gateway:
        gateway.wait_for("started", 2)
        with Viewers(gateway.url, threads=2) as viewers:
            yield gateway
        assert [] == viewers.failures
        assert 0 == viewers.refused
        assert viewers.answered > 100


def answers(gateway: RunningGateway, seen: Callable[[dict[str, Any]], object]) -> set[object]:
    """The values that decisions have on many new connections, and so in both workers."""
    found = set()
    for _ in range(16):
        answer = httpx.get(f"{gateway.url}/v1/play/film", headers=VIEWER)
        found.add(seen(answer.json()))
    return found


def height(decision: dict[str, Any]) -> object:
    """The height that identifies a config."""
    return decision["quality_profile"]["max_height"]


def country(decision: dict[str, Any]) -> object:
    """The country that identifies a database."""
    return decision["client"]["country"]


def test_a_saved_config_is_in_force_in_every_worker(gateway: RunningGateway, folder: Path) -> None:
    """The file takes effect without a signal; each worker logs and counts it once."""
    assert {720} == answers(gateway, height)
    (folder / "gateway.toml").write_text(config(360), "utf-8")
    gateway.wait_for("config_reloaded", 2)
    assert {360} == answers(gateway, height)
    assert 2 == metric(gateway.admin_url, 'gateway_config_reloads_total{outcome="ok"}')


def test_a_broken_config_is_refused_whole(gateway: RunningGateway, folder: Path) -> None:
    """The last good one stays, also after SIGHUP; the log and the metrics report the refusal."""
    refused = len(gateway.lines("config_refused"))
    (folder / "gateway.toml").write_text(config(240) + "[profiles.wify]\nmax_hight = 1\n", "utf-8")
    lines = gateway.wait_for("config_refused", refused + 2)
    gateway.signal(signal.SIGHUP)
    gateway.wait_for("config_refused", refused + 4)
    assert {360} == answers(gateway, height)
    assert re.search(r"max_hight.*max_height", " ".join(lines[-1]["problems"]))
    assert 4 == metric(gateway.admin_url, 'gateway_config_reloads_total{outcome="refused"}')
    (folder / "gateway.toml").write_text(config(1080), "utf-8")
    gateway.wait_for("config_reloaded", 4)
    assert {1080} == answers(gateway, height)


def test_a_new_worker_waits_for_a_good_config(folder: Path) -> None:
    """A worker dies while the file is broken. The other one serves with the last good config, and
    the replacement starts when the file is valid again."""
    path = folder / "other.toml"
    path.write_text(config(720), "utf-8")
    with running_gateway(path, "--workers", "2") as gateway:
        gateway.wait_for("started", 2)
        time.sleep(0.3)  # until the folder is watched
        path.write_text("[server\n", "utf-8")
        gateway.wait_for("config_refused", 2)
        os.kill(children(gateway.process.pid)[0], signal.SIGKILL)
        gateway.wait_for("worker_waits_for_config")
        assert {720} == answers(gateway, height)
        new = folder / "new.toml"
        new.write_text(config(360), "utf-8")
        new.replace(path)  # or the new worker might start with a file that is still empty
        gateway.wait_for("started", 3)
        gateway.wait_for("config_reloaded")
        assert {360} == answers(gateway, height)
        assert 1 == len(gateway.lines("worker_replaced"))


def test_a_new_worker_keeps_what_waits_for_a_restart(folder: Path) -> None:
    """A worker that replaces another has the catalogue that the others have, not the one that waits
    for a restart in them."""
    path, new = folder / "held.toml", folder / "held.new"
    for catalogue, film in (("old", "first"), ("new", "second")):
        (folder / catalogue / film).mkdir(parents=True)
        (folder / catalogue / film / "master.m3u8").write_text(PLAYLIST, "utf-8")
    path.write_text(f'{SOURCE}root = "old"\n', "utf-8")
    with running_gateway(path, "--workers", "2", environ={"GATEWAY_STORE__URL": "memory"}) as it:
        it.wait_for("started", 2)
        time.sleep(0.3)  # until the folder is watched
        new.write_text(f'{SOURCE}root = "new"\n[profiles.wifi]\nmax_height = 360\n', "utf-8")
        new.replace(path)
        it.wait_for("config_waits_for_restart", 2)
        os.kill(children(it.process.pid)[0], signal.SIGKILL)
        it.wait_for("started", 3)
        it.wait_for("config_waits_for_restart", 3)
        found = set()
        for _ in range(16):
            for film in ("first", "second"):
                answer = httpx.get(f"{it.url}/v1/play/{film}.m3u8", headers=VIEWER)
                found.add((film, answer.status_code))
        assert {("first", 200), ("second", 404)} == found


def test_a_new_worker_starts_while_a_file_needs_a_restart(folder: Path) -> None:
    """The others have refused the file, which is good but for a database that waits. The new worker
    runs as the gateway was started, and says so."""
    path, new = folder / "needs.toml", folder / "needs.new"
    path.write_text(config(720), "utf-8")
    write_mmdb(folder / "anonymous.mmdb", "GeoIP2-Anonymous-IP", {})
    with running_gateway(path, "--workers", "2") as it:
        it.wait_for("started", 2)
        time.sleep(0.3)  # until the folder is watched
        geo = '[geo]\nanonymous_ip_database = "anonymous.mmdb"\n'
        new.write_text(config(360).replace("[geo]\n", geo) + RULE, "utf-8")
        new.replace(path)
        it.wait_for("config_refused", 2)
        for pid in children(it.process.pid):
            os.kill(pid, signal.SIGKILL)
        it.wait_for("started", 4)
        assert {720} == answers(it, height)
        lines = it.wait_for("config_refused", 4)
        assert "until a restart" in " ".join(lines[-1]["problems"])


def test_sighup_reaches_every_worker(gateway: RunningGateway) -> None:
    """The parent forwards SIGHUP; no worker is replaced."""
    before = len(gateway.lines("config_reloaded"))
    gateway.signal(signal.SIGHUP)
    gateway.wait_for("config_reloaded", before + 2)
    assert 2 == len(gateway.lines("started"))


def test_a_geoip_file_is_replaced(gateway: RunningGateway, folder: Path) -> None:
    """A truncated file is refused, logged once and counted, and the last good one stays in use. A
    valid file is used within seconds."""
    path = folder / "city.mmdb"
    loaded = len(gateway.lines("geo_loaded"))
    assert {"US"} == answers(gateway, country)
    whole = path.read_bytes()
    cut = path.with_name("cut.mmdb")
    cut.write_bytes(whole[: len(whole) // 2])
    cut.replace(path)
    lines = gateway.wait_for("geo_refused", 2)
    assert {"US"} == answers(gateway, country)
    assert "place" == lines[0]["role"]
    until(lambda: httpx.get(f"{gateway.admin_url}/readyz").json()["status"] == "degraded")
    database(path, GERMANY)
    gateway.wait_for("geo_loaded", loaded + 2)
    assert {"DE"} == answers(gateway, country)
    assert 2 == len(gateway.lines("geo_refused"))
    assert 2 == metric(gateway.admin_url, 'gateway_geo_reloads_total{outcome="refused"}')
    until(lambda: httpx.get(f"{gateway.admin_url}/readyz").json()["status"] == "ready")
