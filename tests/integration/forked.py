"""Gateways for tests, forked from a process that has imported the gateway: to import it takes most
of a second of CPU, and the tests start some 200 gateways and as many workers of them.

    python -m tests.integration.forked FD FD [ARGUMENT…]

That process is asked through connections to the first socket, until the second one is closed. With
arguments of pytest it has collected those tests instead, and the workers of pytest-xdist are forked
from it: to import and collect the tests takes most of ten seconds of CPU.

What differs from a start by a shell is just that: modules and the patterns of devices are there
already, and the command line in ``/proc`` is that of the process that forked. Each gateway has the
environment, working directory and file descriptors that it would have, and signals do what they do
after exec. Workers start as ``spawn`` starts them, from what their parent has pickled, and import
anew what counts, since prometheus-client looks at the environment when it is imported.

Tests of the start itself begin afresh instead: ``running_gateway(..., fresh=True)``. Tests of
commands start :func:`gateway_command` where a shell would start ``python -m gateway``.
"""

import atexit
import builtins
import contextlib
import functools
import json
import multiprocessing.spawn
import os
import re
import resource
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker, util
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, TextIO

from tests.integration import forked_command

_MAX_REQUEST_BYTES: Final = 128 * 1024
_MAX_FDS: Final = 4096
_COUNTS: Final = ("prometheus_client", "gateway.observe.metrics")
_WORKER = re.compile(r"spawn_main\(tracker_fd=(\d+), pipe_handle=(\d+)\)")


class ForkedProcess:
    """A process that was forked; what :class:`subprocess.Popen` has that tests ask for."""

    def __init__(
        self, status: socket.socket, stderr: TextIO | None = None, stdout: TextIO | None = None
    ) -> None:
        self._status = status
        self._lock = threading.Lock()
        self.stderr = stderr
        self.stdout = stdout
        self.returncode: int | None = None
        self.pid = self._next_number()

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], 0)[0]:
                self._end()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code once it has ended. Raises :class:`subprocess.TimeoutExpired`."""
        with self._lock:
            if self.returncode is None:
                if not select.select([self._status], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired("gateway", timeout or 0)
                self._end()
            assert self.returncode is not None
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = self._next_number()
        self._status.close()

    def _next_number(self) -> int:
        told = self._status.recv(forked_command.NUMBER.size)
        assert told, "the process that forks gateways has ended"
        number: int = forked_command.NUMBER.unpack(told)[0]
        return number


class Forks:
    """The process that forks, as a test asks it: a new one, or the one that listens at ``path``. A
    new one imports the gateway, or collects tests."""

    def __init__(self, path: str | None = None, collected: Sequence[str] = ()) -> None:
        self._made = contextlib.ExitStack()
        if path is not None:
            self.path = path
            return
        folder = self._made.enter_context(tempfile.TemporaryDirectory())
        self.path = f"{folder}/forks"
        ours, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind(self.path)
            listening.listen()
            fds = [listening.fileno(), theirs.fileno()]
            words = [sys.executable, "-m", "tests.integration.forked", *map(str, fds), *collected]
            process = subprocess.Popen(words, pass_fds=fds)
        self._made.callback(process.wait)
        self._made.enter_context(ours)

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        open_files: int = 0,
        piped: Literal["stderr", "stdout"] = "stderr",
    ) -> ForkedProcess:
        """Run a module with arguments, as ``python -m`` does. ``open_files`` bounds its file
        descriptors; 0 leaves the bound as it is. One of its outputs is ``piped``."""
        number = 2 if piped == "stderr" else 1
        asked = ([number], module, arguments, dict(environ), str(Path.cwd()), open_files)
        status = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        status.connect(self.path)
        read, write = os.pipe()
        socket.send_fds(status, [json.dumps(asked).encode()], [write])
        os.close(write)
        return ForkedProcess(status, **{piped: os.fdopen(read, "r")})

    def command(self, program: str) -> list[str]:
        """The words that run a module, or a script by its path, when arguments follow them."""
        return [sys.executable, "-IS", forked_command.__file__, self.path, program]

    def close(self) -> None:
        """End the process that forks, if it was started here."""
        self._made.close()


PATH_VARIABLE: Final = "TESTS_FORKS"
"""The path of the process that forks for the workers of one run of the tests."""
_forks: list[Callable[[], Forks]] = []


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Within the block, gateways are forked; if no other process forks already, one starts with the
    first of them."""
    made = contextlib.ExitStack()

    @functools.cache
    def forks() -> Forks:
        found = Forks(os.environ.get(PATH_VARIABLE))
        made.callback(found.close)
        return found

    _forks.append(forks)
    with made:
        yield
    _forks.pop()


def forks() -> Forks | None:
    """The process that forks, or None outside of tests."""
    return _forks[-1]() if _forks else None


def gateway_command(program: str = "gateway") -> list[str]:
    """The words that run a module, or a script by its path, when arguments follow them."""
    found = forks()
    assert found is not None
    return found.command(program)


def main() -> None:
    """Fork whatever is asked for, until the other end of the second socket is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those that are forked
    listening, ours = (socket.socket(fileno=int(word)) for word in sys.argv[1:3])
    anew = _collect(sys.argv[3:]) if sys.argv[3:] else _import_all()
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    selector.register(ours, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is ours:
                return
            if key.fileobj is listening:
                _fork(listening.accept()[0], selector, anew)
            else:
                _follow(key.data, selector, ended=key.fd == key.data.pidfd)


def _collect(arguments: list[str]) -> list[str]:
    """Collect tests. A worker collects them again, and finds their modules imported; it also says
    what is wrong with them. Returns the modules that each worker imports anew: none."""
    import pytest  # noqa: PLC0415  # gateways are not forked from what has it

    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main(["--collect-only", "-qq", *arguments])
    return []


def _fork(status: socket.socket, selector: selectors.BaseSelector, anew: list[str]) -> None:
    """Fork what is asked for."""
    asked, fds, _, _ = socket.recv_fds(status, _MAX_REQUEST_BYTES, 3)
    if not asked:  # whoever asked was killed before
        status.close()
        return
    numbers, *words = json.loads(asked)
    pid = os.fork()
    if pid == 0:
        selector.close()
        for fd, number in zip(fds, numbers, strict=True):
            os.dup2(fd, number)
        os.closerange(3, _MAX_FDS)
        _run(anew, *words)
    for fd in fds:
        os.close(fd)
    forked = _Forked(pid, os.pidfd_open(pid), status)
    _tell(forked, pid)
    for each in (forked.pidfd, status):
        selector.register(each, selectors.EVENT_READ, forked)


@dataclass(frozen=True, slots=True, eq=False)
class _Forked:
    """A process that runs, and the socket of those who want to know how it ends."""

    pid: int
    pidfd: int
    status: socket.socket


def _follow(forked: _Forked, selector: selectors.BaseSelector, *, ended: bool) -> None:
    """Tell how a process has ended; or end it, since whoever asked for it is gone."""
    if forked.status.fileno() < 0:  # it ended, and whoever asked was gone, at the same moment
        return
    if not ended:
        selector.unregister(forked.status)
        signal.pidfd_send_signal(forked.pidfd, signal.SIGKILL)
        return
    selector.unregister(forked.pidfd)
    os.close(forked.pidfd)
    _tell(forked, os.waitstatus_to_exitcode(os.waitpid(forked.pid, 0)[1]))
    with contextlib.suppress(KeyError):
        selector.unregister(forked.status)
    forked.status.close()


def _tell(forked: _Forked, number: int) -> None:
    with contextlib.suppress(ConnectionError):  # the test has ended
        forked.status.send(forked_command.NUMBER.pack(number))


def _import_all() -> list[str]:
    """Import the gateway, and compile the patterns of devices, which it does at its start; returns
    the modules that depend on what is counted, and where."""
    importers: defaultdict[str, set[str]] = defaultdict(set)
    original = builtins.__import__

    def recording(
        name: str,
        within: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        names: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        module = original(name, within, locals_, names or (), level)
        if within is not None and level == 0:
            for imported in (name, *(f"{name}.{each}" for each in names or ())):
                importers[imported].add(within["__name__"])
        return module

    from gateway.serving.garbage_collection import excluded_from_collection  # noqa: PLC0415

    builtins.__import__ = recording  # type: ignore[assignment]
    try:
        with excluded_from_collection():
            import demo.run  # noqa: F401, PLC0415
            import gateway.app  # noqa: PLC0415
            import gateway.cli  # noqa: PLC0415
            import gateway.serving.server  # noqa: PLC0415
            from gateway.client.device import DeviceClassifier  # noqa: PLC0415

            classifier = DeviceClassifier()
            for agent in (gateway.app.FIRST_USER_AGENT, *gateway.app.LATER_USER_AGENTS):
                classifier.classify(agent)
    finally:
        builtins.__import__ = original
    found: set[str] = set()
    left = list(_COUNTS)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += (each for each in importers[name] if each.startswith(("gateway.", "demo.")))
    counting = {name for name in sys.modules if name.startswith("prometheus_client.")}
    return sorted((found | counting) & sys.modules.keys())


def _run(
    anew: list[str],
    module: str,
    arguments: list[str],
    environ: dict[str, str],
    folder: str,
    open_files: int,
) -> NoReturn:
    """Be the process that was asked for, to its end: a module, or a script by its path."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    if open_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
    sys.argv = [module, *arguments]
    executing = util.spawnv_passfds

    def spawnv_passfds(path: bytes, words: Sequence[str], passed: Sequence[int]) -> int:
        worker = _WORKER.search(" ".join(map(str, words)))
        if worker is None:
            return executing(path, words, passed)
        with warnings.catch_warnings():  # Python 3.12 and later warn: the parent has threads
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _end_with(lambda: _work(anew, int(worker[1]), int(worker[2]), passed))
        return pid

    util.spawnv_passfds = spawnv_passfds  # type: ignore[assignment]
    if os.path.isabs(module):  # noqa: PTH117
        _end_with(lambda: runpy.run_path(module, run_name="__main__") and 0)
    _end_with(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True) and 0)


def _work(anew: list[str], tracker: int, pipe: int, passed: Sequence[int]) -> int:
    """Be a worker, as one that was spawned; returns its exit code."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit._clear()
    first = 3
    for kept in (*sorted({*passed} - {0, 1, 2}), _MAX_FDS):
        os.closerange(first, kept)
        first = kept + 1
    for name in anew:
        module = sys.modules.pop(name)
        package, _, own = name.rpartition(".")
        if package in sys.modules and getattr(sys.modules[package], own, None) is module:
            delattr(sys.modules[package], own)
    sys.modules["__main__"] = types.ModuleType("__main__")
    resource_tracker._resource_tracker._fd = tracker  # type: ignore[attr-defined]
    return multiprocessing.spawn._main(pipe, os.dup(pipe))


def _end_with(run: Callable[[], object]) -> NoReturn:
    """End this process as Python ends one that has run this."""
    code: object = 1
    try:
        try:
            code = run()
        except SystemExit as ended:
            code = ended.code
        except BaseException:  # noqa: BLE001  # as Python does
            traceback.print_exc()
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code or 0 if isinstance(code, int | None) else 1)


if __name__ == "__main__":
    main()
