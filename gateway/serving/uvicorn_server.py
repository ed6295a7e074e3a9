"""What does the gateway need that uvicorn's server lacks? Start errors that can be reported, and no
more connections than there are file descriptors."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from socket import socket

import uvicorn

from gateway.observe import logs
from gateway.observe.tasks import supervise
from gateway.serving import file_descriptors
from gateway.serving.connection import Connection
from gateway.serving.server_config import ListenerConfig, ServerConfig
from gateway.serving.service_manager import ServiceManager
from gateway.serving.tls_connection import TlsConnection

_LONGEST_REASON = 1000
"""Characters. Less than a pipe takes at once (``PIPE_BUF``): a process that is killed while it
writes a reason leaves all of it or nothing."""


class StartError(RuntimeError):
    """The gateway, or one of its workers, could not start; the message says why."""


def summary_of(trace: str) -> str:
    """The last line of a traceback, and the place that raised it, in one line."""
    lines = trace.strip().splitlines()
    places = [line.strip() for line in lines if line.startswith('  File "')]
    return " ".join([lines[-1], *(f"({place})" for place in places[-1:])])[:_LONGEST_REASON]


class GatewayServer(uvicorn.Server):
    """uvicorn's server. It raises :class:`StartError` where uvicorn logs an error and exits, calls
    ``on_ready`` when it listens, and opens no more connections than there are file descriptors.
    ``manager`` is told what it does; a worker has none, as its parent tells it."""

    config: ServerConfig

    def __init__(
        self,
        config: ServerConfig,
        on_ready: Callable[[], None] = lambda: None,
        manager: ServiceManager | None = None,
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._manager = manager or ServiceManager()
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start the application, then listen: for players on the first socket, for operators on the
        second."""
        for_players, for_operators = (None, []) if sockets is None else (sockets[:1], sockets[1:])
        with _captured_errors() as errors:
            try:
                await super().startup(for_players)
            except SystemExit as error:
                reason = summary_of(errors[0]) if errors else "no reason given"
                raise StartError(reason) from error
        operators = self.config.for_operators()
        most_of_operators = 0 if operators is None else operators.counts.most
        counts = self.config.counts
        counts.most = file_descriptors.room_for_connections(counts.most, most_of_operators)
        if operators is not None:
            for bound in for_operators:
                await self._listen(bound, operators)
        self._watch = supervise("file_descriptors", file_descriptors.watch)
        self._manager.ready()
        self._on_ready()

    async def _listen(self, bound: socket, listener: ListenerConfig) -> None:
        """Accept connections of another listener. They share the server's state with the players',
        so a stop ends them in the same way."""
        loop = asyncio.get_running_loop()
        kind = TlsConnection if listener.certificates else Connection
        self.servers.append(
            await loop.create_server(
                lambda: kind(listener, self.server_state, self.lifespan.state, loop),
                sock=bound,
                backlog=self.config.backlog,
            )
        )

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second by uvicorn. True if the server is to stop."""
        self._manager.alive()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop listening, let running requests end, then stop the application."""
        if self._watch is not None:
            self._watch.cancel()
        self._manager.stopping()
        self.config.tell_of_stop()
        await super().shutdown(sockets)
        logs.flush()  # uvicorn raises the signal again, which ends a worker at once


@contextlib.contextmanager
def _captured_errors() -> Iterator[list[str]]:
    """What uvicorn logs as errors within the block, instead of its log lines."""
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(handler.format(record))  # type: ignore[method-assign]
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield errors
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
