"""How does the gateway listen? uvicorn, in one process or with several workers on one socket.

SIGTERM and SIGINT: no more connections, running requests end, up to ``shutdown_grace_s``. SIGHUP:
the config is read again, by every worker.
"""

import contextlib
import errno
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp

from gateway.config.load import Loaded, load
from gateway.config.problem import ConfigError
from gateway.config.schema import LogSettings
from gateway.observe import logs, metrics
from gateway.serving.garbage_collection import left_out
from gateway.serving.supervisor import Server, StartError, Workers, told_in_a_line
from gateway.store.connection.embedded import EmbeddedServer

log = structlog.get_logger()

# How the parent tells its workers what they cannot find out for themselves. Not GATEWAY_…: every
# variable of that name is a key of the config.
_CONFIG = "STREAMING_WORKER_CONFIG"
_STORE = "STREAMING_WORKER_STORE"
_WORKERS = "STREAMING_WORKER_COUNT"

_CONFIG_POLL_S = 1.0


class ListenError(RuntimeError):
    """The address cannot be listened on; the message says which, why, and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; ``port`` 0 takes any free one. Raises :class:`ListenError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    everywhere = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server(
            (host, port), family=family, backlog=2048, dualstack_ipv6=everywhere
        )
    except OSError as error:
        why = {
            errno.EADDRINUSE: "it is already in use",
            errno.EACCES: "this user may not listen there",
            errno.EADDRNOTAVAIL: "this machine has no such address",
        }.get(error.errno or 0, error.strerror or str(error))
        raise ListenError(
            f"cannot listen on {host} port {port}: {why}; choose another (server.port, "
            f"GATEWAY_SERVER__PORT, or PORT= for make run)"
        ) from error


def serve(loaded: Loaded, workers: int) -> None:
    """Serve until told to stop.

    Raises :class:`ListenError`, :class:`StartError`, and
    :class:`gateway.store.connection.protocol.StoreError` when an embedded store does not start.
    """
    _configure_logs(loaded.settings.log)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn drains when it gets one, and then raises it again: to be told to stop is no error.
        signal.signal(number, lambda *_: sys.exit(0))
    server = loaded.settings.server
    with listen(server.host, server.port) as bound, _store(loaded) as store:
        host, port = bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        log.info("listening", url=f"http://{shown}:{port}", workers=workers)
        url = None if store is None else store.url
        app = _built(loaded, url, workers) if workers == 1 else None
        if store is not None:
            store.wait()
        if app is None:
            _serve_with_workers(loaded, workers, bound, url)
        else:
            Server(_uvicorn(loaded, app)).run(sockets=[bound])


@contextlib.contextmanager
def _store(loaded: Loaded) -> Iterator[EmbeddedServer | None]:
    """The embedded store, launched: it starts while the application is built. None where the config
    names another one."""
    if loaded.settings.store.url.get_secret_value() != "embedded":
        yield None
        return
    store = EmbeddedServer()
    try:
        store.launch()
        yield store
    finally:
        store.stop()


def _uvicorn(loaded: Loaded, app: ASGIApp | str, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        loop="uvloop",
        http="gateway.serving.connection:BoundedConnection",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # whom to believe is decided by trusted_proxies alone (rule F9)
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, loaded.settings.server.shutdown_grace_s),
    )


def _serve_with_workers(
    loaded: Loaded, workers: int, bound: socket.socket, store_url: str | None
) -> None:
    """One parent, several workers. What must exist once, the parent holds: the embedded store and
    the folder in which the workers' metrics are added up."""
    os.environ[_CONFIG] = "" if loaded.path is None else str(loaded.path.absolute())
    os.environ[_WORKERS] = str(workers)
    if store_url is not None:
        os.environ[_STORE] = store_url
    with tempfile.TemporaryDirectory(prefix="gateway-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        workers_kept = Workers(
            _uvicorn(loaded, "gateway.serving.server:worker", workers),
            [bound],
            metrics.forget_worker,
        )
        workers_kept.run()
        if workers_kept.failure is not None:
            raise StartError(workers_kept.failure)


def worker() -> ASGIApp:
    """The application of one worker, made from what the parent has left in the environment."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    path = os.environ[_CONFIG]
    loaded = _load_when_good(Path(path) if path else None)
    _configure_logs(loaded.settings.log)
    return _built(loaded, os.environ.get(_STORE), int(os.environ[_WORKERS]))


def _built(loaded: Loaded, store_url: str | None, workers: int) -> ASGIApp:
    """The application of this process. Raises :class:`StartError`."""
    try:
        with left_out():
            from gateway.app import build  # noqa: PLC0415  # a parent of workers does without it

            return build(loaded, os.environ, store_url, workers)
    except Exception as error:
        raise StartError(told_in_a_line(traceback.format_exc())) from error


def _end_with_the_parent() -> None:
    """A parent that was killed can stop nobody; its workers would serve on, unwatched."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _load_when_good(path: Path | None) -> Loaded:
    """The config. The parent has checked it, but a worker that is replaced later may meet a broken
    file: it waits, and the others serve on with the last good one."""
    draining = signal.getsignal(signal.SIGTERM)
    told = False
    while True:
        try:
            loaded = load(path, os.environ)
        except ConfigError as error:
            if not told:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is nothing to drain yet
                logs.configure()
                problems = [str(problem) for problem in error.problems]
                log.error("worker_waits_for_config", problems=problems)  # noqa: TRY400
            told = True
            time.sleep(_CONFIG_POLL_S)
        else:
            signal.signal(signal.SIGTERM, draining)
            return loaded


def _configure_logs(settings: LogSettings) -> None:
    logs.configure(settings.level, settings.format)
