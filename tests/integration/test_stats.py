"""``gateway stats`` with a running gateway: its output, its groups, and its errors."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import Result

from gateway.store.connection.keys import EVENTS
from tests.integration import commands
from tests.integration.forked import gateway_command
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.store.servers import Valkey, valkey

PLACES = {"NO": "129.240.2.6", "BD": "103.4.145.245", "US": "8.8.8.8"}
PHONE = "Mozilla/5.0 (Linux; Android 14; SM-S918B) Chrome/131.0.0.0 Mobile Safari/537.36"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One Valkey for the gateway and the stats."""
    with valkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture(scope="module")
def environ(server: Valkey) -> dict[str, str]:
    """The environment of the gateway and of the command."""
    return {
        "GATEWAY_STORE__URL": server.url,
        "GATEWAY_STORE__TIMEOUT_MS": "150",
        "GATEWAY_EVENTS__ENABLED": "true",
        "GATEWAY_EVENTS__FLUSH_INTERVAL_MS": "20",
    }


@pytest.fixture(scope="module")
def gateway(server: Valkey, environ: dict[str, str]) -> Iterator[RunningGateway]:
    """A gateway with two workers that has served 40 players: 20 from Norway, 12 from Bangladesh, 8
    from the United States."""
    with running_gateway(None, "--workers", "2", environ=environ) as running:
        for number in range(40):
            country = "NO" if number < 20 else "BD" if number < 32 else "US"
            headers = {"X-Forwarded-For": PLACES[country], "User-Agent": PHONE}
            httpx.get(f"{running.url}/v1/play/film.m3u8?session={number}", headers=headers)
        deadline = time.monotonic() + 5
        while server.command("XLEN", EVENTS) != 40:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield running


def stats(environ: dict[str, str], *arguments: str) -> Result:
    """Run ``gateway stats`` to its end."""
    return commands.gateway("stats", *arguments, **environ)


def counts(report: dict[str, Any], dimension: str) -> dict[str, int]:
    """How often each name was chosen."""
    return {share["name"]: share["count"] for share in report["shares"][dimension]}


def test_everybody_sees_everything(
    gateway: RunningGateway, server: Valkey, environ: dict[str, str]
) -> None:
    """Each run counts all events of all workers, and leaves no group behind."""
    for _ in range(2):
        ended = stats(environ, "--once", "--json", "--window", "600")
        assert (0, "") == (ended.exit_code, ended.stderr)
        report = json.loads(ended.stdout)
        assert {"NO": 20, "BD": 12, "US": 8} == counts(report, "country")
        assert {"eu-west-1": 20, "ap-southeast-1": 12, "us-east-1": 8} == counts(report, "edge")
        assert {"mobile_4g": 40} == counts(report, "profile")
        assert {"phone": 40} == counts(report, "device")
        assert 40 == sum(counts(report, "cache").values())
        assert [0.5, 0.3, 0.2] == [share["share"] for share in report["shares"]["edge"]]
        assert (40, 0, 0, 0) == tuple(
            report[key] for key in ("events", "lost", "pending", "dead_letters")
        )
        assert round(40 / 600, 3) == report["per_second"]
        assert [] == server.command("XINFO", "GROUPS", EVENTS)
    assert 40 == metric(gateway.admin_url, "gateway_events_written_total")
    assert 0 == metric(gateway.admin_url, "gateway_events_queued")


def test_the_table(gateway: RunningGateway, environ: dict[str, str]) -> None:
    """The table has the same figures."""
    ended = stats(environ, "--once", "--window", "600")
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("last 600 s: 40 events, 0.1/s   lost 0, waiting ")
    assert "  NO                             20   50.0%  ██████████" in lines
    assert "\x1b" not in ended.stdout


def test_a_named_group_shares_the_work(
    gateway: RunningGateway, server: Valkey, environ: dict[str, str]
) -> None:
    """Another run of the group does not count events again; the group stays, its consumers are
    removed."""
    reports = [
        json.loads(stats(environ, "--once", "--json", "--group", "billing").stdout)
        for _ in range(2)
    ]
    assert [40, 0] == [report["events"] for report in reports]
    assert [None, None] == [report["lost"] for report in reports]
    with server.client() as redis:
        [group] = redis.xinfo_groups(EVENTS)
    assert (b"billing", 0, 0) == tuple(group[key] for key in ("name", "consumers", "pending"))
    server.command("XGROUP", "DESTROY", EVENTS, "billing")


def test_the_live_view(gateway: RunningGateway, server: Valkey, environ: dict[str, str]) -> None:
    """A report each second, with new and lost events; Ctrl-C ends it."""
    command = [*gateway_command(), "stats", "--json", "--window", "600"]
    with subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
    ) as live:
        assert live.stdout is not None
        assert 40 == json.loads(live.stdout.readline())["events"]
        entry = server.command("XREVRANGE", EVENTS, "+", "-", "COUNT", "1")
        assert isinstance(entry, list)
        fields = entry[0][1]
        for number in (b"1", b"4"):  # of a writer that lost two events between them
            fields[b"id"] = b"w-" + number
            server.command("XADD", EVENTS, "*", *[word for pair in fields.items() for word in pair])
        server.command("XADD", EVENTS, "*", "no", "event")
        of_5138 = (word for pair in (fields | {b"id": b"w-5"}).items() for word in pair)
        server.command("XADD", EVENTS, "100000000000000-0", *of_5138)
        report: dict[str, Any] = {}
        for line in live.stdout:
            report = json.loads(line)
            if report["events"] == 42 and report["dead_letters"] == 2:
                break
        assert 2 == report["lost"]
        live.send_signal(signal.SIGINT)
        assert 0 == live.wait(30)
    assert [] == server.command("XINFO", "GROUPS", EVENTS)


ERRORS = [
    ("events are off", {"GATEWAY_EVENTS__ENABLED": "false"}, ("[events]", "enabled = true")),
    ("store in memory", {"GATEWAY_STORE__URL": "memory"}, ('"memory"', "redis://")),
    ("embedded store", {"GATEWAY_STORE__URL": "embedded"}, ('"embedded"', "redis://")),
    ("nobody there", {"GATEWAY_STORE__URL": "redis://u:pw@127.0.0.1:1"}, ("redis://127.0.0.1:1",)),
]


@pytest.mark.parametrize(("name", "settings", "words"), ERRORS)
def test_what_it_cannot_do(name: str, settings: dict[str, str], words: tuple[str, ...]) -> None:
    """One line that says why and what to do; exit code 1."""
    ended = stats({"GATEWAY_EVENTS__ENABLED": "true", **settings})
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert 1 == len(ended.stderr.splitlines())
    assert ended.stderr.startswith("error: ")
    assert [] == [word for word in words if word not in ended.stderr]
    assert "pw" not in ended.stderr
