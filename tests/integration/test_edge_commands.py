"""``gateway edge``, with real processes: two gateways, an edge that registers, and a Valkey."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store.connection.keys import EDGE_FACTS
from tests.integration.announcing import ACCEPTING, SIGNING
from tests.integration.forked import gateway_command
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.store.servers import Valkey, valkey

TTL_S = 2.0
EDGE = ("--id", "new-1", "--url", "https://new-1.example/v/", "--continent", "EU")
BEATS = ("--interval", "0.5", "--ttl", str(TTL_S))


@dataclass(frozen=True)
class Site:
    """A Valkey, and two gateways on it."""

    server: Valkey
    gateways: tuple[RunningGateway, RunningGateway]

    @property
    def environ(self) -> dict[str, str]:
        """The environment that points a command to that Valkey."""
        return environ_of(self.server)


def environ_of(server: Valkey) -> dict[str, str]:
    """The environment of a process that uses this store."""
    return {**ACCEPTING, "GATEWAY_STORE__URL": server.url, "GATEWAY_LOG__FORMAT": "json"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all tests of this module; each test restores its state."""
    with (
        valkey(tmp_path_factory.mktemp("valkey")) as server,
        running_gateway(None, environ=environ_of(server)) as one,
        running_gateway(None, environ=environ_of(server)) as two,
    ):
        yield Site(server, (one, two))


def command(environ: dict[str, str], *words: str) -> Result:
    """Run ``gateway edge`` to its end, in this process: starting one takes longer than its work."""
    return CliRunner().invoke(main, ["edge", *words], env=environ)


@contextlib.contextmanager
def registering(site: Site, *words: str) -> Iterator[subprocess.Popen[str]]:
    """An edge that keeps itself registered."""
    process = subprocess.Popen(
        [*gateway_command(), "edge", "register", *EDGE, *BEATS, *words],
        env={**os.environ, **site.environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def count(site: Site, event: str, edge: str) -> tuple[int, ...]:
    """How often each gateway has logged this event for that edge."""
    return tuple(
        sum(line.get("edge") == edge for line in gateway.lines(event)) for gateway in site.gateways
    )


def until(so: Callable[[], bool], limit_s: float) -> float:
    """Wait until a condition holds; returns the seconds it took."""
    started = time.monotonic()
    while not so():
        took_s = time.monotonic() - started
        assert took_s < limit_s, f"still not so after {took_s:.1f} s"
        time.sleep(0.01)
    return time.monotonic() - started


def both(site: Site, event: str, edge: str = "new-1") -> Callable[[], bool]:
    """Whether both gateways have logged it once more than now."""
    before = count(site, event, edge)
    return lambda: all(
        now > then for now, then in zip(count(site, event, edge), before, strict=True)
    )


def first_edge(gateway: RunningGateway, session: str) -> str:
    """The edge that serves a session of an unknown place. The request places the session there."""
    answer = httpx.get(f"{gateway.url}/v1/play/film.m3u8", params={"session": session})
    found = re.search(r'edge="([^"]+)"', answer.headers["gateway-decision"])
    assert found is not None
    return found[1]


def said(process: subprocess.Popen[str], event: str) -> float:
    """Wait for a log line of the process; returns when it arrived."""
    assert process.stderr is not None
    for line in process.stderr:
        if event in line:
            return time.monotonic()
    raise AssertionError(f"it ended without {event}")


@pytest.mark.parametrize(
    ("end", "limit_s"),
    [(signal.SIGTERM, 1.0), (signal.SIGINT, 1.0), (signal.SIGKILL, TTL_S + 1.0)],
    ids=["SIGTERM", "SIGINT", "SIGKILL"],
)
def test_an_edge_comes_and_goes(site: Site, end: signal.Signals, limit_s: float) -> None:
    """Both gateways have the edge within a second; when it ends they remove it, at once if it can
    deregister."""
    added, removed = both(site, "edge_added"), both(site, "edge_removed")
    with registering(site) as process:
        registered_at = said(process, "edge_registered")
        until(added, 1.0)
        known_s = time.monotonic() - registered_at
        process.send_signal(end)
        gone_s = until(removed, limit_s)
        assert (0 if end != signal.SIGKILL else -end) == process.wait(5)
    print(f"{end.name}: known after {known_s * 1000:.0f} ms, gone after {gone_s * 1000:.0f} ms")


def wait_for_heartbeat(site: Site) -> None:
    """Wait until the edge's entry is written again."""
    before = site.server.command("HGET", EDGE_FACTS, "new-1")
    until(lambda: site.server.command("HGET", EDGE_FACTS, "new-1") != before, 20.0)


def test_a_process_that_replaces_another_keeps_the_edge(site: Site) -> None:
    """The first one ends after the second has begun: nothing leaves, and nothing says so."""
    with registering(site) as first:
        said(first, "edge_registered")
        with registering(site) as second:
            said(second, "edge_registered")
            first.send_signal(signal.SIGSTOP)
            wait_for_heartbeat(site)
            wait_for_heartbeat(site)  # surely of the second one, which has sent the last one then
            first.send_signal(signal.SIGTERM)
            first.send_signal(signal.SIGCONT)
            said(first, "edge_not_ours_any_more")
            assert 0 == first.wait(5)
            removed = both(site, "edge_removed")
            second.send_signal(signal.SIGTERM)
            until(removed, TTL_S + 1.0)


def test_redis_restarted_empty(site: Site) -> None:
    """The edge registers again by itself, and no gateway removes it in between."""
    added, removed = both(site, "edge_added"), both(site, "edge_removed")
    drained = both(site, "edge_state")
    with registering(site) as process:
        until(added, 10.0)
        command(site.environ, "drain", "new-1", "--why", "maintenance")
        until(drained, 5.0)  # gateways can only write back what they know
        site.server.kill()
        time.sleep(TTL_S + 0.5)
        site.server.start()
        back_s = until(lambda: site.server.command("EXISTS", "gw1:{edges}:facts") == 1, 5.0)
        time.sleep(TTL_S + 1.0)
        assert not removed()
        listed = command(site.environ, "list").stdout
        assert re.search(
            r"^new-1 .* registry +draining +0% +- +maintenance, since ", listed, re.MULTILINE
        )
        command(site.environ, "undrain", "new-1")
        process.terminate()
        until(removed, 2.0)
    print(f"registered again {back_s * 1000:.0f} ms after Redis was back")


def test_draining(site: Site, tmp_path: Path) -> None:
    """In effect within a second; new sessions go elsewhere, also from a gateway that starts later,
    and a playing session stays."""
    assert "global" == first_edge(site.gateways[0], "plays")
    drained = both(site, "edge_state", "global")
    started = time.monotonic()
    assert (
        "global: drained\n" == command(site.environ, "drain", "global", "--why", "new disks").stdout
    )
    until(drained, 1.0)
    print(f"drained {(time.monotonic() - started) * 1000:.0f} ms after the command was started")
    assert "global" not in {first_edge(site.gateways[0], f"s{at}") for at in range(5)}
    assert ["global", "global"] == [first_edge(each, "plays") for each in site.gateways]
    with running_gateway(None, environ=site.environ) as third:
        assert "global" != first_edge(third, "s1")
    lines = command(site.environ, "list").stdout.splitlines()
    assert ["id", "url", "finder", "state", "takes", "load", "why"] == lines[0].split()
    assert any(
        re.match(r"global .* config +draining +0% +- +new disks, since 20", line) for line in lines
    )
    back = both(site, "edge_state", "global")
    assert "global: no longer drained\n" == command(site.environ, "undrain", "global").stdout
    until(back, 1.0)
    assert "global" == first_edge(site.gateways[0], "s9")


def test_an_id_that_no_edge_has_is_refused(site: Site) -> None:
    """Nothing is drained, not even what is known; --force insists. The end of a drain that there
    was not is told, too."""
    ended = command(site.environ, "drain", "global", "us-eest-1", "nosuch")
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert 'no edge has the id "us-eest-1"; did you mean "us-east-1"?' in ended.stderr
    assert 'no edge has the id "nosuch"' in ended.stderr
    assert "draining" not in command(site.environ, "list").stdout
    ended = command(site.environ, "drain", "later", "--force")
    assert (0, "later: drained\n") == (ended.exit_code, ended.stdout)
    assert "warning: no edge has the id later now\n" == ended.stderr
    assert re.search(r"^later +- +- +drained", command(site.environ, "list").stdout, re.MULTILINE)
    ended = command(site.environ, "undrain", "later", "nosuch")
    assert (0, "later: no longer drained\n") == (ended.exit_code, ended.stdout)
    assert "warning: nosuch: was not drained\n" == ended.stderr


def test_an_edge_that_the_config_drains_stays_drained(site: Site, tmp_path: Path) -> None:
    """``undrain`` ends the drains of ``drain`` alone, and says so."""
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[[edges]]\nid = "a"\nurl = "https://a.example/"\nfallback = true\ndrain = true\n'
    )
    ended = command(site.environ, "undrain", "a", "--config", str(config))
    assert (0, "") == (ended.exit_code, ended.stdout)
    assert "warning: a: the config still drains it (drain = true)\n" == ended.stderr


def test_once(site: Site) -> None:
    """One heartbeat, for cron, keeps the edge registered for its time to live."""
    added, removed = both(site, "edge_added", "cron"), both(site, "edge_removed", "cron")
    words = ("--id", "cron", "--url", "https://cron.example/", "--once", "--ttl", "1.5")
    assert "cron: registered for 1.5 s\n" == command(site.environ, "register", *words).stdout
    until(added, 1.0)
    until(removed, 3.0)


WRONG = [
    (
        "everything at once",
        ("register", "--id", "a b", "--url", "ftp://x", "--continent", "XX", "--weight", "0"),
        (
            '--id: "a b" does not have the allowed form',
            '--url: "ftp://x" is not an absolute URL',
            '--continents: "XX" is not one of the allowed values',
            "--weight: 0 is below 1",
        ),
    ),
    ("half a place", ("register", "--id", "a", "--url", "http://x", "--latitude", "1"), ("--lon",)),
    (
        "too slow",
        ("register", *EDGE, "--interval", "4", "--ttl", "6"),
        ("error: --interval: ", "to 3"),
    ),
    (
        "a url that no gateway would use",
        ("register", "--id", "a", "--url", "https://a.example.com/"),
        ("error: --url: is not allowed by registry.urls: http://*:*/, https://*.example/",),
    ),
    ("no edge", ("drain", "nosuch"), ('no edge has the id "nosuch"', "--force")),
    ("not an id", ("drain", "good", "../x"), ('ID: "../x" is not an id; allowed: ',)),
]


@pytest.mark.parametrize(
    ("words", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_is_wrong_is_said(
    site: Site, words: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """Errors are on stderr, with the option and what is allowed; exit code 1, and nothing is
    written."""
    ended = command(site.environ, *words)
    assert 1 == ended.exit_code
    assert [] == [text for text in expected if text not in ended.stderr]


def test_announcements_need_a_key(site: Site) -> None:
    """Nothing is written without one."""
    ended = command({"GATEWAY_STORE__URL": site.server.url}, "register", *EDGE, "--once")
    assert 1 == ended.exit_code
    assert "error: --config: registry.keys has no active key" in ended.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [("embedded", "no other process can reach"), ("unix:///nowhere", "cannot reach the store")],
)
def test_no_redis_in_reach(site: Site, url: str, expected: str) -> None:
    """Without a reachable Redis the message says so; exit code 1."""
    for words in (["list"], ["drain", "a"], ["register", *EDGE, "--once"]):
        ended = command({**SIGNING, "GATEWAY_STORE__URL": url}, *words)
        assert (1, True) == (ended.exit_code, expected in ended.stderr)
