"""How is a real nginx of a test started?"""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_START_S = 30.0


@contextlib.contextmanager
def running_nginx(
    folder: Path, http: str, port: int, connections: int = 512
) -> Iterator[subprocess.Popen[bytes]]:
    """An nginx that has ``http`` as its ``http`` block, once it listens on ``port`` of 127.0.0.1;
    see :func:`nginx_command`. Raises AssertionError with its errors when it does not start."""
    command = nginx_command(folder, http, connections)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_listens(process, port, folder)
            yield process
        finally:
            process.terminate()


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise AssertionError(f"nginx does not answer: {(folder / 'error.log').read_text()}")


def nginx_command(folder: Path, http: str, connections: int = 512) -> list[str]:
    """The command of an nginx in the foreground that has ``http`` as its ``http`` block, and room
    for so many ``connections``.

    ``folder`` takes its configuration and all that it writes: ``error.log`` says why it does not
    start. It may read what its user may read, root's files included.
    """
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in _TEMPORARY)
    config = folder / "nginx.conf"
    config.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\n"
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid;\n"
        f"events {{ worker_connections {connections}; }}\n"
        f"http {{ {temporary} access_log off;\n{http}\n}}\n",
        "utf-8",
    )
    return ["nginx", "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
