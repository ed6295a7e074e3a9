"""The manifests of ``deploy/kubernetes``, and pods as processes: what the kubelet, the endpoints
and a Service do with them, without a cluster.

Each pod has a loopback address of its own, so that its ports are those of the manifest.
"""

import asyncio
import contextlib
import http.client
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml

from tests.integration.forked import gateway_command

ROOT = Path(__file__).parents[2] / "deploy" / "kubernetes"

PROPAGATION_S = 1.0
"""How long a Service goes on leading to a pod that is being deleted."""
START_S = 90.0
_random = random.Random(1)

Manifest = dict[str, Any]


def manifests(path: Path) -> list[Manifest]:
    """The documents of a file."""
    return [found for found in yaml.safe_load_all(path.read_text("utf-8")) if found]


def one(kind: str, documents: list[Manifest], name: str = "streaming-gateway") -> Manifest:
    """The only manifest of a kind and name."""
    (found,) = (
        each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name
    )
    return found


def container(deployment: Manifest) -> Manifest:
    """Its only container."""
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def mount(folder: Path, files: Mapping[str, str]) -> None:
    """Write the volume of a ConfigMap or Secret as the kubelet does: each file is a link into
    ``..data``, which is a link that is replaced as a whole."""
    folder.mkdir(parents=True, exist_ok=True)
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    for name, content in files.items():
        (version / name).write_text(content, "utf-8")
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    new = folder / "..data_tmp"
    new.symlink_to(version.name)
    new.replace(folder / "..data")


@dataclass
class Pod:
    """The container of a Deployment as a process, with its volumes below ``folder``."""

    deployment: Manifest
    address: str
    folder: Path
    volumes: Mapping[str, Mapping[str, str]]
    """The files of its ConfigMaps and Secrets, by the names of the volumes."""
    process: subprocess.Popen[bytes] | None = None
    exit_code: int | None = None
    stopping: threading.Thread | None = None
    _paths: dict[str, Path] = field(default_factory=dict)

    def start(self) -> None:
        """Mount the volumes and run the command, with the environment of the manifest alone."""
        given = container(self.deployment)
        for each in given["volumeMounts"]:
            path = self._paths[each["mountPath"]] = self.folder / each["name"]
            mount(path, self.volumes.get(each["name"], {}))
        environ = {each["name"]: self._mounted(each["value"]) for each in given["env"]}
        for name in ("GATEWAY_SERVER__HOST", "GATEWAY_ADMIN__HOST"):
            assert "0.0.0.0" == environ[name]
            environ[name] = self.address
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*gateway_command(), *given["args"]],
                env={"PATH": os.environ["PATH"], "TMPDIR": str(self.folder / "tmp"), **environ},
                cwd=Path(__file__).parents[2],
                stderr=log,
            )

    def _mounted(self, value: str) -> str:
        for inside, outside in self._paths.items():
            if value.startswith(f"{inside}/"):
                return str(outside / value.removeprefix(f"{inside}/"))
        return value

    def update(self, volume: str, files: Mapping[str, str]) -> None:
        """Write a changed ConfigMap into its volume."""
        mount(self.folder / volume, files)

    def url(self, port: str) -> str:
        """The address of a named port."""
        (number,) = (
            each["containerPort"]
            for each in container(self.deployment)["ports"]
            if each["name"] == port
        )
        return f"http://{self.address}:{number}"

    def passes(self, probe: str) -> bool:
        """One HTTP probe of the kubelet."""
        wanted = container(self.deployment)[probe]
        get = wanted["httpGet"]
        try:
            status, _, _ = self.ask(get["port"], get["path"], wanted["timeoutSeconds"])
        except OSError:
            return False
        return 200 <= status < 400

    def ask(
        self, port: str, path: str, timeout_s: float = 10
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.url(port)[7:], timeout=timeout_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        """Until it has started and is ready; fails the test if it ends."""
        until = time.monotonic() + START_S
        for probe in ("startupProbe", "readinessProbe"):
            while not self.passes(probe):
                assert self.process is not None
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.1)

    def terminate(self) -> None:
        """As the kubelet does: preStop, SIGTERM, and SIGKILL when its time is over."""
        spec = self.deployment["spec"]["template"]["spec"]
        assert self.process is not None
        over = time.monotonic() + spec["terminationGracePeriodSeconds"]
        time.sleep(container(self.deployment)["lifecycle"]["preStop"]["sleep"]["seconds"])
        self.process.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self.process.wait(max(0.0, over - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()


class Service:
    """Leads each new connection to one of the ready pods, and keeps it there, as kube-proxy does.
    A pod that is being deleted gets new connections for another moment."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.url = ""
        self.refused = 0
        """Connections that led to a pod that does not listen."""
        self._pods: list[Pod] = []
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.1)

    def add(self, pod: Pod) -> None:
        """A pod is ready."""
        self._pods.append(pod)

    def delete(self, pod: Pod) -> None:
        """Delete a pod: the kubelet terminates it while the news of it spreads."""
        pod.stopping = threading.Thread(target=pod.terminate)
        pod.stopping.start()
        threading.Timer(PROPAGATION_S, self._pods.remove, [pod]).start()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, _, port = _random.choice(self._pods).url(self.port)[7:].partition(":")
        try:
            inner, outer = await asyncio.open_connection(address, int(port))
        except OSError:
            self.refused += 1
            writer.transport.abort()
            return
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(_pass_on(reader, outer), _pass_on(inner, writer))
        writer.close()
        outer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def ended(pods: list[Pod]) -> Iterator[None]:
    """End what still runs of them afterwards."""
    try:
        yield
    finally:
        for pod in pods:
            if pod.stopping is not None:
                pod.stopping.join(60)
            if pod.process is not None and pod.process.poll() is None:
                pod.process.terminate()
                pod.process.wait(30)
