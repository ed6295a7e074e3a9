"""How are worker processes kept running? A parent starts them and replaces those that end.

uvicorn's supervisor stops every worker when one of them cannot start. That is right only while none
has started: a replacement that fails is tried again after a growing pause, and the others go on
serving.

A worker imports this module before anything else. It imports little, so that errors in the rest can
be reported to the parent, which logs them once.
"""

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import wait
from random import SystemRandom
from socket import socket

import structlog
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from gateway.observe import logs, metrics
from gateway.serving.server_config import ServerConfig
from gateway.serving.service_manager import ServiceManager
from gateway.serving.uvicorn_server import GatewayServer, StartError, summary_of

FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
_ENDING_S = 1.0
"""How long a worker that has closed its end of a pipe may take to end."""
_READY = ""

log = structlog.get_logger()
_random = SystemRandom()


class WorkerProcess(Process):
    """One worker. ``target`` runs in the worker itself, every other method in its parent."""

    config: ServerConfig

    def __init__(self, config: ServerConfig, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.has_served = False
        self.has_ended = False
        self.reason = ""
        """Why it ended, once it has."""
        self._messages, self._to_parent = Pipe(duplex=False)

    def target(self, sockets: list[socket] | None = None) -> None:
        """Serve until told to stop."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is nothing to reload yet
        logs.configure()
        self._server = GatewayServer(self.config, lambda: self._to_parent.send(_READY))
        try:
            super().target(sockets)
        except Exception as error:
            expected = isinstance(error, StartError)
            self._to_parent.send(str(error) if expected else summary_of(traceback.format_exc()))
            raise SystemExit(STARTUP_FAILURE) from error  # the parent logs the reason

    def read_messages(self) -> bool:
        """Read what it has sent since the last time. True if it has become ready."""
        ready = False
        while self._messages.poll():
            message = self._messages.recv()
            ready = ready or message == _READY
            self.reason = message
        self.has_served = self.has_served or ready
        return ready

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether it answers within ``timeout`` seconds. uvicorn's own method waits that long for a
        worker that is killed while it is asked."""
        if not self.process.is_alive():
            return False
        with contextlib.suppress(OSError, EOFError):
            self.parent_conn.send(b"ping")
            ready = wait([self.parent_conn, self.process.sentinel], timeout)
            if self.parent_conn in ready:
                self.parent_conn.recv()
                return True
            if not ready:
                return False
        # It has closed its end of a pipe, as a process does that is ending.
        self._wait_for_its_end()
        return False

    def _wait_for_its_end(self) -> None:
        """Give it the time to end by itself, so that its exit code can be told. ``join`` would wait
        for ever for a worker that has closed its pipe and goes on."""
        deadline = time.monotonic() + _ENDING_S
        while self.process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def reap(self) -> int | None:
        """Make sure that it has ended. Its exit code, or None if it had not ended by itself."""
        code = self.exitcode
        self.kill()
        self.join()
        self.has_ended = True
        return code


def _cause_of(code: int | None) -> str:
    if code is None:
        return "it did not answer"
    return f"killed by {_signal_name(-code)}" if code < 0 else f"exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


class ProcessSupervisor(Multiprocess):
    """uvicorn's supervisor with replacements that may fail.

    Workers have numbers from 0, and a worker that replaces another has the same number. ``on_end``
    is called with the number of each worker that has ended. ``manager`` is told when the first
    worker is ready, that the parent lives, and when the gateway stops. When no worker could start,
    :meth:`run` returns and ``failure`` says why.
    """

    config: ServerConfig
    processes: list[WorkerProcess]  # type: ignore[assignment]

    def __init__(
        self,
        config: ServerConfig,
        sockets: list[socket],
        on_end: Callable[[int], None],
        manager: ServiceManager | None = None,
    ) -> None:
        super().__init__(config, sockets)
        self._manager = manager or ServiceManager()
        self.failure: str | None = None
        self._on_end = on_end
        self._any_has_served = False
        self._failures = 0
        """Replacements that have failed since a worker last became ready."""
        self._logged_reason = ""
        self._next_start_at = 0.0

    def init_processes(self) -> None:
        """Start the first workers."""
        self.processes = [self._start_worker(number) for number in range(self.processes_num)]

    def handle_hup(self) -> None:
        """Have the workers reload their config. uvicorn would replace them, and a broken file would
        take them down."""
        self._read_messages()
        for worker in self.processes:  # the signal would end one that is not ready
            if worker.has_served and worker.exitcode is None and worker.pid is not None:
                os.kill(worker.pid, signal.SIGHUP)

    def terminate_all(self) -> None:
        """Tell every worker to stop. Close the sockets here, too: connections that nobody will
        accept are then refused, instead of waiting in the kernel until the last worker has ended.
        """
        self._manager.stopping()
        super().terminate_all()
        for bound in self.sockets:
            bound.close()

    def handle_ttin(self) -> None:
        """Add a worker."""
        self.processes_num += 1
        self.processes.append(self._start_worker(len(self.processes)))

    def handle_ttou(self) -> None:
        """Remove the last worker, but not the only one."""
        super().handle_ttou()
        self._on_end(self.processes_num)

    def keep_subprocess_alive(self) -> None:
        """Check every worker once, and replace those that have ended."""
        self._read_messages()
        for number, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            self._manager.alive()
            if not worker.has_ended:
                if worker.is_alive(timeout=self.config.timeout_worker_healthcheck):
                    continue
                self._handle_end(number, worker)
            now = time.monotonic()
            if not self.should_exit.is_set() and now >= self._next_start_at:
                if self._failures:
                    self._next_start_at = now + MAX_PAUSE_S  # until it is known how this one fares
                self.processes[number] = self._start_worker(number)

    def _start_worker(self, number: int) -> WorkerProcess:
        metrics.number_worker(number)
        worker = WorkerProcess(self.config, self.sockets)
        worker.start()
        return worker

    def _read_messages(self) -> None:
        for worker in self.processes:
            if not worker.read_messages():
                continue
            if self._failures:
                log.info("worker_starts_again", pid=worker.pid, failures=self._failures)
            if not self._any_has_served:
                self._manager.ready()
            self._any_has_served = True
            self._failures, self._logged_reason, self._next_start_at = 0, "", 0.0

    def _handle_end(self, number: int, worker: WorkerProcess) -> None:
        code = worker.reap()
        self._read_messages()
        worker.reason = worker.reason or _cause_of(code)
        self._on_end(number)
        if worker.has_served:
            log.error("worker_replaced", pid=worker.pid, reason=worker.reason)
        elif not self._any_has_served and code is not None and code > 0:
            self.failure = worker.reason  # all of them would fail in the same way
            self.should_exit.set()
        else:
            self._handle_failed_start(worker)

    def _handle_failed_start(self, worker: WorkerProcess) -> None:
        longest_s = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        self._next_start_at = time.monotonic() + longest_s * _random.uniform(0.5, 1.0)
        self._failures += 1
        if worker.reason != self._logged_reason:
            log.error("worker_cannot_start", pid=worker.pid, reason=worker.reason)
        self._logged_reason = worker.reason
