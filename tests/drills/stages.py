"""What is there to break? Real processes on loopback, put together anew for each kind of drill.

Drills of one stage run one after the other on the same gateway: none of them needs a restart to
recover, or the next one would show it.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gateway.config.read import read_defaults
from tests.drills.viewers import Plan
from tests.integration.origins import OriginProcess, origin_process
from tests.integration.running import RunningGateway, running_gateway
from tests.unit.geodata.mmdb_files import GERMANY, MINNEAPOLIS, write_mmdb
from tests.unit.store.servers import Proxy, Valkey, listening, valkey

NORWAY, US, BANGLADESH = "129.240.2.6", "128.101.101.101", "103.4.145.245"
ANYWHERE = (NORWAY, US, BANGLADESH)
IN_THE_TEST_NETWORK = "203.0.113.7"

SHIPPED_EDGES = {
    name: f"https://{name}.cdn.example.com/"
    for name in (
        *("us-east-1", "eu-west-1", "ap-southeast-1", "sa-east-1", "ap-southeast-2", "global"),
    )
}
OWN_EDGES = {name: f"https://{name}.edges.example/" for name in SHIPPED_EDGES}
"""The shipped edges serve no source of one's own, but under other URLs."""


@dataclass
class Stage:
    """A running gateway of so many workers, and the plan of those who watch."""

    gateway: RunningGateway
    workers: int
    plan: Plan


@dataclass
class RedisStage(Stage):
    """A gateway on a Valkey, and another Valkey to be its primary."""

    server: Valkey
    other: Valkey


@dataclass
class WireStage(Stage):
    """A gateway whose way to its Valkey leads through a proxy."""

    wire: "Wire"


@dataclass
class ConfigStage(Stage):
    """A gateway whose config and GeoIP file may be replaced."""

    folder: Path

    def write_config(self, height: int, rest: str = "") -> None:
        """Save a config that lets at most ``height`` lines through, as an editor does."""
        new = self.folder / "new.toml"
        new.write_text(config_of(height) + rest, "utf-8")
        new.replace(self.folder / "gateway.toml")

    def write_database(self, country: str, share: float = 1.0) -> None:
        """Replace the GeoIP file by one that knows a country, or by the first part of it."""
        new = self.folder / "new.mmdb"
        record = {"US": MINNEAPOLIS, "DE": GERMANY}[country]
        write_mmdb(new, "GeoIP2-City", {"203.0.113.0/24": record})
        whole = new.read_bytes()
        new.write_bytes(whole[: round(share * len(whole))])
        new.replace(self.folder / "city.mmdb")


@dataclass
class OriginStage(Stage):
    """A gateway whose manifests come from an origin, and another host to lead it astray."""

    origin: OriginProcess
    elsewhere: OriginProcess

    def tell(self, **mode: Any) -> None:
        """How the origin answers from now on (:class:`tests.integration.origins.Mode`)."""
        self.origin.set(**{"cache_control": CACHE_CONTROL, **mode})


CACHE_CONTROL = "max-age=1, stale-while-revalidate=1"
"""So copies are stale long before a drill is over, and the last resort after two seconds."""


@dataclass
class EdgeStage(Stage):
    """A gateway and edges that are processes; by id."""

    edges: Mapping[str, OriginProcess]
    packager: "Packager"
    server: Valkey

    def kill(self, *names: str) -> None:
        """Kill edges."""
        for name in names:
            self.edges[name].kill()

    def start(self, *names: str) -> None:
        """Start edges that were killed."""
        _start_all([self.edges[name] for name in names])


def _start_all(edges: Collection[OriginProcess]) -> None:
    with ThreadPoolExecutor(2) as pool:  # all at once they would take the gateway's share
        list(pool.map(OriginProcess.start, edges))


class Packager:
    """Writes the live playlists of edges, a segment each second, in a thread."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._stuck: frozenset[str] = frozenset()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def stop_at(self, *edges: str) -> None:
        """From now on these edges get nothing new; none: all do."""
        self._stuck = frozenset(edges)

    def __enter__(self) -> Self:
        self._write(0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._ended.wait(1.0):
            number += 1
            self._write(number)

    def _write(self, number: int) -> None:
        segments = "".join(f"#EXTINF:1,\n{number + at}.m4s\n" for at in range(6))
        text = (
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n"
            f"#EXT-X-MEDIA-SEQUENCE:{number}\n{segments}"
        )
        for edge, folder in self._folders.items():
            if edge not in self._stuck:
                new = folder / "new"
                new.write_text(text, "utf-8")
                new.replace(folder / LIVE)


def config_of(height: int) -> str:
    """A config that can be told from others by the number of rungs that it lets through."""
    return (
        f'[profiles.wifi]\nmax_height = {height}\n[geo]\ndatabase = "city.mmdb"\n'
        '[store]\nurl = "memory"\n'
    )


class Wire:
    """The way to a Valkey: a proxy in a thread, that can be slow or reset its connections."""

    def __init__(self, target: Path) -> None:
        self._proxy = Proxy(target)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._ended = asyncio.Event()
        self._cut_each_s: float | None = None
        self._thread = threading.Thread(target=self._run)

    @property
    def url(self) -> str:
        """The address of the Valkey behind it."""
        return f"redis://127.0.0.1:{self._proxy.port}"

    def slow(self, round_trip_s: float) -> None:
        """From now on an answer takes so long."""
        self._proxy.delay_s = round_trip_s / 2

    def cut_each(self, seconds: float | None) -> None:
        """Reset all connections so often; None: no more."""
        self._cut_each_s = seconds

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with listening(self._proxy.serve) as self._proxy.port:
            self._ready.set()
            while not self._ended.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), self._cut_each_s or 0.05)
                if self._cut_each_s is not None:
                    self._proxy.cut()


@contextlib.contextmanager
def _running(
    workers: int,
    environ: Mapping[str, str],
    config: Path | None = None,
    *,
    fresh: bool = False,
) -> Iterator[RunningGateway]:
    """A gateway whose workers are all there. It is ``fresh`` where a drill is about the time that a
    start takes; on the command line, always."""
    with running_gateway(
        config, "--workers", str(workers), environ=dict(environ), fresh=fresh
    ) as gateway:
        gateway.wait_for("started", workers, timeout_s=60)
        yield gateway


def _plan(gateway: RunningGateway, **changes: Any) -> Plan:
    """Viewers in three continents, who ask for 24 titles; every fifth time for a new one."""
    plan: dict[str, Any] = {
        "url": gateway.url,
        "edges": SHIPPED_EDGES,
        "assets": tuple(f"title/{number}" for number in range(24)),
        "addresses": ANYWHERE,
        "fresh_each": 5,
    }
    return Plan(**{**plan, **changes})


@contextlib.contextmanager
def redis_stage(folder: Path) -> Iterator[RedisStage]:
    """Two workers with the shipped config, on a Valkey of their own."""
    for name in ("one", "two"):
        (folder / name).mkdir()
    with (
        valkey(folder / "one") as server,
        valkey(folder / "two") as other,
        _running(2, {"GATEWAY_STORE__URL": server.url}) as gateway,
    ):
        yield RedisStage(gateway, 2, _plan(gateway), server, other)


@contextlib.contextmanager
def wire_stage(folder: Path) -> Iterator[WireStage]:
    """Two workers with the shipped config; their Valkey is behind a proxy."""
    with (
        valkey(folder) as server,
        Wire(server.path) as wire,
        _running(2, {"GATEWAY_STORE__URL": wire.url}) as gateway,
    ):
        yield WireStage(gateway, 2, _plan(gateway), wire)


@contextlib.contextmanager
def config_stage(folder: Path) -> Iterator[ConfigStage]:
    """Two workers with a config and a GeoIP file of their own, and viewers whom both tell apart."""
    path = folder / "gateway.toml"
    path.write_text(config_of(720), "utf-8")
    write_mmdb(folder / "city.mmdb", "GeoIP2-City", {"203.0.113.0/24": MINNEAPOLIS})
    with _running(2, {}, path) as gateway:
        time.sleep(0.3)  # until the folder is watched
        plan = _plan(gateway, addresses=(IN_THE_TEST_NETWORK,))
        yield ConfigStage(gateway, 2, plan, folder)


@contextlib.contextmanager
def worker_stage(folder: Path) -> Iterator[Stage]:
    """Four workers with the shipped config, on the Valkey that comes with them."""
    with _running(4, {}, fresh=True) as gateway:
        yield Stage(gateway, 4, _plan(gateway))


EDGES = {
    "oslo-1": (59.91, 10.75, "EU"),
    "oslo-2": (59.91, 10.75, "EU"),
    "singapore-1": (1.35, 103.82, "AS"),
    "singapore-2": (1.35, 103.82, "AS"),
    "virginia-1": (38.95, -77.45, "NA"),
    "virginia-2": (38.95, -77.45, "NA"),
    "virginia-3": (38.95, -77.45, "NA"),
}
HEALTH = '[health]\npath = "healthz"\nslow_start_s = 2\n'
LIVE = "live.m3u8"
HAS_LIVE = ("oslo-2",)


@contextlib.contextmanager
def edge_stage(folder: Path) -> Iterator[EdgeStage]:
    """Two workers and seven edges in three regions, under the shipped values of ``[health]``, but
    that the slow start is short: a drill does not wait half a minute to see an edge come back."""
    edges: dict[str, OriginProcess] = {}
    folders: dict[str, Path] = {}
    tables = []
    for name, (latitude, longitude, continent) in EDGES.items():
        folders[name] = root = folder / name
        root.mkdir()
        (root / "healthz").write_text("ok\n")
        edges[name] = OriginProcess(folder, root)
        health = f'health_playlist = "{LIVE}"\n' if name in HAS_LIVE else ""
        tables.append(
            f'[[edges]]\nid = "{name}"\nurl = "{edges[name].url}"\ncontinents = ["{continent}"]\n'
            f"latitude = {latitude}\nlongitude = {longitude}\n{health}"
        )
    path = folder / "gateway.toml"
    path.write_text(HEALTH + "".join(tables), "utf-8")
    (folder / "redis").mkdir()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(valkey(folder / "redis"))
        packager = stack.enter_context(Packager({name: folders[name] for name in HAS_LIVE}))
        for edge in edges.values():
            stack.callback(edge.kill)
        _start_all(edges.values())
        gateway = stack.enter_context(_running(2, {"GATEWAY_STORE__URL": server.url}, path))
        urls = {name: edge.url for name, edge in edges.items()}
        # Few titles: every viewer comes back to each within seconds, and is seen to move.
        plan = _plan(gateway, edges=urls, assets=("title/1", "title/2", "title/3", "title/4"))
        yield EdgeStage(gateway, 2, plan, edges, packager, server)


@contextlib.contextmanager
def origin_stage(folder: Path) -> Iterator[OriginStage]:
    """Two workers with the shipped values of ``[origin]``. Every fifth request is for a title that
    they have never heard of, and that they may refuse while the origin is in trouble."""
    with (
        valkey(folder) as server,
        origin_process(folder) as origin,
        origin_process(folder) as elsewhere,
    ):
        tables = [edge | {"url": OWN_EDGES[edge["id"]]} for edge in read_defaults()["edges"]]
        source = {
            "GATEWAY_SOURCE__KIND": "origin",
            "GATEWAY_SOURCE__URL": origin.url,
            "GATEWAY_EDGES": json.dumps(tables),
        }
        with _running(2, {"GATEWAY_STORE__URL": server.url, **source}) as gateway:
            plan = _plan(gateway, edges=OWN_EDGES, fresh_may_fail=True)
            stage = OriginStage(gateway, 2, plan, origin, elsewhere)
            stage.tell()
            yield stage


Staging = Callable[[Path], contextlib.AbstractContextManager[Any]]


class Stages:
    """The stage that is set right now; at most one is."""

    def __init__(self, folder: Path) -> None:
        """``folder`` takes what the stages write."""
        self._folder = folder
        self._set: tuple[Staging, Any] | None = None
        self._stack = contextlib.ExitStack()
        self._count = 0

    def use(self, staging: Staging) -> Any:
        """The stage of this kind: the one that is set, or a new one."""
        if self._set is None or self._set[0] is not staging:
            self.clear()
            self._count += 1
            folder = self._folder / f"{self._count}-{staging.__name__}"
            folder.mkdir()
            self._set = staging, self._stack.enter_context(staging(folder))
        return self._set[1]

    def clear(self) -> None:
        """End what is set; the next drill gets a new one."""
        self._set = None
        self._stack.close()
        self._stack = contextlib.ExitStack()
