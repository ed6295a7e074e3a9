"""``gateway steer``, with a real Valkey and a gateway that obeys."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store.connection.keys import EDGE_DRAINS
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.store.servers import Valkey, valkey

CONFIG = """
[steering]
leave_s = 0
[[edges]]
id = "e1"
url = "https://e1.example.com/v/"
fallback = true
[[edges]]
id = "e2"
url = "https://e2.example.com/v/"
latitude = 1.0
longitude = 1.0
[[edges]]
id = "e3"
url = "https://e3.example.com:8443/v/"
latitude = 1.0
longitude = 1.0
"""
STEER = ("--from", "e1", "--to", "e2", "--until", "1h")


@dataclass(frozen=True)
class Site:
    """A Valkey, a config, and a gateway on both."""

    server: Valkey
    config: Path
    gateway: RunningGateway

    def steer(self, *words: str) -> Result:
        """Run ``gateway steer`` to its end."""
        environ = {"GATEWAY_STORE__URL": self.server.url, "GATEWAY_CONFIG": str(self.config)}
        return CliRunner().invoke(main, ["steer", *words], env=environ)

    def ready(self) -> dict[str, Any]:
        """The state of the edges in ``/readyz``."""
        found: dict[str, Any] = httpx.get(f"{self.gateway.admin_url}/readyz").json()
        edges: dict[str, Any] = found["checks"]["edges"]
        return edges


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all tests of this module."""
    config = tmp_path_factory.mktemp("config") / "g.toml"
    config.write_text(CONFIG)
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        environ = {"GATEWAY_STORE__URL": server.url}
        with running_gateway(config, environ=environ) as gateway:
            yield Site(server, config, gateway)


@pytest.fixture
def site(started: Site) -> Iterator[Site]:
    """That site; what a test began is cancelled."""
    yield started
    for one in json.loads(started.steer("list", "--json").stdout):
        assert 0 == started.steer("cancel", one["id"]).exit_code
    until(lambda: "overrides" not in started.ready())


def until(so: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + limit_s
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def began(site: Site, *words: str) -> str:
    """Begin an override; its id, once the gateway has it."""
    ended = site.steer(*words)
    assert 0 == ended.exit_code, ended.stderr
    override = ended.stdout.split(":")[0]
    until(lambda: override in str(site.ready()))
    return override


def edges_of(site: Site, sessions: int) -> list[str]:
    """Where new sessions play."""
    found = []
    with httpx.Client(base_url=site.gateway.url) as client:
        for _ in range(sessions):
            session = f"s{time.monotonic_ns()}"
            answer = client.get("/v1/play/film.m3u8", params={"session": session})
            edge = re.search(r'edge="([^"]+)"', answer.headers["gateway-decision"])
            assert edge is not None
            found.append(edge[1])
    return found


def test_a_share_of_new_sessions_moves_at_once(site: Site) -> None:
    """And is placed as before when the override is cancelled. Who and why are shown."""
    assert {"e1"} == set(edges_of(site, 20))
    override = began(site, *STEER, "--share", "30%", "--why", "a test é")
    [shown] = site.ready()["overrides"]
    assert (override, "e1", "e2", "30 %", "a test é") == tuple(
        shown[name] for name in ("id", "from", "to", "share", "why")
    )
    assert "@" in shown["who"]
    placed = edges_of(site, 200)
    assert {"e1", "e2"} == set(placed)
    assert 30 <= placed.count("e2") <= 95
    assert "gateway_steering_overrides 1.0" in httpx.get(f"{site.gateway.admin_url}/metrics").text
    listed = site.steer("list").stdout
    assert [override, "e1", "e2", "30", "%"] == listed.splitlines()[1].split()[:5]
    ended = site.steer("cancel", override)
    assert f"{override}: cancelled; sessions stay where they are\n" == ended.stdout
    until(lambda: "overrides" not in site.ready())
    assert {"e1"} == set(edges_of(site, 20))
    [known] = [
        one
        for one in json.loads(site.steer("list", "--json", "--all").stdout)
        if one["id"] == override
    ]
    assert (0.3, shown["who"]) == (known["share"], known["cancelled_by"])
    assert override not in site.steer("list").stdout
    assert f"cancelled by {shown['who']}" in site.steer("list", "--all").stdout


def test_a_running_session_follows_and_stays(site: Site) -> None:
    """With the next answer, as ``leave_s`` is 0; and not back when the override ends."""
    base = site.gateway.url
    playlist = httpx.get(f"{base}/v1/play/film.m3u8").text
    found = re.search(r'SERVER-URI="([^"]+)"', playlist)
    assert found is not None
    body = httpx.get(f"{base}{found[1]}&_HLS_pathway=e1").json()
    assert "e1" == body["PATHWAY-PRIORITY"][0]
    override = began(site, *STEER, "--share", "100%")
    body = httpx.get(f"{base}{body['RELOAD-URI']}&_HLS_pathway=e1").json()
    assert "e2" == body["PATHWAY-PRIORITY"][0]
    assert "e2" in {clone["ID"] for clone in body["PATHWAY-CLONES"]}
    site.steer("cancel", override)
    until(lambda: "overrides" not in site.ready())
    body = httpx.get(f"{base}{body['RELOAD-URI']}&_HLS_pathway=e2").json()
    assert "e2" == body["PATHWAY-PRIORITY"][0]


def test_it_ends_by_itself(site: Site) -> None:
    began(site, *STEER[:4], "--until", "2s", "--share", "100%")
    assert {"e2"} == set(edges_of(site, 5))
    site.gateway.wait_for("override_ended")
    until(lambda: "overrides" not in site.ready())
    assert {"e1"} == set(edges_of(site, 5))


def test_the_reason_names_it(site: Site) -> None:
    """In the decision for operators, and in ``gateway explain``."""
    override = began(site, *STEER, "--share", "100%", "--why", "disks")
    reasons = httpx.get(f"{site.gateway.admin_url}/v1/play/film").json()["reasons"]
    [reason] = [one for one in reasons if override in one]
    for text in ("e2 instead of e1", "100 % of the sessions", "disks"):
        assert text in reason
    environ = {"GATEWAY_STORE__URL": site.server.url}
    words = ["explain", "film", "--config", str(site.config), "--ip", "127.0.0.1"]
    explained = CliRunner().invoke(main, words, env=environ)
    assert 0 == explained.exit_code, explained.stderr
    assert f"override {override}: 100 % of the sessions of e1 go to e2" in explained.stdout
    assert "e2 instead of e1" in explained.stdout


def test_the_sessions_of_some_assets(site: Site) -> None:
    """New ones and running ones; other assets stay, and may be sent elsewhere."""
    base = site.gateway.url
    running = {}
    for asset in ("live/one", "film"):
        found = re.search(r'SERVER-URI="([^"]+)"', httpx.get(f"{base}/v1/play/{asset}.m3u8").text)
        assert found is not None
        running[asset] = httpx.get(f"{base}{found[1]}&_HLS_pathway=e1").json()["RELOAD-URI"]
    override = began(site, *STEER, "--share", "100%", "--asset", "live/")
    assert {"e1"} == set(edges_of(site, 10))
    placed = httpx.get(f"{base}/v1/play/live/two.m3u8").headers["gateway-decision"]
    assert 'edge="e2"' in placed
    told = {
        asset: httpx.get(f"{base}{url}&_HLS_pathway=e1").json()["PATHWAY-PRIORITY"][0]
        for asset, url in running.items()
    }
    assert {"live/one": "e2", "film": "e1"} == told
    [shown] = site.ready()["overrides"]
    assert "live/" == shown["asset_prefix"]
    assert "live/…" in site.steer("list").stdout
    [listed] = json.loads(site.steer("list", "--json").stdout)
    assert "live/" == listed["asset_prefix"]
    refused = site.steer(*STEER, "--share", "1%", "--asset", "live/one")
    assert 1 == refused.exit_code
    assert f"{override} (100 % of e1 with live/… to e2)" in refused.stderr
    other = site.steer(*STEER, "--share", "100%", "--asset", "film")
    assert 0 == other.exit_code
    assert "100 % of the sessions with film… of e1 go to e2" in other.stdout


WRONG: list[tuple[str, tuple[str, ...], int, tuple[str, ...]]] = [
    ("nothing", (), 2, ("--from, --to, --share and --until are required",)),
    ("no share", STEER, 2, ("are required",)),
    ("share without %", (*STEER, "--share", "20"), 2, ("--share", "'20'", "such as 20%")),
    ("share of nothing", (*STEER, "--share", "0%"), 2, ("0.01% to 100%",)),
    ("share of too much", (*STEER, "--share", "101%"), 2, ("0.01% to 100%",)),
    ("no asset", (*STEER, "--share", "1%", "--asset", "/x"), 2, ("'/x'", "A-Z a-z 0-9")),
    ("no end", (*STEER[:4], "--share", "1%", "--until", "soon"), 2, ("'soon'", "90m", "Z")),
    ("no zone", (*STEER[:4], "--share", "1%", "--until", "2099-01-01T00:00"), 2, ("has no zone",)),
    ("over", (*STEER[:4], "--share", "1%", "--until", "2020-01-01T00:00Z"), 1, ("over already",)),
    ("0 s", (*STEER[:4], "--share", "1%", "--until", "0s"), 1, ("over already",)),
    ("too long", (*STEER[:4], "--share", "1%", "--until", "31d"), 1, ("too far ahead", "30 days")),
    (
        "an edge that nobody has",
        ("--from", "e1", "--to", "e9", "--share", "1%", "--until", "1h"),
        1,
        ('--to: no edge has the id "e9"', "allowed: e1, e2, e3", "nothing was steered", "--force"),
    ),
    (
        "both unknown",
        ("--from", "e8", "--to", "e9", "--share", "1%", "--until", "1h"),
        1,
        ('--from: no edge has the id "e8"', '--to: no edge has the id "e9"'),
    ),
    (
        "to itself",
        ("--from", "e1", "--to", "e1", *STEER[4:], "--share", "1%"),
        1,
        ("another edge",),
    ),
    ("no id", ("--from", "a b", *STEER[2:], "--share", "1%"), 1, ('"a b"', "is not an id")),
    ("nothing to cancel", ("cancel", "nope"), 1, ("'nope'", "in force: none")),
    ("options of another", ("--from", "e1", "list"), 2, ("takes none of these options",)),
]


@pytest.mark.parametrize(
    ("words", "code", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_is_wrong_is_said(
    site: Site, words: tuple[str, ...], code: int, expected: tuple[str, ...]
) -> None:
    """On stderr, with the option and what is allowed; nothing is written."""
    ended = site.steer(*words)
    assert code == ended.exit_code
    assert [] == [text for text in expected if text not in ended.stderr]
    assert [] == json.loads(site.steer("list", "--json").stdout)


def test_more_than_there_is(site: Site) -> None:
    """Shares of one edge add up to 100 % at most; circles are refused."""
    first = began(site, *STEER, "--share", "70%")
    second = began(site, "--from", "e1", "--to", "e3", "--share", "30%", "--until", "1h")
    ended = site.steer(*STEER, "--share", "1%")
    assert 1 == ended.exit_code
    assert f"{first} (70 % of e1 to e2)" in ended.stderr
    assert f"{second} (30 % of e1 to e3)" in ended.stderr
    ended = site.steer("--from", "e2", "--to", "e1", "--share", "1%", "--until", "1h")
    assert 1 == ended.exit_code
    assert "in circles" in ended.stderr
    site.steer("cancel", first)
    assert 0 == site.steer(*STEER, "--share", "70%").exit_code


def test_warnings(site: Site) -> None:
    """What is begun all the same, and does not do all that it says."""
    ended = site.steer("--from", "e1", "--to", "e9", "--share", "1%", "--until", "1h", "--force")
    assert (0, True) == (ended.exit_code, 'no edge has the id "e9"' in ended.stderr)
    ended = site.steer("--from", "e1", "--to", "e3", "--share", "1%", "--until", "1h")
    assert (0, True) == (ended.exit_code, "only new sessions go there" in ended.stderr)
    site.server.command(
        "HSET", EDGE_DRAINS, "e3", '{"drained": true, "why": "disks", "since_s": 1}'
    )
    ended = site.steer("--from", "e2", "--to", "e3", "--share", "1%", "--until", "1h")
    assert 0 == ended.exit_code
    assert "e3 is draining (disks): nobody is sent there until it is open" in ended.stderr
    site.server.command("DEL", EDGE_DRAINS)


def test_no_redis_in_reach(site: Site) -> None:
    for words in ([*STEER, "--share", "1%"], ["list"], ["cancel", "0" * 8]):
        environ = {"GATEWAY_STORE__URL": "embedded", "GATEWAY_CONFIG": str(site.config)}
        ended = CliRunner().invoke(main, ["steer", *words], env=environ)
        assert (1, True) == (ended.exit_code, "no other process can reach" in ended.stderr)
