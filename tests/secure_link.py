"""A real nginx that checks signed URLs with the block of docs/edge-signing.md."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.nginx import running_nginx
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
    with running_nginx(folder, f"server {{ listen 127.0.0.1:{port};\n{block}\n}}", port):
        yield port
