"""Source manifests on disk: read once, watched, reloaded.

What a name may reach is bounded: an asset id has no ``..`` segment by its grammar, and the file
that it leads to must really lie below the root, so that neither a template nor a symbolic link
leads out of it.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import structlog
from cachetools import LRUCache
from watchfiles import awatch

from gateway.ladder.hls import bandwidths_of
from gateway.observe.metrics import PLAYLIST_FAULTS
from gateway.source.source import BadSourceError, NoSuchAssetError, SourceManifest
from manifests.hls.fault import ManifestError
from manifests.hls.multivariant import parse

log = structlog.get_logger()

REMEMBERED = 10_000
"""How many assets' manifests are held in memory."""

LOOK_AGAIN_S = 1.0
"""How often the root is looked at: whether it is there, and is still the same folder, in seconds.
Where the system cannot watch it, what is known is as old as this at most."""


@dataclass(frozen=True, slots=True)
class _Unplayable:
    """Remembered like a manifest, so that asking for it again and again costs nothing."""

    why: str


class DirectorySource:
    """``{root}/{template}`` with ``{asset}`` replaced, parsed once and kept until it changes."""

    def __init__(self, root: Path, template: str, max_bytes: int) -> None:
        """``max_bytes`` bounds the size of one manifest."""
        self._root = root
        self._template = template
        self._max_bytes = max_bytes
        self._known: LRUCache[str, SourceManifest | _Unplayable] = LRUCache(REMEMBERED)
        self._generation = 0

    async def load(self, asset: str) -> SourceManifest:
        """The manifest of ``asset``, from memory or from disk.

        Raises :class:`NoSuchAssetError` and :class:`BadSourceError`.
        """
        path = self._template.replace("{asset}", asset)
        known = self._known.get(path)
        if known is None:
            generation = self._generation
            known = await asyncio.to_thread(self._read, path)
            if generation == self._generation:  # else it changed while it was read
                self._known[path] = known
        if isinstance(known, _Unplayable):
            raise BadSourceError(known.why)
        return known

    def _read(self, path: str) -> SourceManifest | _Unplayable:
        """The manifest; or why it is none, which holds until the file changes.

        Raises what may be otherwise the next time: there is no file, or it cannot be read.
        """
        try:
            root = self._root.resolve(strict=True)
            file = (root / path).resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: a loop of symbolic links
            raise NoSuchAssetError(f"{path}: no such file") from None
        if not file.is_relative_to(root):
            raise NoSuchAssetError(f"{path}: leads out of the source's root")
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
            playlist = parse(data, path, max_bytes=self._max_bytes)
        except ManifestError as error:
            return _Unplayable(str(error))
        for fault in playlist.faults:
            PLAYLIST_FAULTS.labels(fault.short_name).inc()
        version = blake2b(data, digest_size=8).hexdigest()
        return SourceManifest(path, playlist, version, bandwidths_of(playlist))

    async def purge(self, asset: str) -> None:
        """Read the file again when ``asset`` is next asked for."""
        self._generation += 1
        self._known.pop(self._template.replace("{asset}", asset), None)

    async def purge_prefix(self, prefix: str) -> None:  # noqa: ARG002
        """Read all files again: that costs less than finding out which."""
        self._forget()

    async def doubt(self) -> None:
        """Read all files again when they are next asked for."""
        self._forget()

    def current(self, asset: str) -> str | None:
        """The version of the manifest in memory; it is there until the file changes."""
        known = self._known.get(self._template.replace("{asset}", asset))
        return known.version if isinstance(known, SourceManifest) else None

    def ready(self) -> str | None:
        """None when the root is there."""
        return None if self._root.is_dir() else f"{self._root} is not a directory"

    def degraded(self) -> str | None:
        """Never: the root is there or is not."""
        return None

    async def close(self) -> None:
        """Nothing is held open."""

    async def watch(self) -> None:
        """Forget what has changed on disk, until cancelled.

        Any change forgets everything: a manifest may be reached through links and renamed folders,
        and reading one again costs less than a millisecond.
        """
        told: str | None = None
        while True:
            try:
                await self._watch_this_root()
            except FileNotFoundError:  # not there yet, or about to be replaced
                pass
            except (OSError, RuntimeError) as error:  # RuntimeError: watchfiles' own
                if str(error) != told:
                    told = str(error)
                    log.error("source_not_watched", reason=told)  # noqa: TRY400
            self._forget()
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _watch_this_root(self) -> None:
        """Forget what changes below the root, until another folder is the root.

        Raises FileNotFoundError when there is no root, and whatever the system says when it cannot
        be watched.
        """
        root = self._identity()
        changes = awatch(
            self._root,
            watch_filter=None,  # the shipped one passes over names that an asset may have
            step=50,
            rust_timeout=int(LOOK_AGAIN_S * 1000),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        fresh = True
        async with contextlib.aclosing(changes):
            async for changed in changes:
                if changed or fresh:  # the first time: it may have changed before the watch began
                    self._forget()
                    fresh = False
                if changed:
                    log.info("source_changed", files=len(changed))
                if self._identity() != root:
                    return

    def _identity(self) -> tuple[int, int]:
        """What tells this folder from another one of its name: device and inode."""
        found = self._root.stat()
        return found.st_dev, found.st_ino

    def _forget(self) -> None:
        self._generation += 1
        self._known.clear()
