"""Two gateways with two workers each on one Redis: all workers act on what one announces."""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import Result

from gateway.background.control import Control
from gateway.commands.purge import purge_everywhere, purge_of
from gateway.commands.store_access import CommandError
from gateway.config.load import load
from gateway.operators.purges import PurgeReport
from gateway.play.hls.manifest import hls_source
from gateway.source.directory import DirectorySource
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination.bus import TOPICS
from gateway.store.coordination.messages import EdgesChanged, PolicyReloaded, Purge, encode_message
from gateway.store.coordination.presence import LiveWorker, Presence
from gateway.store.coordination.redis_bus import RedisBus
from manifests.format import ManifestFormat
from tests.background import in_background
from tests.integration import commands
from tests.integration.processes import children
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import until
from tests.unit.store.servers import Valkey, valkey
from tests.unit.store.servers import until as wait_until

FORMATS = {ManifestFormat.HLS: hls_source("{asset}.m3u8")}
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000\nlow.m3u8\n"

WITHIN_S = 1.0
"""What the project promises of a reload, a drained edge or a purge."""


def config(height: int) -> str:
    """A config; its number changes only the policy. Settings that differ between hosts come from
    the environment."""
    return f"[profiles.wifi]\nmax_height = {height}\n"


@dataclass
class Hosts:
    """Two hosts that share a Redis, each with a config file of its own."""

    server: Valkey
    folder: Path
    gateways: list[RunningGateway]

    @property
    def configs(self) -> list[Path]:
        """Their files."""
        return [self.folder / name / "gateway.toml" for name in ("one", "two")]

    def count(self, event: str) -> int:
        """How often all workers of both hosts have logged an event."""
        return sum(len(gateway.lines(event)) for gateway in self.gateways)

    def wait_for(self, event: str, count: int) -> None:
        """Wait until an event was logged this often."""
        until(lambda: self.count(event) == count)

    def purge(self, *words: str) -> Result:
        """Run ``gateway purge``."""
        return commands.gateway("purge", *words, GATEWAY_STORE__URL=self.server.url)

    def purge_from_here(self) -> PurgeReport:
        """Run ``gateway purge`` in this process."""
        loaded = load(None, {"GATEWAY_STORE__URL": self.server.url})
        return asyncio.run(purge_everywhere(loaded, purge_of("film", None)))


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Both hosts, after all four workers have registered."""
    folder = tmp_path_factory.mktemp("hosts")
    asset = folder / "catalogue" / "film" / "master.m3u8"
    asset.parent.mkdir(parents=True)
    asset.write_bytes(MASTER)
    for name in ("one", "two"):
        (folder / name).mkdir()
    (folder / "one" / "gateway.toml").write_text(config(720), "utf-8")
    # One file under two names: a write through either is seen by both, but only the folder of the
    # name that was written through tells of it.
    os.link(folder / "one" / "gateway.toml", folder / "two" / "gateway.toml")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(valkey(folder))
        environ = {
            "GATEWAY_STORE__URL": server.url,
            "GATEWAY_SOURCE__KIND": "directory",
            "GATEWAY_SOURCE__ROOT": str(folder / "catalogue"),
            "GATEWAY_EDGES": '[{"id": "e", "url": "https://e.example/", "fallback": true}]',
        }
        hosts = Hosts(server, folder, [])
        hosts.gateways += [
            stack.enter_context(running_gateway(path, "--workers", "2", environ=environ))
            for path in hosts.configs
        ]
        for gateway in hosts.gateways:
            gateway.wait_for("started", 2)
        until(
            lambda: [metric(each.admin_url, "gateway_workers") for each in hosts.gateways] == [4, 4]
        )
        yield hosts


def test_a_purge_reaches_every_worker(hosts: Hosts) -> None:
    """An asset and a prefix: all four workers acknowledge within the promised time."""
    for number, words in enumerate((["film"], ["--prefix", "fi"]), 1):
        done = hosts.purge(*words)
        print(done.stdout)
        assert (0, "") == (done.exit_code, done.stderr)
        said, _, took = done.stdout.strip().rpartition(" in ")
        assert "purged on 4 of 4 workers" == said
        assert float(took.removesuffix(" ms")) < WITHIN_S * 1000
        hosts.wait_for("purged", 4 * number)
    lines = [(line["asset"], line["prefix"]) for line in hosts.gateways[1].lines("purged")]
    assert [("film", None)] * 2 + [(None, "fi")] * 2 == lines
    assert "film" in httpx.get(f"{hosts.gateways[0].url}/v1/play/film").json()["manifest_url"]


def test_a_purge_names_who_did_not_answer(hosts: Hosts) -> None:
    """A stopped worker is named; it purges when it resumes."""
    before = hosts.count("purged")
    (stopped, _) = children(hosts.gateways[0].process.pid)
    os.kill(stopped, signal.SIGSTOP)  # not for long: its parent replaces it after 5 s
    try:
        done = hosts.purge_from_here()
    finally:
        os.kill(stopped, signal.SIGCONT)
    first, second = done.to_text().splitlines()
    assert first.startswith("purged on 3 of 4 workers in 2")
    assert second.endswith(f", process {stopped}")
    hosts.wait_for("purged", before + 4)


def test_a_reload_here_is_looked_for_there(hosts: Hosts) -> None:
    """The second host gets no event for its folder, and its next check of the file is seconds away;
    a message over Redis makes it look."""
    took = []
    for height in (360, 540):
        reloads = hosts.count("config_reloaded")
        started = time.monotonic()
        hosts.configs[0].write_text(config(height), "utf-8")
        hosts.wait_for("config_reloaded", reloads + 4)
        took.append(time.monotonic() - started)
        for gateway in hosts.gateways:
            decision = httpx.get(f"{gateway.url}/v1/play/film").json()
            assert height == decision["quality_profile"]["max_height"]
    print(f"reload on the other host: {', '.join(f'{each:.2f} s' for each in took)}")
    assert max(took) < WITHIN_S + 0.5  # the file must have been still for a moment, too
    # What one says makes nobody else say something: four reloads are four announcements each.
    published = 'gateway_bus_published_total{outcome="accepted",topic="policy"}'
    until(lambda: sum(metric(gateway.admin_url, published) for gateway in hosts.gateways) == 8)
    time.sleep(0.5)
    assert 8 == sum(metric(gateway.admin_url, published) for gateway in hosts.gateways)


def test_hosts_with_different_files_leave_each_other_alone(hosts: Hosts) -> None:
    """A reload on one reloads nothing on the other when its file is the same as before."""
    reloads = len(hosts.gateways[0].lines("config_reloaded"))
    other = hosts.configs[1]
    new = other.with_name("new.toml")
    new.write_text(config(1080), "utf-8")
    new.replace(other)
    count = len(hosts.gateways[1].lines("config_reloaded"))
    hosts.gateways[1].wait_for("config_reloaded", count + 2)
    time.sleep(WITHIN_S)
    assert reloads == len(hosts.gateways[0].lines("config_reloaded"))


def acknowledged_by(hosts: Hosts) -> int:
    """The number of workers that have purged; 0 until one has registered with the new Redis."""
    try:
        return hosts.purge_from_here().acknowledged
    except CommandError:
        return 0


def test_without_redis(hosts: Hosts) -> None:
    """A saved config still takes effect at once, and a purge reports the failure. Afterwards all
    works as before, without a restart, and the reload that could not be announced is announced."""
    path = hosts.configs[1]
    published = 'gateway_bus_published_total{outcome="accepted",topic="policy"}'
    told = metric(hosts.gateways[1].admin_url, published)
    hosts.server.kill()
    reloads = len(hosts.gateways[1].lines("config_reloaded"))
    path.write_text(config(240), "utf-8")
    hosts.gateways[1].wait_for("config_reloaded", reloads + 2)
    with pytest.raises(CommandError, match="cannot reach the store"):
        hosts.purge_from_here()
    hosts.server.start()
    until(lambda: metric(hosts.gateways[1].admin_url, published) == told + 2)
    started = time.monotonic()
    until(lambda: acknowledged_by(hosts) == 4)
    print(f"a purge reaches everyone {time.monotonic() - started:.1f} s after Redis is back")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("embedded", 'store.url is "embedded", which no other process can reach'),
        ("memory", 'such as store.url = "redis://localhost:6379"'),
        ("redis://:secret@127.0.0.1:1", "cannot reach the store at redis://127.0.0.1:1"),
    ],
)
async def test_a_purge_that_cannot_be(url: str, said: str) -> None:
    """The store cannot be reached: one line says why."""
    with pytest.raises(CommandError, match=re.escape(said)) as raised:
        await purge_everywhere(load(None, {"GATEWAY_STORE__URL": url}), purge_of("film", None))
    assert "secret" not in str(raised.value)


async def test_a_purge_that_nobody_takes(tmp_path: Path) -> None:
    """No worker is alive, or Redis accepts no writes."""
    with valkey(tmp_path) as server:
        loaded = load(None, {"GATEWAY_STORE__URL": server.url})
        with pytest.raises(CommandError, match="no worker is alive"):
            await purge_everywhere(loaded, purge_of("film", None))
        server.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(CommandError, match="did not accept the purge"):
            await purge_everywhere(loaded, purge_of("film", None))


@pytest.mark.parametrize(
    ("asset", "prefix"), [("../film", None), (None, ""), (None, "/film"), (None, "a//")]
)
def test_a_purge_of_what_can_be_no_asset(asset: str | None, prefix: str | None) -> None:
    """Text that cannot be an asset id is refused without using Redis."""
    with pytest.raises(CommandError, match="of A-Z a-z 0-9"):
        purge_of(asset, prefix)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["film"], 1, 'error: store.url is "embedded"'),
        (["../x"], 1, 'error: ASSET "../x": not an asset id: 1-512 characters of '),
        (["--prefix", "a b"], 1, 'error: --prefix "a b": not the start of an asset id: 1-512 of '),
        (["film", "--prefix", "f"], 2, "give either ASSET or --prefix"),
    ],
)
def test_the_command_line(words: list[str], code: int, said: str) -> None:
    """Errors go to stderr, with exit code 1 for failures and 2 for usage errors."""
    done = commands.gateway("purge", *words)
    assert (code, "") == (done.exit_code, done.stdout)
    assert said in done.stderr


async def test_a_directory_reads_again_what_was_purged(tmp_path: Path) -> None:
    """A purge of an asset, of a prefix, or a revalidation reads files again; a purge of one asset
    reads no other."""
    source = DirectorySource(tmp_path, FORMATS, 10_000)
    for name in ("one", "two"):
        (tmp_path / f"{name}.m3u8").write_bytes(MASTER)
    before = {name: await source.load(name) for name in ("one", "two")}
    for name in ("one", "two"):
        (tmp_path / f"{name}.m3u8").write_bytes(MASTER.replace(b"800000", b"900000"))
    assert before["one"] is await source.load("one")
    await source.purge("one")
    assert [900_000] == (await source.load("one")).manifest.ladder.peaks
    assert before["two"] is await source.load("two")
    for forget in (source.purge_prefix("tw"), source.revalidate_all()):
        known = await source.load("two")
        await forget
        assert known is not await source.load("two")
    assert [900_000] == (await source.load("two")).manifest.ladder.peaks


async def test_what_a_worker_does_when_told(tmp_path: Path) -> None:
    """A purge forgets what it names. Garbage does nothing. After a gap the file is checked, and the
    source revalidates unless the log proves that no purge was missed."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.m3u8").write_bytes(MASTER)
    source = DirectorySource(tmp_path, FORMATS, 10_000)
    looks: list[float] = []
    me = LiveWorker("id", "host", 1, "v1", 0)
    with valkey(tmp_path) as server:
        store = RedisStore(server.url, timeout_s=0.2, quiet=True)
        await store.start()
        bus = RedisBus(store, poll_s=0.2)
        control = Control(
            bus,
            Presence(store, lambda: me),
            store,
            lambda: looks.append(time.monotonic()),
            lambda: source,
        )
        async with in_background(bus.run(), control.run()):
            await wait_until(lambda: len(looks) == 1)  # of the start

            one, two = await source.load("one"), await source.load("two")
            for topic in TOPICS:
                assert await bus.publish(topic, b"nonsense")
                assert await bus.publish(topic, encode_message(EdgesChanged("drain", "x")))
            assert await bus.publish("assets", encode_message(Purge("one", None, "ab")))
            await wait_until(lambda: server.command("EXISTS", b"gw1:{workers}:ack:ab") == 1)
            assert one is not await source.load("one")
            assert two is await source.load("two")
            assert 1 == len(looks)

            assert await bus.publish("policy", encode_message(PolicyReloaded("v2")))
            await wait_until(lambda: len(looks) == 2)
            control.reloaded("v3")  # it receives its own message
            await wait_until(lambda: len(looks) == 3)

            server.freeze()
            await asyncio.sleep(0.5)
            server.thaw()
            await wait_until(lambda: len(looks) == 4)
            assert two is await source.load("two")
            server.command("FLUSHALL")
            await wait_until(lambda: len(looks) == 5)
            await asyncio.sleep(0)
            assert two is not await source.load("two")

        await store.close()
