"""Who is told of events as they come? One reader of the stream in each process tells its listeners.

A listener begins behind an entry of the stream and reads on from there by itself, page after page,
until it has caught up. From then on the reader tells it of new entries. What waits for a listener
is bounded: one that does not take it in time is dropped, and learns why.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import structlog

from gateway.observe import metrics
from gateway.store.connection.keys import EVENTS
from gateway.store.connection.protocol import Commands, RedisReply, Script, StoreUnavailable
from gateway.store.events.event import (
    MAX_EVENT_BYTES,
    AnyEvent,
    MalformedEventError,
    PathwayEvent,
    parse_event,
)
from gateway.store.garbage import found_garbage

POLL_S: Final = 0.2
"""Seconds between two reads of a stream without new entries."""
BACKOFF_S: Final = 1.0
"""Seconds until the next read of a stream that cannot be read."""
PAGE: Final = 200
"""Entries that are read at once."""
MAX_WAITING: Final = 1000
"""Events that wait for one listener."""

_ID = re.compile(rb"([0-9]{1,20})-([0-9]{1,20})")
_MAX_PART = 2**64 - 1

# KEYS: the stream. ARGV: the id of the entry to begin behind, or '' for the end; the most entries,
# the most bytes of an event. Returns whether that entry is there, the id of the last entry, and
# entries with their fields, those of a larger one left out. They are read one by one, so that Redis
# holds but one that is too long.
_READ = Script(
    "read_activity",
    b"""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' then return {0, '', {}} end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local last = newest and newest[1] or ''
if ARGV[1] == '' then return {1, last, {}} end
local there = #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
local found, from = {}, '(' .. ARGV[1]
while #found < tonumber(ARGV[2]) do
  local entry = redis.pcall('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
  if not entry then break end
  local fields, size = entry[2], 0
  for _, word in ipairs(fields) do size = size + #word end
  found[#found + 1] = {entry[1], size <= tonumber(ARGV[3]) and fields or {}}
  from = '(' .. entry[1]
end
return {there, last, found}
""",
)

_log = structlog.get_logger(__name__)


class EntryId(NamedTuple):
    """The id of an entry of the stream."""

    time_ms: int
    number: int

    def __str__(self) -> str:
        """``1795902340613-0``."""
        return f"{self.time_ms}-{self.number}"


BEGINNING: Final = EntryId(0, 0)
"""Before the first entry of any stream."""


def entry_id(text: bytes) -> EntryId | None:
    """The id that ``text`` is; None when it is none."""
    found = _ID.fullmatch(text)
    if found is None or max(int(found[1]), int(found[2])) > _MAX_PART:
        return None
    return EntryId(int(found[1]), int(found[2]))


class Told(NamedTuple):
    """An event, with the id of its entry."""

    id: EntryId
    event: AnyEvent


class Missed(NamedTuple):
    """Entries behind ``after`` may be missing: the stream was trimmed or lost meanwhile."""

    after: EntryId


Item = Told | Missed

Ended = Literal["slow", "shutdown", "gone"]
"""Why a listener gets no more: it was too slow, the gateway stops, or it has left."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a listener wants: those that have all of these. ``sessions`` are shown hashes;
    empty for all. An ``edge`` may be the one that serves, that did before, or that plays."""

    sessions: frozenset[str] = frozenset()
    asset: str | None = None
    edge: str | None = None
    country: str | None = None

    def accepts(self, event: AnyEvent) -> bool:
        """Whether an event is wanted."""
        if self.sessions and event.session not in self.sessions:
            return False
        if self.asset is not None and event.asset != self.asset:
            return False
        if self.country is not None and event.country != self.country:
            return False
        return self.edge is None or self.edge in _edges(event)


def _edges(event: AnyEvent) -> tuple[str | None, ...]:
    if isinstance(event, PathwayEvent):
        return (event.edge, event.before, event.playing)
    return (event.edge,)


class Listener:
    """What waits for one listener. ``last`` is the entry up to which all is known to it or
    waits."""

    def __init__(self, wanted: Wanted, last: EntryId) -> None:
        self.wanted = wanted
        self.last = last
        self.live = False
        self.ended: Ended | None = None
        self._waiting: deque[Item] = deque()
        self._changed = asyncio.Event()

    def offer(self, items: Sequence[Item]) -> None:
        """Add what is new and wanted. Never waits; what is too much ends the listener."""
        for item in items:
            if isinstance(item, Told):
                if item.id <= self.last:
                    continue
                self.last = item.id
                if not self.wanted.accepts(item.event):
                    continue
            elif item.after < self.last:  # it has read on from there by itself
                continue
            self._waiting.append(item)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.clear()
            self.end("slow")
        elif self._waiting:
            self._changed.set()

    def end(self, why: Ended) -> None:
        """Tell the listener that nothing more comes. The first reason counts."""
        self.ended = self.ended or why
        self._changed.set()

    async def take(self, patience_s: float) -> list[Item]:
        """The waiting items; none if none come within ``patience_s`` seconds, or it has ended."""
        if not self._waiting and self.ended is None:
            self._changed.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._changed.wait()
            except TimeoutError:
                return []
        items = list(self._waiting)
        self._waiting.clear()
        return items


class TooManyListenersError(Exception):
    """There are as many listeners as are allowed."""


class _Page(NamedTuple):
    """What was read: items, the entry to go on behind, and whether there may be more."""

    items: list[Item]
    last: EntryId
    more: bool


class Activity:
    """Tells listeners of the events in the stream of ``redis``. ``most`` gives how many may listen
    at once."""

    def __init__(self, redis: Commands | None, most: Callable[[], int]) -> None:
        self._redis = redis
        self._most = most
        self._listeners: set[Listener] = set()
        self._position: EntryId | None = None
        self._wanted = asyncio.Event()
        self._stopping = False
        self.trouble: StoreUnavailable | None = None

    @property
    def available(self) -> bool:
        """Whether there is a stream to read."""
        return self._redis is not None

    async def listen(self, wanted: Wanted, after: EntryId | None) -> Listener:
        """A new listener, behind the entry ``after``, or else from now on. Call ``leave`` in any
        case.

        Raises TooManyListenersError, and StoreUnavailable.
        """
        if len(self._listeners) >= self._most():
            raise TooManyListenersError
        listener = Listener(wanted, after or BEGINNING)
        self._add(listener)
        try:
            if after is None:
                listener.last = await self._end()
        except BaseException:
            self.leave(listener)
            raise
        return listener

    async def catch_up(self, listener: Listener) -> None:
        """Offer a listener the next entries that it has not got; when there are no more, it is
        told of new ones from then on. Raises StoreUnavailable."""
        page = await self._read(listener.last)
        listener.offer(page.items)
        listener.last = page.last
        if page.more or listener.ended is not None:
            return
        if self._position is None:
            self._position = listener.last
        if self._position <= listener.last:
            listener.live = True
            self._wanted.set()

    def leave(self, listener: Listener) -> None:
        """A listener has left. Leaving twice does nothing."""
        if listener in self._listeners:
            self._listeners.remove(listener)
            metrics.ACTIVITY_LISTENERS.set(len(self._listeners))
            metrics.ACTIVITY_ENDED.labels(listener.ended or "gone").inc()

    def stop(self) -> None:
        """The gateway stops: all listeners end."""
        self._stopping = True
        for listener in self._listeners:
            listener.end("shutdown")

    async def run(self) -> None:
        """Read while somebody listens, until cancelled."""
        while True:
            await self._wanted.wait()
            if self._position is None or not self._live():
                self._wanted.clear()
                self._position = None
                continue
            try:
                page = await self._read(self._position)
            except StoreUnavailable as error:
                if self.trouble is None:
                    _log.warning("activity_not_read", reason=error.trouble)
                self.trouble = error
                await asyncio.sleep(BACKOFF_S)
                continue
            self.trouble = None
            self._position = page.last
            for listener in self._live():  # also those that caught up during the read
                listener.offer(page.items)
                if _went_back(page):
                    listener.last = page.last
            if not page.more:
                await asyncio.sleep(POLL_S)

    def _live(self) -> list[Listener]:
        return [each for each in self._listeners if each.live and each.ended is None]

    def _add(self, listener: Listener) -> None:
        self._listeners.add(listener)
        metrics.ACTIVITY_LISTENERS.set(len(self._listeners))
        if self._stopping:
            listener.end("shutdown")

    async def _end(self) -> EntryId:
        """The id of the last entry. Raises StoreUnavailable."""
        _, last, _ = await self._ask(b"")
        return last or BEGINNING

    async def _read(self, after: EntryId) -> _Page:
        """The entries behind ``after``. Raises StoreUnavailable."""
        there, newest, entries = await self._ask(str(after).encode("ascii"))
        items: list[Item] = []
        if not there and after != BEGINNING:
            items.append(Missed(after))
        if not entries and (newest is None or newest < after):
            return _Page(items, newest or BEGINNING, more=False)  # another stream has begun
        last = after
        for entry in entries:
            match entry:
                case [bytes(text), list(fields)]:
                    last = entry_id(text) or last
                    event = _event(fields)
                    if event is not None:
                        items.append(Told(last, event))
                case _:
                    found_garbage("events", "an entry of the stream")
        return _Page(items, last, more=len(entries) >= PAGE)

    async def _ask(self, after: bytes) -> tuple[bool, EntryId | None, list[RedisReply]]:
        if self._redis is None:
            raise AssertionError("nobody may listen without a stream")
        words = (after, b"%d" % PAGE, b"%d" % (2 * MAX_EVENT_BYTES))
        match await self._redis.run(_READ, (EVENTS,), words):
            case [int(there), bytes(newest), list(entries)]:
                return there == 1, entry_id(newest), entries
            case _:
                found_garbage("events", "a reply that is no stream")
                return False, None, []


def _went_back(page: _Page) -> bool:
    """Whether the stream that was read is another one, whose entries are older."""
    missed = page.items[0] if page.items else None
    return isinstance(missed, Missed) and page.last < missed.after


def _event(words: list[RedisReply]) -> AnyEvent | None:
    """The event of an entry; None for what is none, or of a later version's kinds."""
    fields = [word for word in words if isinstance(word, bytes)]
    try:
        return parse_event(dict(zip(fields[::2], fields[1::2], strict=False)))
    except MalformedEventError:
        found_garbage("events", "an entry of the stream that is no event")
        return None
