"""How did the events of the last seconds divide? Decisions over edges, profiles, countries, devices
and cache outcomes, and answers of content steering over their reasons and over what players did."""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.store.events.event import AnyEvent, PathwayEvent

OF_DECISIONS = ("edge", "profile", "country", "device", "cache")
OF_PATHWAYS = ("steering", "obeyed")
DIMENSIONS = OF_DECISIONS + OF_PATHWAYS
UNKNOWN = "?"
REMEMBERED_WRITERS = 10_000
MAX_WRITER_BYTES = 64
MAX_DIGITS = 15
MAX_MISSED = 10**9
"""As many events as a writer with 5,000 a second has in two days; more cannot be missing."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a name was chosen, and its share of all (0 to 1)."""

    name: str
    count: int
    share: float


class Window:
    """Counts of the last ``seconds`` seconds, one bucket for each second."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._buckets: dict[int, dict[str, Counter[str]]] = {}

    def add(self, event: AnyEvent, time_s: float) -> None:
        """Count an event that Redis received at ``time_s`` (Unix time)."""
        bucket = self._buckets.get(int(time_s))
        if bucket is None:
            bucket = self._buckets[int(time_s)] = {name: Counter() for name in DIMENSIONS}
        for name, value in _values(event).items():
            bucket[name][value or UNKNOWN] += 1

    def shares(self, now_s: float) -> tuple[int, Mapping[str, tuple[Tally, ...]]]:
        """The number of decisions in the window that ends at ``now_s``, and the shares of events
        by dimension, the largest first. Older events are dropped."""
        oldest = int(now_s) - self._seconds
        self._buckets = {second: kept for second, kept in self._buckets.items() if second > oldest}
        total = sum(bucket["edge"].total() for bucket in self._buckets.values())
        return total, {name: self._of(name) for name in DIMENSIONS}

    def _of(self, dimension: str) -> tuple[Tally, ...]:
        counts: Counter[str] = Counter()
        for bucket in self._buckets.values():
            counts.update(bucket[dimension])
        total = counts.total()
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Tally(name, count, count / total) for name, count in ranked)


def _values(event: AnyEvent) -> Mapping[str, str | None]:
    """What an event counts for, by dimension."""
    if isinstance(event, PathwayEvent):
        obeyed = None if event.obeyed is None else "yes" if event.obeyed else "no"
        return {"steering": event.reason, "obeyed": obeyed}
    return {name: getattr(event, name) for name in OF_DECISIONS}


class MissedEvents:
    """Which events never arrived, and which arrived twice? Each writer numbers its events from 1,
    before any can be lost, and the stream keeps their order."""

    def __init__(self) -> None:
        self.lost = 0
        self._last: OrderedDict[bytes, int] = OrderedDict()

    def is_new(self, event_id: bytes) -> bool:
        """Whether the event is new; counts the events missing before it.

        Raises ValueError when ``event_id`` is not ``<writer>-<number>``, or has a number that its
        writer cannot have reached.
        """
        writer, _, digits = event_id.rpartition(b"-")
        number = int(digits[:MAX_DIGITS])
        last = self._last.get(writer)
        if len(writer) > MAX_WRITER_BYTES or len(digits) > MAX_DIGITS:
            raise ValueError("the id is too long")
        if last is not None and number > last + MAX_MISSED:
            raise ValueError(f"more than {MAX_MISSED} events after the last one of its writer")
        if last is not None and number <= last:
            return False
        if last is not None:
            self.lost += number - last - 1
        self._last[writer] = number
        self._last.move_to_end(writer)
        if len(self._last) > REMEMBERED_WRITERS:
            self._last.popitem(last=False)
        return True
