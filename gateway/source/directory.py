"""Source manifests on disk: read once, watched, reloaded.

What cannot be read now says nothing about an asset: its last good copy is served. So a volume that
is not mounted takes no title away from players.

A file must lie below the root. An asset id has no ``..`` segment by its grammar, and the resolved
path is checked, so that neither the template nor a symbolic link leads out of the root.
"""

import asyncio
import contextlib
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

import structlog
from watchfiles import awatch

from gateway.cache import DIRECTORY_SOURCES, Cache
from gateway.observe.tasks import in_time
from gateway.source.faults import SourceFaults
from gateway.source.source import (
    BadSourceError,
    NoSuchAssetError,
    SourceFormats,
    SourceLostError,
    SourceManifest,
    version_of,
)
from manifests.format import ManifestFormat

log = structlog.get_logger()

LOOK_AGAIN_S = 1.0
"""Seconds between checks that the root exists and is still the same folder. Where the system cannot
watch the root, manifests in memory are at most this old."""
READ_S = 5.0
"""The most seconds that a read may take, from its begin on and without parsing. A volume that does
not answer is as one that is gone."""
READERS: Final = 4
"""How many files are read at the same time."""
LOOK_AT_LIVE_S = 0.1
BEING_WRITTEN_S = 1.0
"""A packager may write a live manifest in place, so that a part of it is read. It is read again
after ``LOOK_AT_LIVE_S``, and a fault that lasts for ``BEING_WRITTEN_S`` is reported."""
MAX_FAULTY_LIVE_S = 60.0
"""For so long, the last good version of a faulty live manifest is served."""
MAX_LOOKS = 100
"""The most files with a fault that are read again after each change."""
UNREADABLE: Final = "unreadable"

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
"""Errors that say that there is no such file; any other says that it cannot be read."""


class _File(NamedTuple):
    """A file below the root, and the format in which it is read."""

    path: str
    format: ManifestFormat


@dataclass(slots=True)
class _Known:
    """What was read of a file: a good manifest, or why the file cannot be served, or both when the
    file cannot be read any more, or is live and has just become faulty, at loop time ``since``. It
    holds in one ``generation``, and if ``until`` is given only up to that loop time."""

    generation: int
    manifest: SourceManifest | None
    error: BadSourceError | None = None
    until: float | None = None
    since: float | None = None


class DirectorySource:
    """Reads files below a root; parses each once until it changes."""

    def __init__(self, root: Path, formats: SourceFormats, max_bytes: int) -> None:
        """``max_bytes`` bounds the size of one manifest."""
        self.faults = SourceFaults()
        self._root = root
        self._formats = formats
        self._max_bytes = max_bytes
        self._known: Cache[_File, _Known] = Cache(DIRECTORY_SOURCES)
        self._generation = 0
        self._purges = 0
        self._lost: str | None = None
        """Why the root cannot be read, as last seen."""
        self.is_watched = False
        """Whether :meth:`watch` has looked once."""
        self._look_at = 0.0
        """Loop time at which a root that cannot be read is tried again."""
        self._reading = asyncio.Semaphore(READERS)
        self._readers = ThreadPoolExecutor(2 * READERS, "source")  # some may be stuck
        self._stuck: dict[str, asyncio.Future[bytes]] = {}
        """Reads that have not ended in time, by the path of the file."""

    async def load(
        self,
        asset: str,
        client: str = "",  # noqa: ARG002
        wanted: ManifestFormat = ManifestFormat.HLS,
    ) -> SourceManifest:
        """The manifest of ``asset``, from memory or from disk.

        Raises :class:`NoSuchAssetError`, :class:`BadSourceError` and :class:`SourceLostError`.
        """
        file = self._file(asset, wanted)
        known = self._known.get(file)
        if known is None or known.generation != self._generation or known.until is not None:
            known = await self._refreshed(file, known)
        if known.error is not None and not self._is_being_written(known):
            self.faults.met(file.path, known.error)
        if known.manifest is not None:
            return known.manifest
        if known.error is None:
            raise AssertionError("an entry has a manifest or an error")
        raise known.error.again()

    async def has(self, asset: str, wanted: ManifestFormat) -> bool:
        """Whether there is such a file, be it good or faulty."""
        try:
            await self.load(asset, wanted=wanted)
        except (NoSuchAssetError, SourceLostError):
            return False
        except BadSourceError:
            return True
        return True

    @staticmethod
    def _is_being_written(known: _Known) -> bool:
        """Whether the fault of a file may be that a packager writes it just now."""
        now = asyncio.get_running_loop().time()
        return known.since is not None and now - known.since < BEING_WRITTEN_S

    def _file(self, asset: str, wanted: ManifestFormat) -> _File:
        return _File(self._formats[wanted].path_of(asset), wanted)

    async def _refreshed(self, file: _File, known: _Known | None) -> _Known:
        """What is on disk now, or ``known`` where that cannot be read."""
        clock = asyncio.get_running_loop().time
        generation, purges = self._generation, self._purges
        last_good = None if known is None else known.manifest
        if known is not None and known.generation == generation and clock() < (known.until or 0.0):
            return known
        if self._lost is not None and clock() < self._look_at:
            if last_good is None:
                raise _lost(self._lost)
            return _Known(generation, last_good)
        try:
            found = await self._read_again(file, generation, known)
        except SourceLostError as error:
            self._root_is(str(error))
            if last_good is None:
                raise
            return _Known(generation, last_good)
        except NoSuchAssetError:
            self._root_is(None)  # it has answered
            raise
        self._root_is(None)
        if (generation, purges) == (self._generation, self._purges):  # else it may have changed
            self._known.put(file, found)
        return found

    async def _read_again(self, file: _File, generation: int, known: _Known | None) -> _Known:
        """What is on disk now. Raises NoSuchAssetError and SourceLostError."""
        last_good = None if known is None else known.manifest
        try:
            data = await self._content(file.path)
            read = await asyncio.to_thread(self._parsed, file, data, last_good)
            found = _Known(generation, read)
        except SourceLostError:
            raise
        except NoSuchAssetError:
            self._known.pop(file)
            self.faults.ended(file.path)
            raise
        except BadSourceError as error:
            now = asyncio.get_running_loop().time()
            if error.kind == UNREADABLE:
                return _Known(generation, last_good, error.again(), now + LOOK_AGAIN_S)
            if last_good is None or last_good.manifest.live is None:
                return _Known(generation, None, error.again())
            since = now if known is None or known.since is None else known.since
            if now - since >= MAX_FAULTY_LIVE_S:
                return _Known(generation, None, error.again())
            return _Known(generation, last_good, error.again(), now + LOOK_AT_LIVE_S, since)
        self.faults.ended(file.path)
        return found

    async def _content(self, path: str) -> bytes:
        """The bytes of a file. Raises as :meth:`load` does."""
        loop = asyncio.get_running_loop()
        async with self._reading:
            if self._lost is not None:
                if loop.time() < self._look_at:
                    raise _lost(self._lost)
                self._look_at = loop.time() + READ_S  # one request tries it
            stuck = self._stuck.get(path)
            if stuck is None:
                read = loop.run_in_executor(self._readers, self._bytes, path)
                await asyncio.wait((read,), timeout=READ_S)
                if read.done():
                    return read.result()
                self._stuck[path] = read
                read.add_done_callback(partial(self._came_late, path))
            looking = loop.run_in_executor(self._readers, self._trouble)
            await asyncio.wait((looking,), timeout=LOOK_AGAIN_S)
            late = f"does not answer within {READ_S:g} s"
            trouble = looking.result() if looking.done() else f"{self._root} {late}"
        if trouble is not None:
            raise _lost(trouble)
        raise BadSourceError(f"{path}: {late}", kind=UNREADABLE)

    def _came_late(self, path: str, read: asyncio.Future[bytes]) -> None:
        """A read that was given up has ended. Whatever it found, the next request reads again."""
        self._stuck.pop(path, None)
        if not read.cancelled():
            read.exception()

    def _bytes(self, path: str) -> bytes:
        """The content of a file, in a thread. Raises as :meth:`load` does."""
        try:
            root = self._root.resolve(strict=True)
            full = (root / path).resolve(strict=True)
            if not full.is_relative_to(root):
                raise NoSuchAssetError(f"{path}: lies outside the source's root")
            if not full.is_file():  # a folder, or a pipe that would never end
                raise NoSuchAssetError(f"{path}: not a file")
            with full.open("rb") as opened:
                data = opened.read(self._max_bytes + 1)
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
            self._raise(path, error)
        if len(data) > self._max_bytes:
            text = f"{path}: larger than the {self._max_bytes} bytes allowed"
            raise BadSourceError(text, kind="too-large")
        return data

    def _parsed(self, file: _File, data: bytes, last_good: SourceManifest | None) -> SourceManifest:
        """The manifest in a file; that of ``last_good`` if it has the same bytes. Raises
        BadSourceError."""
        if last_good is not None and last_good.version == version_of(data):
            return replace(last_good)
        read = self._formats[file.format].read
        return SourceManifest(file.path, read(data, file.path, self._max_bytes))

    def _raise(self, path: str, error: OSError | RuntimeError) -> NoReturn:
        """Raise what it means that ``path`` cannot be opened."""
        trouble = self._trouble()
        if trouble is not None:
            raise _lost(trouble) from error
        if isinstance(error, OSError) and error.errno not in _NOT_THERE:
            text = f"{path}: cannot be read: {error.strerror}"
            raise BadSourceError(text, kind=UNREADABLE) from error
        raise NoSuchAssetError(f"{path}: no such file") from None

    def _trouble(self) -> str | None:
        """Why the root cannot be read; None when it can. An empty folder that was not empty before
        is most likely one whose volume is not mounted."""
        try:
            with os.scandir(self._root) as entries:
                if next(entries, None) is None and self._has_copies():
                    return f"{self._root} is empty; is its volume mounted?"
        except OSError as error:
            return f"{self._root} cannot be read: {error.strerror}"
        return None

    def _root_is(self, trouble: str | None) -> None:
        """Remember whether the root can be read, and log when that changes."""
        if (trouble is None) is not (self._lost is None):
            if trouble is not None:
                log.error("source_lost", root=str(self._root), reason=trouble)
            else:
                log.info("source_back", root=str(self._root))
        self._lost = trouble
        if trouble is not None:
            self._look_at = asyncio.get_running_loop().time() + LOOK_AGAIN_S

    def _has_copies(self) -> bool:
        return any(known.manifest is not None for known in list(self._known.values()))

    async def purge(self, asset: str) -> None:
        """Read the files again when ``asset`` is next requested."""
        self._purges += 1
        for wanted in self._formats:
            self._known.pop(self._file(asset, wanted))

    async def purge_prefix(self, prefix: str) -> None:  # noqa: ARG002
        """Forget all files, which costs less than finding those that match."""
        self._purges += 1
        self._known.clear()

    async def revalidate_all(self) -> None:
        """Read all files again when they are next requested."""
        self._generation += 1

    def ready(self) -> str | None:
        """None when the root can be read, or there are copies to serve."""
        trouble = self.degraded()
        return None if trouble is None or self._has_copies() else trouble

    def degraded(self) -> str | None:
        """Why the root cannot be read; None when it can. While it is watched, as of the last look,
        which is a second old at most: a network drive may not answer, and others must not wait."""
        if not self.is_watched:
            self._root_is(self._trouble())
        return self._lost

    async def close(self) -> None:
        """End the threads that read."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def watch(self) -> None:
        """Notice changed files until cancelled.

        After any change all files are read again: a manifest may be reached over links and renamed
        folders, and reading one again takes less than a millisecond.
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
            await self._look()
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _watch_this_root(self) -> None:
        """Look at each change below the root, until it is another folder or cannot be read.

        Raises FileNotFoundError when there is no root, and OSError or RuntimeError when it cannot
        be watched.
        """
        with in_time("source"):
            root = await asyncio.to_thread(self._identity)
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
                if changed:
                    log.info("source_changed", files=len(changed))
                if changed or fresh:  # at first: a file may have changed before the watch began
                    fresh = False
                    await self._look()
                with in_time("source"):
                    moved = await asyncio.to_thread(self._identity) != root
                    trouble = await asyncio.to_thread(self._trouble)
                if moved or trouble is not None:
                    return

    async def _look(self) -> None:
        """Read all files again when they are next requested, and those with a fault now."""
        self._generation += 1
        with in_time("source"):
            trouble = await asyncio.to_thread(self._trouble)
        self._root_is(trouble)
        self.is_watched = True
        if self._lost is None:
            for fault in self.faults.current()[:MAX_LOOKS]:
                for file in (_File(fault.file, wanted) for wanted in self._formats):
                    known = self._known.get(file)
                    if known is not None and known.error is not None:
                        await self._look_at_fault(file, known, fault.problem)

    async def _look_at_fault(self, file: _File, known: _Known, problem: str) -> None:
        with contextlib.suppress(NoSuchAssetError, BadSourceError):
            found = await self._refreshed(file, known)
            if found.error is not None and str(found.error) != problem:
                self.faults.met(file.path, found.error)

    def _identity(self) -> tuple[int, int]:
        """Device and inode of the root, which identify the folder."""
        found = self._root.stat()
        return found.st_dev, found.st_ino


def _lost(trouble: str) -> SourceLostError:
    return SourceLostError(trouble, "the catalogue cannot be read", kind="lost")
