"""``gateway status`` and the loads of ``gateway edge list``, on a real store."""

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.store.connection.keys import WORKER_FACTS, WORKERS
from gateway.store.connection.redis import RedisStore
from gateway.store.coordination.leases import Leases
from gateway.store.coordination.presence import LiveWorker, live_workers
from tests.integration.commands import gateway
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import until
from tests.ports import free_port
from tests.unit.store.servers import Proxy, Valkey, listening

EDGES = """
[[edges]]
id = "small"
url = "https://small.example/"
capacity_mbps = 10
fallback = true

[[edges]]
id = "drained"
url = "https://drained.example/"
drain = true
"""


BEHIND_A_NAME = """
[[edges]]
id = "eu"
url = "http://edges.example/"
dns = { name = "edges.example", type = "A" }

[[edges]]
id = "other"
url = "https://other.example/"
fallback = true

"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the gateway and of the commands."""
    path = tmp_path_factory.mktemp("status") / "gateway.toml"
    path.write_text(EDGES, "utf-8")
    return path


@pytest.fixture(scope="module")
def one(running: Valkey, config: Path) -> Iterator[RunningGateway]:
    """A gateway on the store of the module, which is not too slow for it on a busy machine."""
    environ = {"GATEWAY_STORE__URL": running.url, "GATEWAY_STORE__TIMEOUT_MS": "1000"}
    with running_gateway(config, environ=environ) as found:
        yield found


def test_a_running_gateway(running: Valkey, one: RunningGateway, config: Path) -> None:
    """Its worker, with version, start and config; 0 while all is well, 1 when the file has
    errors."""
    environ = {"GATEWAY_STORE__URL": running.url, "GATEWAY_CONFIG": str(config)}
    ended = gateway("status", "--json", **environ)
    found = json.loads(ended.stdout)
    assert (0, "ok", []) == (ended.exit_code, found["status"], found["problems"])
    [instance] = found["instances"]
    [worker] = instance["workers"]
    assert one.process.pid == worker["pid"]
    assert version("streaming-gateway") == worker["version"]
    assert one.url.endswith(f":{instance['port']}")
    [started] = one.lines("started")
    assert started["policy"] == worker["config"]["version"]
    assert {"up": 1, "draining": 1} == found["edges"]
    assert ("up", 0, 0) == (found["store"]["state"], found["overrides"], found["revocations"])
    text = gateway("status", **environ).stdout
    assert f"  pid {one.process.pid}: version {worker['version']}, since {worker['since']}" in text
    assert "edges: 1 draining, 1 up\n" in text
    assert text.endswith("all is well\n")


def test_a_refused_config(running: Valkey, one: RunningGateway, config: Path) -> None:
    """It is a problem, and the exit code is 1."""
    other = config.with_name("other.toml")
    other.write_text(EDGES, "utf-8")
    config.write_text("[server]\nprot = 1\n", "utf-8")
    try:
        one.wait_for("config_refused")
        environ = {"GATEWAY_STORE__URL": running.url, "GATEWAY_CONFIG": str(other)}

        until(lambda: gateway("status", **environ).exit_code == 1)
        ended = gateway("status", **environ)
        assert 1 == ended.exit_code
        assert "the config file has errors; the last good one is in force" in ended.stdout
    finally:
        config.write_text(EDGES, "utf-8")


def test_the_load_of_edges(running: Valkey, one: RunningGateway, config: Path) -> None:
    """What all workers have leased, of the capacity; nothing for edges without one."""
    environ = {"GATEWAY_STORE__URL": running.url, "GATEWAY_CONFIG": str(config)}
    asyncio.run(lease(running, "a-session", 4000))
    found = {each["id"]: each for each in json.loads(listed(environ, "--json"))["edges"]}
    assert (4000, 10_000, 1.0) == tuple(
        found["small"][key] for key in ("leased_kbps", "capacity_kbps", "admits")
    )
    assert ("draining", 0.0, None) == tuple(
        found["drained"][key] for key in ("state", "admits", "capacity_kbps")
    )
    assert "100%   4 of 10 Mbit/s" in listed(environ)


def test_an_edge_without_room(running: Valkey, one: RunningGateway, config: Path) -> None:
    """Every command says that it is full."""
    environ = {"GATEWAY_STORE__URL": running.url, "GATEWAY_CONFIG": str(config)}
    asyncio.run(lease(running, "a-session", 9900))
    assert {"full": 1, "draining": 1} == status(environ)["edges"]
    assert re.search(r"^small .* up, full +0% +10 of 10 Mbit/s +10 of 10 Mbit/s leased$",
                     listed(environ), re.MULTILINE)  # fmt: skip
    told = gateway("explain", "film", "--ip", "192.0.2.1", **environ).output
    assert "small is full (10 of 10 Mbit/s leased)" in told
    words = ("--from", "drained", "--to", "small", "--share", "1%", "--until", "1m")
    steered = gateway("steer", *words, **environ).output
    assert "warning: small is full" in steered
    override = re.search(r"^([0-9a-f]{8}): ", steered, re.MULTILINE)
    assert override is not None
    assert 0 == gateway("steer", "cancel", override[1], **environ).exit_code


def test_loads_on_a_store_that_takes_no_writes(server: Valkey, config: Path) -> None:
    """They are read all the same."""
    environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_CONFIG": str(config)}
    asyncio.run(lease(server, "a-session", 4000))
    server.command("REPLICAOF", "127.0.0.1", "1")
    try:
        ended = gateway("edge", "list", **environ)
        told = gateway("explain", "film", "--ip", "192.0.2.1", **environ).output
        problems = status(environ)["problems"]
    finally:
        server.command("REPLICAOF", "NO", "ONE")
    assert "100%   4 of 10 Mbit/s" in ended.stdout
    assert "warning: the store takes no writes (read-only), so states may be old" in ended.output
    assert "read, but takes no writes (read-only), so states may be old; 2 edges" in told
    said = "the store takes no writes: read-only; gateways that run cannot say so"
    assert [said] == problems


async def test_a_store_that_is_too_slow_for_players(server: Valkey, config: Path) -> None:
    """The command waits for it longer than a player does; each worker says that it does not use
    it."""
    proxy = Proxy(server.path)
    async with listening(proxy.serve) as port, contextlib.AsyncExitStack() as stack:
        environ = {"GATEWAY_STORE__URL": f"redis://127.0.0.1:{port}"}
        serving = contextlib.ExitStack()
        stack.push_async_callback(asyncio.to_thread, serving.close)
        found = await asyncio.to_thread(
            serving.enter_context, running_gateway(config, environ=environ)
        )
        environ["GATEWAY_CONFIG"] = str(config)
        await asyncio.to_thread(until_problems, environ, [])
        proxy.delay_s = 0.1
        who = f"{socket.gethostname()} pid {found.process.pid}"
        said = f"{who}: players are served without the store: timeout"
        await asyncio.to_thread(until_problems, environ, [said])
        proxy.delay_s = 0.0
        await asyncio.to_thread(until_problems, environ, [])


def test_a_name_of_edges_that_is_not_resolved(server: Valkey, tmp_path: Path) -> None:
    """What gateways have behind it is not known, and is not made up."""
    config = tmp_path / "gateway.toml"
    config.write_text(f'{BEHIND_A_NAME}[dns]\nresolvers = ["127.0.0.1:{free_port()}"]\n')
    environ = {"GATEWAY_STORE__URL": server.url, "GATEWAY_CONFIG": str(config)}
    found = status(environ)
    assert {"up": 1} == found["edges"]
    said = "edges.example is not resolved here"
    assert f"eu: {said}, so its edges are not known" in found["problems"]
    assert f"{said}; gateways may have other edges" in listed(environ)
    told = gateway("explain", "film", "--ip", "192.0.2.1", **environ).output
    assert f"eu is up ({said}; gateways may have other edges)" in told


def status(environ: dict[str, str]) -> dict[str, Any]:
    """The members of ``gateway status --json``."""
    found: dict[str, Any] = json.loads(gateway("status", "--json", **environ).stdout)
    return found


def until_problems(environ: dict[str, str], expected: list[str]) -> None:
    """Wait until ``gateway status`` has these problems and no others."""
    until(lambda: status(environ)["problems"] == expected, 60.0)


async def lease(server: Valkey, session: str, kbps: int) -> None:
    """Lease this much for a session on the edge "small", as a worker does."""
    store = RedisStore(server.url, timeout_s=1.0)
    await store.start()
    edge = Edge("small", "https://small.example/", capacity_kbps=10_000)
    leases = Leases(store, 900, lambda: 1)
    leases.use(Fleet.of((edge,)))
    await leases.look()
    await leases.place(session, "film", kbps, [edge], None, take=True)
    await store.close()


def listed(environ: dict[str, str], *more: str) -> str:
    """The output of ``gateway edge list``."""
    ended = gateway("edge", "list", *more, **environ)
    assert 0 == ended.exit_code, ended.output
    return ended.stdout


def test_nothing_runs(server: Valkey) -> None:
    """The exit code says so."""
    ended = gateway("status", "--json", GATEWAY_STORE__URL=server.url)
    found = json.loads(ended.stdout)
    assert (1, ["no gateway runs on this store"]) == (ended.exit_code, found["problems"])


@pytest.mark.parametrize(
    ("spoil", "mend", "said"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "full"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "rejected"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "read-only"),
    ],
)
def test_a_store_that_takes_no_writes(server: Valkey, spoil: str, mend: str, said: str) -> None:
    """It answers, and gateways lose what they write to it."""
    server.command(*spoil.split())
    try:
        ended = gateway("status", "--json", GATEWAY_STORE__URL=server.url)
        text = gateway("status", GATEWAY_STORE__URL=server.url).stdout
    finally:
        server.command(*mend.split())
    found = json.loads(ended.stdout)
    assert (1, "takes no writes") == (ended.exit_code, found["store"]["state"])
    assert found["problems"][-1].startswith(f"the store takes no writes: {said}")
    assert f"store {server.url}: takes no writes\n" in text


async def test_entries_of_other_versions(server: Valkey, store: RedisStore) -> None:
    """Those of older workers lack what is new, and what is malformed is left out."""
    old = {"host": "h", "pid": 1, "policy": "p", "started": 5, "id": "x"}
    odd = {"version": 3, "port": -1, "failing": ["ok", 7, "x" * 99], "loaded": "now"}
    soon = str(int(time.time() * 1000) + 5000)
    me = LiveWorker("me", "h", 2, "p", 6, "0.1.0", 8080, 7, refused=True, failing=("dns",))
    for name, facts in {"w0": old, "w1": old | odd, "me": asdict(me)}.items():
        server.command("ZADD", WORKERS, soon, name)
        server.command("HSET", WORKER_FACTS, name, json.dumps(facts))
    found = {each.id: each for each in await live_workers(store)}
    plain = LiveWorker("w0", "h", 1, "p", 5)
    assert {"w0": plain, "w1": replace(plain, id="w1", failing=("ok",)), "me": me} == found
