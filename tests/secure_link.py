"""A real nginx that checks signed URLs with the block of docs/edge-signing.md."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

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
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in names)
    config = folder / "nginx.conf"
    config.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\n"
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid;\nevents {{}}\n"
        f"http {{ {temporary} access_log off;\n"
        f"server {{ listen 127.0.0.1:{port};\n{block}\n}} }}\n"
    )
    command = ["nginx", "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
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
