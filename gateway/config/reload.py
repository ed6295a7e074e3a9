"""When does a changed configuration take effect? At once and as a whole, or not at all.

A file with an error is refused, and the last good configuration stays. Keys that are read only at
the start keep their running values, and the log names them.

The folder is watched, and the file is also read every few seconds. Changes are therefore noticed
however they are saved: by writing in place, by renaming a file over the old one, by changing a
symbolic link (as Kubernetes does for ConfigMaps), or on a file system without notifications. A file
that is still being written is not read until it has stopped changing. An empty file is refused:
most likely it was not saved completely.
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
from gateway.observe.tasks import in_time

log = structlog.get_logger()


class ReloadObserver(Protocol):
    """Receives every reload, for example to count it in metrics."""

    def reloaded(self, version: str, waiting: Sequence[str]) -> None:
        """A configuration took effect; ``version`` is that of its policy, and ``waiting`` are the
        changed keys that need a restart."""

    def refused(self, problems: Sequence[ConfigProblem]) -> None:
        """A configuration was refused."""


class ConfigWatcher:
    """Holds the ``current`` configuration and replaces it when the file changes."""

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
        """``apply`` is called with every new configuration before it takes effect, and may raise
        ConfigError to refuse it. A file must not have changed for ``settle_s`` seconds before it is
        used. Without notifications, it is read every ``poll_s`` seconds."""
        self.current = loaded
        self._environ = environ
        self._apply = apply
        self._observer = observer
        self._settle_s = settle_s
        self._poll_s = poll_s
        self._seen = self._content()
        self._requested = False
        self._wake = asyncio.Event()

    def reload_soon(self) -> None:
        """Reload soon, even if the file has not changed. For signal handlers on the event loop."""
        self._requested = True
        self._wake.set()

    def check_soon(self) -> None:
        """Read the file soon, and reload if it has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Reload on every change until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self.current.path is not None:
                tasks.create_task(self._notice(self.current.path))
            while True:
                await self._wake.wait()
                self._wake.clear()
                requested, self._requested = self._requested, False
                with in_time("config"):
                    content = await self._settled()
                    if requested or content != self._seen:
                        await self._reload(content)
                        self._seen = content

    async def _notice(self, path: Path) -> None:
        """Wake ``run`` when anything changes in the file's folder, and every ``poll_s`` seconds."""
        while True:
            try:
                await self._notice_in(_folders(path), path)
            except (OSError, RuntimeError):  # the folder does not exist, or links form a loop
                await asyncio.sleep(self._poll_s)
                self._wake.set()

    async def _notice_in(self, folders: frozenset[Path], path: Path) -> None:
        """Wake ``run`` until the file's folders change, for example by a new symbolic link."""
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
        """The content of the file, once it no longer changes."""
        content = await asyncio.to_thread(self._content)
        if content == self._seen:
            return content
        while True:
            await asyncio.sleep(self._settle_s)
            before, content = content, await asyncio.to_thread(self._content)
            if content == before:
                return content

    def _content(self) -> bytes | None:
        """The bytes of the file; None when it does not exist or cannot be read."""
        try:
            return self.current.path.read_bytes() if self.current.path is not None else None
        except OSError:
            return None

    async def _reload(self, content: bytes | None) -> None:
        path = self.current.path
        try:
            _refuse_empty(path, content)
            new = await asyncio.to_thread(load, path, self._environ)
            new, waiting = hold_back(self.current, new)
            self._apply(new)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            log.error("config_refused", path=str(path), problems=problems)  # noqa: TRY400
            self._observer.refused(error.problems)
            return
        before, self.current = self.current, new
        log.info("config_reloaded", path=str(path), version=new.policy.version)
        for warning in new.warnings:
            log.warning("config_warning", problem=str(warning))
        if new.overridden != before.overridden:
            log_overrides(new)
        if waiting:
            log.warning("config_waits_for_restart", keys=list(waiting))
        self._observer.reloaded(new.policy.version, waiting)


def log_overrides(loaded: Loaded) -> None:
    """Say which keys of the file have no effect, because the environment sets them."""
    if loaded.overridden:
        variables = {key: loaded.from_environment[key] for key in loaded.overridden}
        log.warning("environment_overrides_file", path=str(loaded.path), keys=variables)


def _refuse_empty(path: Path | None, content: bytes | None) -> None:
    if path is not None and content is not None and not content.strip():
        raise ConfigError([ConfigProblem("", "is empty", source=path.name)])


def _folders(path: Path) -> frozenset[Path]:
    """The folder of the file, and the folder of the file that it links to."""
    return frozenset({path.parent, path.resolve().parent})
