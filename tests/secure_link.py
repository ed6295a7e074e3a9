"""A real nginx that checks signed URLs with the block of docs/edge-signing.md."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.nginx import nginx_command
from tests.ports import free_port

DOCS = Path(__file__).parents[1] / "docs" / "edge-signing.md"
SECRET = "0123456789abcdef0123456789abcdef"
MISSING = "nginx is not here: apt-get install nginx-light"
"""What is wrong where :func:`has_nginx` is false."""


def has_nginx() -> bool:
    """Whether this machine can run it."""
    return shutil.which("nginx") is not None


@contextlib.contextmanager
def secure_link(folder: Path, media: Path) -> Iterator[int]:
    """nginx over the files below ``media``; gives its port. ``folder`` takes what it writes."""
    port = free_port()
    media.chmod(0o755)
    block = DOCS.read_text("utf-8").split("```nginx\n")[1].split("```")[0]
    block = block.replace("SECRET", SECRET).replace("/srv/media", str(media))
    command = nginx_command(folder, f"server {{ listen 127.0.0.1:{port};\n{block}\n}}")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port, folder)
            yield port
        finally:
            process.terminate()


def _wait(port: int, folder: Path) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError((folder / "error.log").read_text())
