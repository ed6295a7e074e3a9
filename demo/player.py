"""Provides hls.js for the demo page. ``python -m demo.player`` fetches it once, with npm.

The code of hls.js is not in this repository. npm fetches a pinned version. Its archive is checked
against the hash below before the script is stored in the virtual environment. Without npm or a
network, the page uses the browser's own HLS support.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.7.4"
INTEGRITY = (
    "sha512-3GlxGdPvT2YHvQYOt+yOzT/DEior/qJVNIylHA77kgeoBTdQQqi70GwefNEUmHQe"
    "NGyjC8U62+bruqW/Tpm+tg=="
)
SCRIPT = Path(sys.prefix) / "share" / "streaming-gateway" / f"hls-{VERSION}.min.js"
_MEMBER = "package/dist/hls.min.js"
_TIMEOUT_S = 60


class PlayerError(RuntimeError):
    """hls.js could not be fetched; the message says why."""


def script() -> Path | None:
    """The path of the script; None when it was not fetched."""
    return SCRIPT if SCRIPT.is_file() else None


def fetch(target: Path = SCRIPT) -> Path:
    """Fetch the pinned hls.js into ``target`` unless it exists; raises :class:`PlayerError`."""
    if target.is_file():
        return target
    npm = shutil.which("npm")
    if npm is None:
        raise PlayerError("npm was not found")
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", f"hls.js@{VERSION}", "--silent", "--fetch-retries=1"]
        try:
            subprocess.run(  # noqa: S603 - a fixed command
                command, cwd=scratch, check=True, capture_output=True, timeout=_TIMEOUT_S
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise PlayerError("npm could not fetch it (no network?)") from error
        archives = list(Path(scratch).glob("*.tgz"))
        if len(archives) != 1:
            raise PlayerError("npm wrote no archive")
        code = unpack(archives[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(code)
    part.replace(target)
    return target


def integrity(archive: Path) -> str:
    """The hash of a file in npm's form: ``sha512-`` and base64."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def unpack(archive: Path, expected: str = INTEGRITY) -> bytes:
    """The script from npm's archive. Raises :class:`PlayerError` when the hash is not
    ``expected``."""
    if integrity(archive) != expected:
        raise PlayerError("the archive from npm does not match the pinned hash and was discarded")
    with tarfile.open(archive) as opened:
        member = opened.extractfile(_MEMBER) if _MEMBER in opened.getnames() else None
        if member is None:
            raise PlayerError(f"the archive does not contain {_MEMBER}")
        return member.read()


def main() -> int:
    """Fetch the script and say so. The exit code is always 0, because the demo works without it."""
    try:
        path = fetch()
    except PlayerError as error:
        sys.stderr.write(
            f"note: hls.js {VERSION} is not installed: {error}. "
            "The demo page will use the browser's own HLS support.\n"
        )
        return 0
    sys.stderr.write(f"hls.js {VERSION}: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
