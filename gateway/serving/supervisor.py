"""How are workers kept? A parent starts them, and replaces those that end.

uvicorn's supervisor ends every worker when one of them cannot start. That is right only while none
has: a replacement that fails is tried again, after a pause that grows, and the others serve on.

Workers load this module before anything else. It imports little, so that whatever goes wrong with
the rest can be told to the parent, which tells it once.
"""

import contextlib
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from random import SystemRandom
from socket import socket

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from gateway.observe import logs

FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
_LONGEST_REASON = 1000
"""Less than a pipe takes at once (``PIPE_BUF``): who is killed leaves all of it or nothing."""
_READY = ""

log = structlog.get_logger()
_random = SystemRandom()


class StartError(RuntimeError):
    """The gateway, or a worker of it, could not start; the message says why."""


def told_in_a_line(trace: str) -> str:
    """What a traceback says, with the place where it happened."""
    lines = trace.strip().splitlines()
    places = [line.strip() for line in lines if line.startswith('  File "')]
    return " ".join([lines[-1], *(f"({place})" for place in places[-1:])])[:_LONGEST_REASON]


class Server(uvicorn.Server):
    """uvicorn's server. Where that one logs why it cannot start and exits, it raises
    :class:`StartError`; ``ready`` is called once it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start the application, and listen."""
        with _heard() as said:
            try:
                await super().startup(sockets)
            except SystemExit as error:
                raise StartError(told_in_a_line(said[0]) if said else "no reason given") from error
        self._ready()


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """What uvicorn would log as errors meanwhile."""
    said: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: said.append(handler.format(record))  # type: ignore[method-assign]
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.propagate = True
        logger.removeHandler(handler)


class Worker(Process):
    """A worker, on both sides: ``target`` runs in it, all else in its parent."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.is_ready_once = False
        """Whether it has served."""
        self.has_ended = False
        self.reason = ""
        """Why it ended, once it has."""
        self._said, self._say = Pipe(duplex=False)

    def target(self, sockets: list[socket] | None = None) -> None:
        """Serve, until told to stop."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is nothing to reload yet
        logs.configure()
        self._server = Server(self.config, lambda: self._say.send(_READY))
        try:
            super().target(sockets)
        except Exception as error:
            foreseen = isinstance(error, StartError)
            self._say.send(str(error) if foreseen else told_in_a_line(traceback.format_exc()))
            raise SystemExit(STARTUP_FAILURE) from error  # the parent tells of it

    def listen(self) -> bool:
        """Hear what it has said since the last time; whether that it is ready."""
        ready = False
        while self._said.poll():
            said = self._said.recv()
            ready = ready or said == _READY
            self.reason = said
        self.is_ready_once = self.is_ready_once or ready
        return ready

    def bury(self) -> int | None:
        """End it, if it has not ended by itself; its exit code if it has."""
        code = self.exitcode
        self.kill()
        self.join()
        self.has_ended = True
        return code


def _how(code: int | None) -> str:
    if code is None:
        return "it did not answer"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class Workers(Multiprocess):
    """uvicorn's supervisor, less easily shaken. ``forget`` is told the number of a process that has
    ended. ``failure`` says, when it is over, why no worker could start."""

    processes: list[Worker]  # type: ignore[assignment]

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket], forget: Callable[[int], None]
    ) -> None:
        super().__init__(config, sockets)
        self.failure: str | None = None
        self._forget = forget
        self._served = False
        """Whether any worker was ever ready."""
        self._failures = 0
        """Replacements that have failed since one was ready."""
        self._reason = ""
        self._again_at = 0.0

    def init_processes(self) -> None:
        """Start the first workers."""
        self.processes = [self._new() for _ in range(self.processes_num)]

    def handle_hup(self) -> None:
        """The config is reloaded in place, so that a bad file cannot take workers down."""
        self._listen()
        for worker in self.processes:  # to one that is not ready the signal would be the end
            if worker.is_ready_once and worker.exitcode is None and worker.pid is not None:
                os.kill(worker.pid, signal.SIGHUP)

    def handle_ttin(self) -> None:
        """One worker more."""
        self.processes_num += 1
        self.processes.append(self._new())

    def keep_subprocess_alive(self) -> None:
        """Look after every worker once."""
        self._listen()
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if not worker.has_ended:
                if worker.is_alive(timeout=self.config.timeout_worker_healthcheck):
                    continue
                self._ended(worker)
            now = time.monotonic()
            if not self.should_exit.is_set() and now >= self._again_at:
                if self._failures:
                    self._again_at = now + MAX_PAUSE_S  # others wait for what becomes of this one
                self.processes[index] = self._new()

    def _new(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker

    def _listen(self) -> None:
        for worker in self.processes:
            if not worker.listen():
                continue
            if self._failures:
                log.info("worker_starts_again", pid=worker.pid, failures=self._failures)
            self._served = True
            self._failures, self._reason, self._again_at = 0, "", 0.0

    def _ended(self, worker: Worker) -> None:
        code = worker.bury()
        self._listen()
        worker.reason = worker.reason or _how(code)
        if worker.pid is not None:
            self._forget(worker.pid)
        if worker.is_ready_once:
            log.error("worker_replaced", pid=worker.pid, reason=worker.reason)
        elif not self._served and code is not None and code > 0:
            self.failure = worker.reason  # it would be the same for all of them
            self.should_exit.set()
        else:
            self._failed(worker)

    def _failed(self, worker: Worker) -> None:
        bound_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._again_at = time.monotonic() + bound_s * _random.uniform(0.5, 1.0)
        self._failures += 1
        if worker.reason != self._reason:
            log.error("worker_cannot_start", pid=worker.pid, reason=worker.reason)
        self._reason = worker.reason
