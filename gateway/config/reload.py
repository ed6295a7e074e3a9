"""When does a changed configuration come into force? At once and whole, or not at all.

A file that cannot be used is refused, and the last good configuration stays. Keys that are read
only at the start keep their running values, and are named in the log.

A change is noticed however it was saved: written in place, renamed over the old file, through a
symbolic link that now leads elsewhere (as Kubernetes swaps ConfigMaps), or on a file system that
tells nothing: the folder is watched, and every few seconds the file is read anyway. A file that is
still being written is left alone until it has been still for a moment. An empty one is refused: it
is more likely half a save than a wish for the shipped values.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import structlog
from watchfiles import awatch

from gateway.config.load import Loaded, load
from gateway.config.problem import ConfigError, ConfigProblem
from gateway.config.restart import hold_back

log = structlog.get_logger()


class ReloadObserver(Protocol):
    """Who is told of every reload: the metrics."""

    def reloaded(self, version: str) -> None:
        """A configuration came into force; ``version`` is its policy's."""

    def refused(self, problems: Sequence[ConfigProblem]) -> None:
        """A configuration was refused whole."""


class ConfigWatcher:
    """Holds the configuration in force (``current``), and replaces it when the file changes."""

    def __init__(
        self,
        loaded: Loaded,
        environ: Mapping[str, str],
        apply: Callable[[Loaded], None],
        observer: ReloadObserver,
        *,
        settle_s: float = 0.1,
        poll_s: float = 5.0,
    ) -> None:
        """``apply`` gets every new configuration before it is in force, and may refuse it by
        raising ConfigError. ``settle_s``: how long a file must have been still before it is used.
        ``poll_s``: how often it is read when nothing was told."""
        self.current = loaded
        self._environ = environ
        self._apply = apply
        self._observer = observer
        self._settle_s = settle_s
        self._poll_s = poll_s
        self._seen = self._content()
        self._told = False
        self._wake = asyncio.Event()

    def tell(self) -> None:
        """Reload soon, whether the file changed or not. For signal handlers on the event loop."""
        self._told = True
        self._wake.set()

    def look(self) -> None:
        """Look at the file soon, and reload if it changed. For hints that it may have."""
        self._wake.set()

    async def run(self) -> None:
        """Reload on every change until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self.current.path is not None:
                tasks.create_task(self._notice(self.current.path))
            while True:
                await self._wake.wait()
                self._wake.clear()
                told, self._told = self._told, False
                content = await self._settled()
                if told or content != self._seen:
                    await self._reload(content)

    async def _notice(self, path: Path) -> None:
        """Wake the reload whenever something happened beside the file, and now and then."""
        while True:
            try:
                await self._notice_in(_folders(path), path)
            except (OSError, RuntimeError):  # no such folder, or a loop of links
                await asyncio.sleep(self._poll_s)
                self._wake.set()

    async def _notice_in(self, folders: frozenset[Path], path: Path) -> None:
        """Wake the reload until the file is to be found in other folders."""
        changes = awatch(
            *folders,
            watch_filter=None,
            recursive=False,
            rust_timeout=int(self._poll_s * 1000),
            yield_on_timeout=True,
        )
        async with contextlib.aclosing(changes):
            async for _ in changes:
                self._wake.set()
                if _folders(path) != folders:
                    return

    async def _settled(self) -> bytes | None:
        """The file's content, once it no longer changes."""
        content = await asyncio.to_thread(self._content)
        if content == self._seen:
            return content
        while True:
            await asyncio.sleep(self._settle_s)
            before, content = content, await asyncio.to_thread(self._content)
            if content == before:
                return content

    def _content(self) -> bytes | None:
        """The file's bytes; None when there is no file, or when it cannot be read."""
        try:
            return self.current.path.read_bytes() if self.current.path is not None else None
        except OSError:
            return None

    async def _reload(self, content: bytes | None) -> None:
        self._seen = content
        path = self.current.path
        try:
            _refuse_half_a_save(path, content)
            new = await asyncio.to_thread(load, path, self._environ)
            new, waiting = hold_back(self.current, new)
            self._apply(new)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            log.error("config_refused", path=str(path), problems=problems)  # noqa: TRY400
            self._observer.refused(error.problems)
            return
        self.current = new
        log.info("config_reloaded", path=str(path), version=new.policy.version)
        for warning in new.warnings:
            log.warning("config_warning", problem=str(warning))
        if waiting:
            log.warning("config_waits_for_restart", keys=list(waiting))
        self._observer.reloaded(new.policy.version)


def _refuse_half_a_save(path: Path | None, content: bytes | None) -> None:
    if path is not None and content is not None and not content.strip():
        raise ConfigError([ConfigProblem("", "is empty", source=path.name)])


def _folders(path: Path) -> frozenset[Path]:
    """Where a change of the file shows: its own folder, and that of the file it links to."""
    return frozenset({path.parent, path.resolve().parent})
