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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from watchfiles import awatch

from gateway.config.load import Loaded, load
from gateway.config.problem import ConfigError, ConfigProblem
from gateway.config.restart import hold_back
from gateway.observe.tasks import in_time

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reload:
    """What became of a reload. ``by`` says what began it: ``file``, ``SIGHUP``, or who asked.

    ``new`` took effect in the place of ``before``; it is None when the file was refused, because of
    ``problems``. ``waiting`` are the changed keys that need a restart.
    """

    by: str
    before: Loaded
    new: Loaded | None
    waiting: tuple[str, ...] = ()
    problems: tuple[ConfigProblem, ...] = ()


Observer = Callable[[Reload], None]
"""Receives every reload, for example to count it in metrics."""


class ConfigWatcher:
    """Holds the ``current`` configuration and replaces it when the file changes."""

    def __init__(
        self,
        loaded: Loaded,
        environ: Mapping[str, str],
        apply: Callable[[Loaded], None],
        observer: Observer,
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
        path = loaded.path
        # What is no file, such as a pipe, can be read only once.
        self._seen = loaded.content if path is None or path.is_file() else self._content()
        self._requested: str | None = None
        self._asked: list[asyncio.Future[Reload]] = []
        self._wake = asyncio.Event()
        self._wake.set()  # the file may have changed since it was loaded

    def reload_soon(self, by: str = "SIGHUP") -> None:
        """Reload soon, even if the file has not changed. For signal handlers on the event loop."""
        self._requested = by
        self._wake.set()

    async def reload(self, by: str) -> Reload:
        """Reload for ``by``, even if the file has not changed; what became of it. Raises what the
        reload raised, if it is no refusal."""
        asked: asyncio.Future[Reload] = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        self.reload_soon(by)
        return await asked

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
                requested, self._requested = self._requested, None
                asked, self._asked = self._asked, []
                with _told(asked), in_time("config"):
                    content = await self._settled()
                    if requested or content != self._seen:
                        done = await self._reload(content, requested or "file")
                        self._seen = content
                        self._observer(done)
                        for each in asked:
                            if not each.done():
                                each.set_result(done)

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

    async def _reload(self, content: bytes | None, by: str) -> Reload:
        path = self.current.path
        try:
            _refuse_empty(path, content)
            new = await asyncio.to_thread(load, path, self._environ)
            new, waiting = hold_back(self.current, new)
            self._apply(new)
        except ConfigError as error:
            log_refused(path, error.problems)
            return Reload(by, self.current, None, problems=error.problems)
        before, self.current = self.current, new
        log.info("config_reloaded", path=str(path), version=new.policy.version)
        for warning in new.warnings:
            log.warning("config_warning", problem=str(warning))
        if new.overridden != before.overridden:
            log_overrides(new)
        log_waiting(waiting)
        return Reload(by, before, new, waiting)


@contextlib.contextmanager
def _told(asked: Iterable[asyncio.Future[Reload]]) -> Iterator[None]:
    """Those who wait for a reload get its error, if it fails in a way that is no refusal."""
    try:
        yield
    except Exception as error:
        for each in asked:
            if not each.done():
                each.set_exception(error)
        raise


def log_refused(path: Path | None, problems: Iterable[ConfigProblem]) -> None:
    """Say why a file is not in force."""
    log.error("config_refused", path=str(path), problems=[str(problem) for problem in problems])


def log_waiting(waiting: Collection[str]) -> None:
    """Say which changed keys need a restart, if there are some."""
    if waiting:
        log.warning("config_waits_for_restart", keys=list(waiting))


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
