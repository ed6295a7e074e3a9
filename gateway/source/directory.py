"""Source manifests on disk: read once, watched, reloaded.

A file must lie below the root. An asset id has no ``..`` segment by its grammar, and the resolved
path is checked, so that neither the template nor a symbolic link leads out of the root.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

import structlog
from watchfiles import awatch

from gateway.cache import DIRECTORY_SOURCES, Cache
from gateway.source.source import BadSourceError, NoSuchAssetError, ReadManifest, SourceManifest

log = structlog.get_logger()

LOOK_AGAIN_S = 1.0
"""Seconds between checks that the root exists and is still the same folder. Where the system cannot
watch the root, manifests in memory are at most this old."""


@dataclass(frozen=True, slots=True)
class _Unplayable:
    """Why a file cannot be served. It is cached like a manifest, so that repeated requests do not
    read the file again."""

    why: str


class DirectorySource:
    """Reads ``{root}/{template}``, with ``{asset}`` replaced; parses each file once until it
    changes."""

    def __init__(self, root: Path, template: str, max_bytes: int, read: ReadManifest) -> None:
        """``max_bytes`` bounds the size of one manifest, which ``read`` parses."""
        self._root = root
        self._template = template
        self._max_bytes = max_bytes
        self._parse = read
        self._known: Cache[str, SourceManifest | _Unplayable] = Cache(DIRECTORY_SOURCES)
        self._generation = 0

    async def load(self, asset: str, client: str = "") -> SourceManifest:  # noqa: ARG002
        """The manifest of ``asset``, from memory or from disk.

        Raises :class:`NoSuchAssetError` and :class:`BadSourceError`.
        """
        path = self._template.replace("{asset}", asset)
        known = self._known.get(path)
        if known is None:
            generation = self._generation
            known = await asyncio.to_thread(self._read, path)
            if generation == self._generation:  # else something changed during the read
                self._known.put(path, known)
        if isinstance(known, _Unplayable):
            raise BadSourceError(known.why)
        return known

    def _read(self, path: str) -> SourceManifest | _Unplayable:
        """The manifest, or why the file cannot be served, which is valid until the file changes.

        Raises for conditions that are not cached: the file is missing or cannot be read.
        """
        try:
            root = self._root.resolve(strict=True)
            file = (root / path).resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: a loop of symbolic links
            raise NoSuchAssetError(f"{path}: no such file") from None
        if not file.is_relative_to(root):
            raise NoSuchAssetError(f"{path}: lies outside the source's root")
        if not file.is_file():  # a folder, or a pipe that would never end
            raise NoSuchAssetError(f"{path}: not a file")
        try:
            with file.open("rb") as opened:
                data = opened.read(self._max_bytes + 1)
        except FileNotFoundError:
            raise NoSuchAssetError(f"{path}: no such file") from None
        except OSError as error:
            raise BadSourceError(f"{path}: cannot be read: {error.strerror}") from error
        if len(data) > self._max_bytes:
            return _Unplayable(f"{path}: larger than the {self._max_bytes} bytes allowed")
        try:
            return SourceManifest(path, self._parse(data, path, self._max_bytes))
        except BadSourceError as error:
            return _Unplayable(str(error))

    async def purge(self, asset: str) -> None:
        """Read the file again when ``asset`` is next requested."""
        self._generation += 1
        self._known.pop(self._template.replace("{asset}", asset))

    async def purge_prefix(self, prefix: str) -> None:  # noqa: ARG002
        """Read all files again, which costs less than finding those that match."""
        self._forget()

    async def revalidate_all(self) -> None:
        """Read all files again when they are next requested."""
        self._forget()

    def ready(self) -> str | None:
        """None when the root exists."""
        return None if self._root.is_dir() else f"{self._root} is not a directory"

    def degraded(self) -> str | None:
        """Always None: this source has no degraded state."""
        return None

    async def close(self) -> None:
        """Nothing to release."""

    async def watch(self) -> None:
        """Forget changed files until cancelled.

        Any change forgets everything: a manifest may be reached over links and renamed folders, and
        reading one again takes less than a millisecond.
        """
        logged: str | None = None
        while True:
            try:
                await self._watch_this_root()
            except FileNotFoundError:  # not there yet, or being replaced
                pass
            except (OSError, RuntimeError) as error:  # RuntimeError: watchfiles' own
                if str(error) != logged:
                    logged = str(error)
                    log.error("source_not_watched", reason=logged)  # noqa: TRY400
            self._forget()
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _watch_this_root(self) -> None:
        """Forget everything at each change below the root, until the root is another folder.

        Raises FileNotFoundError when there is no root, and OSError or RuntimeError when it cannot
        be watched.
        """
        root = self._identity()
        changes = awatch(
            self._root,
            watch_filter=None,  # the default filter ignores names that an asset may have
            step=50,
            rust_timeout=int(LOOK_AGAIN_S * 1000),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        fresh = True
        async with contextlib.aclosing(changes):
            async for changed in changes:
                if changed or fresh:  # at first: a file may have changed before the watch began
                    self._forget()
                    fresh = False
                if changed:
                    log.info("source_changed", files=len(changed))
                if self._identity() != root:
                    return

    def _identity(self) -> tuple[int, int]:
        """Device and inode of the root, which identify the folder."""
        found = self._root.stat()
        return found.st_dev, found.st_ino

    def _forget(self) -> None:
        self._generation += 1
        self._known.clear()
