"""The CDN edges of the demo: three small HTTP servers on loopback.

All of them serve the same catalogue, as the edges of a real CDN do. Each answer has an ``Edge``
header, which shows where a segment came from. Their URLs differ in the host alone, so that content
steering can move a running session from one to another. Each can be killed, slowed and mended.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.media import Media
from demo.token_bucket import Bucket, paced
from demo.viewers import HEADER, Networks, Viewer
from geodata.place import Continent

HOST = "127.0.0.1"
HOSTS = (HOST, "127.0.0.2", "127.0.0.3")
"""A host for each edge. Linux and Windows have all of them; macOS has only the first."""
_FREE_PORT_TRIES = 20
_SLOW_BYTES_PER_S = 30_000
_SLOW_START_S = 0.5
_HEALTH = "/healthz"


@dataclass(frozen=True, slots=True)
class DemoEdge:
    """An edge to start, and where it claims to be."""

    id: str
    city: str
    latitude: float
    longitude: float
    continents: tuple[Continent, ...]
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class RunningEdge:
    """An edge that answers below ``url`` (absolute, ends with ``/``)."""

    edge: DemoEdge
    url: str


EDGES = (
    DemoEdge("demo-eu", "Oslo", 59.91, 10.75, ("EU", "AF")),
    DemoEdge("demo-as", "Singapore", 1.35, 103.82, ("AS", "OC")),
    DemoEdge("demo-na", "Virginia", 38.95, -77.45, ("NA", "SA"), fallback=True),
)


class PortBusyError(RuntimeError):
    """The requested port cannot be used."""


class QuietServer(uvicorn.Server):
    """A uvicorn server that does not handle signals, for several servers in one event loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle no signals; the caller sets ``should_exit``."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises :class:`PortBusyError`, whose message is one line."""
    try:
        return socket.create_server((host, port), backlog=256)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "already in use" if error.errno == errno.EADDRINUSE else "not allowed for this user"
        raise PortBusyError(f"port {port} on {host} is {why}; choose another one") from error


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, bound: socket.socket, *, lifespan: bool) -> AsyncIterator[None]:
    """Serve ``app`` on a listening socket while the context is open.

    With ``lifespan`` the context opens when the application has started; an application that does
    not start raises RuntimeError.
    """
    config = uvicorn.Config(
        app,
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the application itself decides which proxies to trust (rule F9)
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while lifespan and not server.started:
            await asyncio.wait({task}, timeout=0.01)
            if task.done():
                task.result()
                raise RuntimeError("the server did not start")
        yield
    finally:
        server.should_exit = True
        try:
            await task
        finally:
            bound.close()


@contextlib.contextmanager
def listen_for_edges(
    count: int, port: int = 0, hosts: Sequence[str] = HOSTS
) -> Iterator[list[socket.socket]]:
    """Listening sockets for ``count`` edges, at most as many as ``hosts``: one port, a host each.

    Where this machine lacks one of the hosts, all have the first one, and ports of their own.
    ``port`` 0 is any that is free on every host. Raises :class:`PortBusyError`.
    """
    with contextlib.ExitStack() as stack:
        yield _listen_on_one_port(stack, hosts[:count], port) or [
            stack.enter_context(listen(hosts[0], 0)) for _ in range(count)
        ]


def _listen_on_one_port(
    stack: contextlib.ExitStack, hosts: Sequence[str], port: int
) -> list[socket.socket]:
    """A socket on each of ``hosts``; none when this machine lacks one of them."""
    for tries_left in reversed(range(1 if port else _FREE_PORT_TRIES)):
        bound: list[socket.socket] = []
        with contextlib.ExitStack() as attempt:
            try:
                for host in hosts:
                    same = bound[0].getsockname()[1] if bound else port
                    bound.append(attempt.enter_context(listen(host, same)))
            except PortBusyError:
                if not tries_left:
                    raise
                continue
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                return []
            stack.push(attempt.pop_all())
            return bound
    raise AssertionError("unreachable")


@contextlib.asynccontextmanager
async def serve_edges(
    root: Path, edges: Sequence[DemoEdge] = EDGES, port: int = 0
) -> AsyncIterator["ServedEdges"]:
    """Serve the catalogue in ``root`` from every edge while the context is open.

    ``port`` 0 uses any free port. Raises :class:`PortBusyError` before anything is served.
    """
    async with contextlib.AsyncExitStack() as stack:
        bound = stack.enter_context(listen_for_edges(len(edges), port))
        served = ServedEdges(root, edges, [sock.getsockname() for sock in bound])
        stack.push_async_callback(served.stop_all)
        for edge, sock in zip(edges, bound, strict=True):
            await served.start(edge.id, sock)
        yield served


class ServedEdges:
    """The edges that run. Each can be killed, after which connections to it are refused, slowed,
    and mended, which starts it again on the same port."""

    def __init__(
        self, root: Path, edges: Sequence[DemoEdge], addresses: Sequence[tuple[str, int]]
    ) -> None:
        self._root = root
        self._networks = Networks()
        self._addresses = dict(zip([edge.id for edge in edges], addresses, strict=True))
        self._faults = {edge.id: Slowness() for edge in edges}
        self._serving: dict[str, contextlib.AsyncExitStack] = {}
        self.running = tuple(
            RunningEdge(edge, f"http://{host}:{port}/")
            for edge, (host, port) in zip(edges, addresses, strict=True)
        )

    def faults(self, edge: str) -> list[str]:
        """What was done to an edge and not mended: ``killed``, ``slow``."""
        slow = self._faults[edge].slow
        return ["killed"] * (edge not in self._serving) + ["slow"] * slow

    async def start(self, edge: str, bound: socket.socket | None = None) -> None:
        """Start an edge, on ``bound`` or the port that it had, unless it runs. Raises KeyError for
        one that is not known and :class:`PortBusyError`."""
        if edge in self._serving:
            return
        sock = listen(*self._addresses[edge]) if bound is None else bound
        known = next(each.edge for each in self.running if each.edge.id == edge)
        app = edge_app(self._root, known, self._networks, self._faults[edge])
        stack = contextlib.AsyncExitStack()
        self._serving[edge] = stack
        await stack.enter_async_context(serve(app, sock, lifespan=False))

    async def kill(self, edge: str) -> None:
        """Stop an edge that runs; others stay as they are."""
        stack = self._serving.pop(edge, None)
        if stack is not None:
            await stack.aclose()

    def slow(self, edge: str) -> None:
        """Let an edge answer late, and slowly."""
        self._faults[edge].slow = True

    async def mend(self, edge: str) -> None:
        """Start an edge that was killed, and let it be as fast as before. Raises
        :class:`PortBusyError`."""
        self._faults[edge].slow = False
        await self.start(edge)

    async def stop_all(self) -> None:
        """Stop what still runs."""
        for edge in list(self._serving):
            await self.kill(edge)


@dataclass(slots=True)
class Slowness:
    """Whether an edge is slow: it then begins each answer late, and all its answers share a narrow
    line."""

    slow: bool = False
    line: Bucket = field(default_factory=lambda: Bucket(_SLOW_BYTES_PER_S))


def url_of(sock: socket.socket) -> str:
    """The URL at which a listening socket is reached."""
    host, port = sock.getsockname()
    return f"http://{host}:{port}/"


def edge_app(
    root: Path,
    edge: DemoEdge,
    networks: Networks | None = None,
    slowness: Slowness | None = None,
    *,
    looped: bool = True,
) -> ASGIApp:
    """The ASGI application of one edge: the titles below ``root``, ``looped`` or as they are, and
    ``/healthz``. What it sends is paced by the network of the viewer who asks, and by
    ``slowness``."""

    async def health(_: Request) -> Response:
        return JSONResponse({"edge": edge.id, "city": edge.city, "status": "ok"})

    routes = [Route(_HEALTH, health), Mount("/", Media(root, looped=looped))]
    app = WithHeaders(Starlette(routes=routes), {"edge": edge.id})
    return Paced(app, networks or Networks(), slowness or Slowness())


class Paced:
    """An edge at the speed of the networks of its viewers, and at its own."""

    def __init__(self, app: ASGIApp, networks: Networks, slowness: Slowness) -> None:
        self._app = app
        self._networks = networks
        self._slowness = slowness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. A malformed ``Demo-Viewer`` is ignored."""
        if scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        buckets = self._network(scope)
        if self._slowness.slow:
            await asyncio.sleep(_SLOW_START_S)
            buckets += [self._slowness.line] * (scope["path"] != _HEALTH)
        if buckets:
            await paced(self._app, scope, receive, send, buckets)
        else:
            await self._app(scope, receive, send)

    def _network(self, scope: Scope) -> list[Bucket]:
        for name, value in scope["headers"]:
            if name == HEADER.encode():
                with contextlib.suppress(ValueError):
                    return [self._networks.of(Viewer.parse(value.decode("latin-1")))]
        return []


class WithHeaders:
    """Adds ``headers`` and those of CORS to every answer, and answers preflights."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = {
            **headers,
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "Edge, ETag, Content-Range, Date",
            "timing-allow-origin": "*",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            allowed = {
                "access-control-allow-methods": "GET, HEAD",
                "access-control-allow-headers": "*",
                "access-control-max-age": "86400",
            }
            await Response(status_code=204, headers=allowed)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)
