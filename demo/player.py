"""Provides the players of the demo page. ``python -m demo.player`` fetches them once, with npm.

Their code is not in this repository. npm fetches pinned versions. Each archive is checked against
the hash below before the script is stored in the virtual environment. Without npm or a network, the
page uses the browser's own HLS support.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_S = 120  # the archives of dash.js and Shaka Player have some 25 MB each


@dataclass(frozen=True, slots=True)
class Package:
    """A script in a package of npm: the package's pinned ``version``, the hash of its archive in
    npm's form, and the path of the script in it."""

    name: str
    version: str
    integrity: str
    member: str

    @property
    def script(self) -> Path:
        """Where the script is stored."""
        name = f"{self.name.removesuffix('.js')}-{self.version}.min.js"
        return Path(sys.prefix) / "share" / "streaming-gateway" / name


HLS_JS = Package(
    "hls.js",
    "1.7.4",
    "sha512-3GlxGdPvT2YHvQYOt+yOzT/DEior/qJVNIylHA77kgeoBTdQQqi70GwefNEUmHQe"
    "NGyjC8U62+bruqW/Tpm+tg==",
    "package/dist/hls.min.js",
)
DASH_JS = Package(
    "dashjs",
    "5.2.1",
    "sha512-axcJmLeJCTJMLUfQRErUJB1KOiU5iHF+DMLBc3FKeox1HPYtGUQlC6Xm5Mm6vhBU"
    "R3CHHLIPOqw0JDIqMtP+Dw==",
    "package/dist/modern/umd/dash.all.min.js",
)
SHAKA = Package(
    "shaka-player",
    "5.2.12",
    "sha512-vEsuVDI3+oLh+yqpjXexQZlg2XMUBI0VrqatDuKWacPaxAud6Uph5uCowUPLhUgN"
    "G5XKWCpoM4l1r8qYzWH+zg==",
    "package/dist/shaka-player.compiled-es2021.js",
)
PLAYERS = {"hls.js": HLS_JS, "dash.js": DASH_JS, "shaka.js": SHAKA}
"""By the name of the script on the page."""


class PlayerError(RuntimeError):
    """A player could not be fetched; the message says why."""


def scripts() -> dict[str, Path]:
    """The paths of those scripts that were fetched, by their names on the page."""
    return {name: package.script for name, package in PLAYERS.items() if package.script.is_file()}


def fetch(package: Package = HLS_JS, target: Path | None = None) -> Path:
    """Fetch the pinned script into ``target`` unless it exists; raises :class:`PlayerError`."""
    target = target or package.script
    if target.is_file():
        return target
    npm = shutil.which("npm")
    if npm is None:
        raise PlayerError("npm was not found")
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            npm,
            "pack",
            f"{package.name}@{package.version}",
            "--silent",
            "--fetch-retries=1",
        ]
        try:
            subprocess.run(  # noqa: S603 - a fixed command
                command, cwd=scratch, check=True, capture_output=True, timeout=_TIMEOUT_S
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise PlayerError("npm could not fetch it (no network?)") from error
        archives = list(Path(scratch).glob("*.tgz"))
        if len(archives) != 1:
            raise PlayerError("npm wrote no archive")
        code = unpack(archives[0], package)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(code)
    part.replace(target)
    return target


def integrity(archive: Path) -> str:
    """The hash of a file in npm's form: ``sha512-`` and base64."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def unpack(archive: Path, package: Package = HLS_JS) -> bytes:
    """The script from npm's archive. Raises :class:`PlayerError` when the hash is not the pinned
    one."""
    if integrity(archive) != package.integrity:
        raise PlayerError("the archive from npm does not match the pinned hash and was discarded")
    with tarfile.open(archive) as opened:
        names = opened.getnames()
        member = opened.extractfile(package.member) if package.member in names else None
        if member is None:
            raise PlayerError(f"the archive does not contain {package.member}")
        return member.read()


def main() -> int:
    """Fetch the scripts and say so. The exit code is always 0, because the demo works without."""

    def told(package: Package) -> str:
        try:
            return f"{package.name} {package.version}: {fetch(package)}"
        except PlayerError as error:
            return f"note: {package.name} {package.version} is not installed: {error}."

    with ThreadPoolExecutor() as pool:
        lines = list(pool.map(told, PLAYERS.values()))
    if HLS_JS.name not in scripts():
        lines.append("The demo page will use the browser's own HLS support.")
    sys.stderr.write("\n".join([*lines, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
