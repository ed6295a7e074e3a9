"""How does the gateway listen? With uvicorn, in one process or in several that share a socket.

SIGTERM and SIGINT stop it: it accepts no more connections, and running requests may go on for up to
``shutdown_grace_s``. SIGHUP has every worker read the config again. It is ignored until they can:
what is in force then is compared with the file as soon as they run.
"""

import contextlib
import errno
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from starlette.types import ASGIApp

from gateway.config.load import Loaded, load
from gateway.config.problem import ConfigError, ConfigProblem
from gateway.config.reload import log_overrides, log_refused, log_waiting
from gateway.config.restart import hold_back
from gateway.config.schema import LogSettings
from gateway.config.tls_settings import TlsSettings
from gateway.config.trust import beliefs_of
from gateway.listener import OPERATORS, PLAYERS, Listener
from gateway.observe import logs, metrics
from gateway.serving.garbage_collection import excluded_from_collection
from gateway.serving.limits import ConnectionLimits
from gateway.serving.server_config import Deferred, ServerConfig
from gateway.serving.service_manager import ServiceManager
from gateway.serving.supervisor import ProcessSupervisor
from gateway.serving.uvicorn_server import GatewayServer, StartError, summary_of
from gateway.store.connection.embedded import EmbeddedServer

if TYPE_CHECKING:
    from gateway.app import Application

log = structlog.get_logger()

_CONFIG_POLL_S = 1.0
BACKLOG = 2048
"""Connections that wait to be accepted."""
_KEYS = {
    "server": "server.port, GATEWAY_SERVER__PORT, or PORT= for make run",
    "admin": "admin.port, GATEWAY_ADMIN__PORT; admin.enabled = false opens none",
}


@dataclass(frozen=True, slots=True)
class Parent:
    """What the process that listens tells the application: the config with which it has started,
    its embedded store, the number of workers, and the players' port, which the config leaves open
    with 0."""

    loaded: Loaded
    store_url: str | None
    workers: int
    players_port: int


class ListenError(RuntimeError):
    """The gateway cannot listen on its address; the message says why, and what to do. ``in_use``:
    another process does."""

    def __init__(self, text: str, *, in_use: bool) -> None:
        super().__init__(text)
        self.in_use = in_use


def listen(host: str, port: int, section: str = "server") -> socket.socket:
    """A listening TCP socket. Port 0 takes any free port. Raises :class:`ListenError`, which names
    the keys of the config's ``section``."""
    bound = _bound(host, port, section)
    try:
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise _listen_error(host, port, section, error) from error
    return bound


def check_listeners(loaded: Loaded) -> None:
    """Raise :class:`ListenError` for an address on which :func:`serve` could not listen. A port in
    use is no error here: a running gateway may hold it."""
    for host, port, section in _addresses(loaded):
        try:
            _bound(host, port, section).close()  # nobody can connect, as it does not listen
        except ListenError as error:
            if not error.in_use:
                raise


def _bound(host: str, port: int, section: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise _listen_error(host, port, section, error) from error
    return made


def _listen_error(host: str, port: int, section: str, error: OSError) -> ListenError:
    why = {
        errno.EADDRINUSE: "it is already in use",
        errno.EACCES: "this user may not listen there",
        errno.EADDRNOTAVAIL: "this machine has no such address",
    }.get(error.errno or 0, error.strerror or str(error))
    if isinstance(error, socket.gaierror):
        why = f"the name does not resolve ({error.strerror})"
    text = f"cannot listen on {host} port {port}: {why}; choose another ({_KEYS[section]})"
    return ListenError(text, in_use=error.errno == errno.EADDRINUSE)


def _addresses(loaded: Loaded) -> list[tuple[str, int, str]]:
    """Host, port and section of the config: the players' listener, and the operators' where they
    have one."""
    server, admin = loaded.settings.server, loaded.settings.admin
    players = (server.host, server.port, "server")
    return [players, (admin.host, admin.port, "admin")] if admin.enabled else [players]


def serve(loaded: Loaded, workers: int) -> None:
    """Serve until told to stop.

    Raises :class:`ListenError`, :class:`StartError`, and
    :class:`gateway.store.connection.protocol.StoreError` when an embedded store does not start.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as it is, the signal would end this process
    _configure_logs(loaded.settings.log)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again after it has stopped. A requested stop exits with 0.
        signal.signal(number, lambda *_: sys.exit(0))
    with _sockets(loaded) as bound, _store(loaded) as store:
        _log_config(loaded)
        urls = [*map(_url_of, bound, _schemes(loaded)), None]
        log.info("listening", url=urls[0], admin_url=urls[1], workers=workers)
        parent = Parent(loaded, None if store is None else store.url, workers, _port_of(bound[0]))
        app = _built(loaded, parent) if workers == 1 else None
        if store is not None:
            store.wait()
        if app is None:
            _serve_with_workers(bound, parent)
        else:
            manager = ServiceManager.of(os.environ)
            GatewayServer(_server_config(loaded, app), manager=manager).run(sockets=bound)


def _log_config(loaded: Loaded) -> None:
    """Say where the config comes from besides the file, and what is doubtful in it."""
    if loaded.from_environment:
        log.info("config_from_environment", keys=loaded.from_environment)
    log_overrides(loaded)
    for belief in beliefs_of(loaded.settings):
        log.info("believed", key=belief.key, meaning=belief.meaning)
    for warning in loaded.warnings:
        log.warning("config_warning", problem=str(warning))


@contextlib.contextmanager
def _sockets(loaded: Loaded) -> Iterator[list[socket.socket]]:
    """The players' listening socket, and the operators' where they have one."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(listen(*address)) for address in _addresses(loaded)]


def _schemes(loaded: Loaded) -> list[str]:
    """Of the URLs of the players' listener and the operators'."""
    tls = _with_tls(loaded)
    return ["https" if each in tls else "http" for each in (PLAYERS, OPERATORS)]


def _with_tls(loaded: Loaded) -> frozenset[Listener]:
    """The listeners that have TLS."""
    tls: dict[Listener, TlsSettings | None] = {
        PLAYERS: loaded.settings.server.tls,
        OPERATORS: loaded.settings.admin.tls,
    }
    return frozenset(listener for listener, each in tls.items() if each is not None)


def _url_of(bound: socket.socket, scheme: str) -> str:
    host = bound.getsockname()[0]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{_port_of(bound)}"


def _port_of(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port


@contextlib.contextmanager
def _store(loaded: Loaded) -> Iterator[EmbeddedServer | None]:
    """The embedded store, which starts while the application is built; None where the config names
    another store."""
    if loaded.settings.store.url.get_secret_value() != "embedded":
        yield None
        return
    store = EmbeddedServer()
    try:
        store.launch()
        yield store
    finally:
        store.stop()


def _server_config(loaded: Loaded, app: ASGIApp | Deferred, workers: int = 1) -> ServerConfig:
    server, limits, admin = loaded.settings.server, loaded.settings.limits, loaded.settings.admin
    players = ConnectionLimits(
        head_timeout_s=server.head_timeout_s,
        body_timeout_s=server.body_timeout_s,
        idle_timeout_s=server.idle_timeout_s,
        write_timeout_s=server.write_timeout_s,
        max_connections=limits.max_connections,
        max_connections_per_address=limits.max_connections_per_address,
        trusted_proxies=tuple(map(str, server.trusted_proxies)),
    )
    operators = replace(
        players,
        max_connections=admin.max_connections,
        max_connections_per_address=admin.max_connections,
    )
    return ServerConfig(
        app,
        players,
        operators if admin.enabled else None,
        _with_tls(loaded),
        factory=isinstance(app, Deferred),
        workers=workers,
        loop="uvloop",
        lifespan="on",
        timeout_graceful_shutdown=max(1, server.shutdown_grace_s),
    )


def _serve_with_workers(bound: list[socket.socket], parent: Parent) -> None:
    """Run several workers. The parent owns what exists once: the embedded store, and the folder in
    which the workers' metrics are added up."""
    app = Deferred("gateway.serving.server:worker", pickle.dumps(parent))
    with tempfile.TemporaryDirectory(prefix="gateway-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        supervisor = ProcessSupervisor(
            _server_config(parent.loaded, app, parent.workers),
            bound,
            metrics.forget_worker,
            ServiceManager.of(os.environ),
        )
        supervisor.run()
        if supervisor.failure is not None:
            raise StartError(supervisor.failure)


def worker(parent: Parent) -> ASGIApp:
    """The application of one worker. It runs with the config as it is now, except for the keys that
    wait for a restart in the workers that it joins; with that of the start, if the config as it is
    now needs a restart."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    new = _load_when_good(parent.loaded.path)
    refused: tuple[ConfigProblem, ...] = ()
    try:
        loaded, waiting = hold_back(parent.loaded, new)
    except ConfigError as error:  # the others have refused it as well
        loaded = replace(parent.loaded, content=new.content)  # refused: the watcher knows it
        waiting, refused = (), error.problems
    _configure_logs(loaded.settings.log)
    app = _built(loaded, parent)
    if refused:
        log_refused(loaded.path, refused)
        app.gateway.config.refuse(time.time(), refused)
    elif waiting:
        log_waiting(waiting)
        app.gateway.config.use(time.time(), waiting)
    return app


def _built(loaded: Loaded, parent: Parent) -> "Application":
    """The application of this process. Raises :class:`StartError`."""
    try:
        with excluded_from_collection():
            from gateway.app import build  # noqa: PLC0415  # a parent of workers does not need it

            return build(loaded, os.environ, parent.store_url, parent.workers, parent.players_port)
    except ConfigError as error:
        raise StartError(str(error)) from error
    except Exception as error:
        raise StartError(summary_of(traceback.format_exc())) from error


def _end_with_the_parent() -> None:
    """End this worker when its parent is killed: nobody would watch or stop it any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _is_orphaned() -> bool:
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()


def _load_when_good(path: Path | None) -> Loaded:
    """The config. The parent has checked it, but the file may be broken by the time a worker is
    replaced. Then the new worker waits, and the others go on with the last good config."""
    draining = signal.getsignal(signal.SIGTERM)
    logged = False
    while True:
        try:
            loaded = load(path, os.environ)
        except ConfigError as error:
            if not logged:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is nothing to drain yet
                logs.configure()
                problems = [str(problem) for problem in error.problems]
                log.error("worker_waits_for_config", problems=problems)  # noqa: TRY400
            logged = True
            if _is_orphaned():  # its signal came while it was still caught
                raise SystemExit from error
            time.sleep(_CONFIG_POLL_S)
        else:
            signal.signal(signal.SIGTERM, draining)
            return loaded


def _configure_logs(settings: LogSettings) -> None:
    logs.configure(settings.level, settings.format, waits=False)
