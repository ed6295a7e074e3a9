"""Which keys verify playback tokens now? Those of the config, of files, and of issuers' sets.

- A file is read again when it changes, and at every look while it cannot be read. One that cannot
  be used is logged, and its last good keys stay.
- A set with a URL is fetched again in time. While that fails, its last good keys stay, for a
  bounded time. A token with an unknown key id has the sets fetched at once, but not often: anyone
  can send one.
- With other keys or rules, a new verifier takes the place of the old one.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

import structlog

from gateway.clock import Clock
from gateway.observe import metrics
from gateway.observe.tasks import in_time
from gateway.trust.tokens.key import TokenKey, public_key
from gateway.trust.tokens.key_set import MAX_SET_BYTES, TokenKeys, keys_of_set
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.sources import KeyFile, KeySetPlace, TokenSources
from gateway.trust.tokens.verifier import Verifier

if TYPE_CHECKING:
    from gateway.background.token_key_sets import KeySetClient

INTERVAL_S = 2.0
"""Between two looks at files."""

log = structlog.get_logger()
_random = SystemRandom()

Place = KeyFile | KeySetPlace
Signature = tuple[int, int, int]


@dataclass(slots=True)
class _Held:
    """What is known of a place. ``signature`` is that of the file whose content was read last.
    Times are monotonic seconds; ``read_at`` is that of the last success. ``wanted``: it is to be
    fetched at once, also when a fetch that has begun ends."""

    keys: tuple[TokenKey, ...] = ()
    signature: Signature | None = None
    read_at: float | None = None
    next_at: float = 0.0
    wanted: bool = False
    problem: str | None = None
    data: bytes = field(default=b"", repr=False)


class TokenKeyKeeper:
    """Makes the verifier, and replaces it when keys change."""

    def __init__(
        self, sources: TokenSources, rules: TokenRules, clock: Clock | None = None
    ) -> None:
        """Reads the files of ``sources``."""
        self._sources = sources
        self._rules = rules
        self._clock = clock or Clock()
        self._held: dict[Place, _Held] = {}
        self._listeners: list[Callable[[Verifier], None]] = []
        self._wake = asyncio.Event()
        self._unknown_at: float | None = None
        self._client: KeySetClient | None = None
        self.verifier = Verifier(TokenKeys(), rules, self.unknown_key)
        self.configure(sources, rules)

    def on_change(self, listener: Callable[[Verifier], None]) -> None:
        """Call ``listener``, which must not block, with every new verifier."""
        self._listeners.append(listener)

    def configure(self, sources: TokenSources, rules: TokenRules) -> None:
        """Use the keys and rules of a new config. New sets are fetched at once."""
        self._sources, self._rules = sources, rules
        places: tuple[Place, ...] = (*sources.files, *sources.sets)
        self._held = {place: self._held.get(place) or _Held() for place in places}
        for place in self._files():
            self._read_file(place, self._held[place])
        self._wake.set()
        self._rebuild()

    def unknown_key(self) -> None:
        """A token names a key that is not there: fetch the sets soon, if that was not done lately.
        For the verifier."""
        now = self._clock.now()
        lately = self._unknown_at is not None
        if lately and now - (self._unknown_at or 0.0) < self._sources.refresh.unknown_s:
            return
        urls = list(self._urls())
        if urls:
            self._unknown_at = now
            for place in urls:
                self._held[place].wanted = True
            self._wake.set()

    async def first_look(self, timeout_s: float) -> None:
        """Fetch the sets, for at most ``timeout_s`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.look()

    async def run(self) -> None:
        """Follow files and sets until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow_files())
                while True:
                    await self._pause()
                    with in_time("token_keys"):
                        await self.look()
        finally:
            await self.close()

    async def look(self) -> None:
        """Fetch the sets whose time has come, and drop keys that were kept for too long."""
        if self._client is not None and self._client.bounds != self._sources.refresh:
            await self.close()  # the next one has the bounds of the new config
        now = self._clock.now()
        due = [
            (place, self._held[place])
            for place in self._urls()
            if self._held[place].wanted or self._held[place].next_at <= now
        ]
        await asyncio.gather(*(self._fetch(place, held) for place, held in due))
        keep_s = self._sources.refresh.keep_s
        for place in self._urls():
            held = self._held[place]
            if held.keys and held.read_at is not None and self._clock.now() - held.read_at > keep_s:
                held.keys, held.data = (), b""
                held.read_at = self._clock.now()  # known to verify nothing
                log.error("token_keys_dropped", place=_shown(place), kept_s=keep_s)
        self._rebuild()

    def _files(self) -> Iterator[Place]:
        for place in self._held:
            if isinstance(place, KeyFile) or place.path is not None:
                yield place

    def _urls(self) -> Iterator[KeySetPlace]:
        for place in self._held:
            if isinstance(place, KeySetPlace) and place.url is not None:
                yield place

    async def _pause(self) -> None:
        """Wait until a set is due."""
        now = self._clock.now()
        held = [self._held[place] for place in self._urls()]
        waits = [0.0 if each.wanted else each.next_at - now for each in held]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(waits)) if waits else None):
                await self._wake.wait()
        self._wake.clear()

    async def _follow_files(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            with in_time("token_keys"):
                for place in list(self._files()):
                    held = self._held.get(place)  # None when a new config has no such file
                    if held is None:
                        continue
                    if await asyncio.to_thread(_signature, place) != held.signature:
                        await asyncio.to_thread(self._read_file, place, held)
                        self._rebuild()

    def _read_file(self, place: Place, held: _Held) -> None:
        signature = _signature(place)
        held.signature = None  # not read yet: the next look tries again
        try:
            data = read_key_file(_path(place))
            held.signature = signature
            held.keys = _keys_in(place, data)
        except ValueError as error:
            if held.problem != str(error):  # one problem counts once, however often it is met
                self._failed(place, held, str(error))
            return
        self._succeeded(held)

    async def _fetch(self, place: KeySetPlace, held: _Held) -> None:
        bounds = self._sources.refresh
        held.wanted = False
        held.next_at = self._clock.now() + bounds.min_s * _random.uniform(1.0, 1.2)
        try:
            if self._client is None:
                from gateway.background.token_key_sets import KeySetClient  # noqa: PLC0415

                self._client = KeySetClient(bounds, self._clock)
            fetched = await self._client.fetch(place.url or "")
            if fetched.data != held.data:
                held.keys, held.data = _keys_in(place, fetched.data), fetched.data
        except (ValueError, OSError) as error:  # OSError: tokens.ca_file cannot be used
            self._failed(place, held, str(error))
            return
        wait_s = max(bounds.min_s, fetched.fresh_s * _random.uniform(0.9, 1.0))
        held.next_at = self._clock.now() + wait_s
        self._succeeded(held)

    def _succeeded(self, held: _Held) -> None:
        metrics.TOKEN_KEY_READS.labels("ok").inc()
        held.read_at, held.problem = self._clock.now(), None
        self._count_refused()

    def _failed(self, place: Place, held: _Held, problem: str) -> None:
        """Keep the last good keys. Each problem is logged once."""
        metrics.TOKEN_KEY_READS.labels("refused").inc()
        if held.problem != problem:
            log.error(
                "token_keys_refused", place=_shown(place), reason=problem, kept=len(held.keys)
            )
        held.problem = problem
        self._count_refused()

    def _count_refused(self) -> None:
        refused = sum(held.problem is not None for held in self._held.values())
        metrics.TOKEN_KEY_SOURCES_REFUSED.set(refused)

    def _rebuild(self) -> None:
        keys = TokenKeys(
            (*self._sources.keys, *(k for held in self._held.values() for k in held.keys))
        )
        if keys == self.verifier.keys and self._rules == self.verifier.rules:
            self.verifier.sets_read_s = self._sets_read_s()
            return
        if keys != self.verifier.keys:
            log.info("token_keys_changed", keys=[key.name for key in keys.keys])
        self.verifier = Verifier(keys, self._rules, self.unknown_key)
        self.verifier.sets_read_s = self._sets_read_s()
        for listener in self._listeners:
            listener(self.verifier)

    def _sets_read_s(self) -> float | None:
        """See :attr:`Verifier.sets_read_s`. Files are read again as soon as they change."""
        read = [self._held[place].read_at for place in self._urls()]
        known = [at for at in read if at is not None]
        if len(known) < len(read):
            return None
        return self._clock.to_unix(min(known)) if known else math.inf

    async def close(self) -> None:
        """Close every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def read_key_file(path: str) -> bytes:
    """The content of a file of keys. Raises ValueError, which says why, when it cannot be read."""
    try:
        with Path(path).open("rb") as opened:
            data = opened.read(MAX_SET_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    if len(data) > MAX_SET_BYTES:
        raise ValueError(f"has more than {MAX_SET_BYTES} bytes")
    return data


def _keys_in(place: Place, data: bytes) -> tuple[TokenKey, ...]:
    if isinstance(place, KeyFile):
        return (public_key(place.use, data.decode("utf-8", "replace")),)
    keys, skipped = keys_of_set(data, place.use)
    for problem in skipped:
        log.warning("token_key_not_used", place=_shown(place), problem=problem)
    if not keys:
        raise ValueError("has no key that can be used")
    return keys


def _signature(place: Place) -> Signature | None:
    """What changes when the file does; None when there is none."""
    try:
        found = Path(_path(place)).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _path(place: Place) -> str:
    return place.path or ""


def _shown(place: Place) -> str:
    return place.path or (place.url or "" if isinstance(place, KeySetPlace) else "")
