"""What could be seen from outside during a drill, and when did something show?

A *sign* is a function of what was seen and of a moment: the first moment after it at which the
thing had come about, or None while it has not. Moments are seconds of the monotonic clock.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.drills.viewers import Sample

QUIET_S = 1.0
"""An edge is avoided when this long no manifest has named it."""

Line = tuple[float, dict[str, Any]]


@dataclass(frozen=True)
class Seen:
    """The gateway's log lines, each with the moment at which it was written, and the players'
    samples, in the order of their ends; how many ``workers`` there are, and what time it is
    ``now``."""

    log: Sequence[Line]
    samples: Sequence[Sample]
    workers: int
    now: float


Sign = Callable[[Seen, float], float | None]


def judged(state: str, *edges: str) -> Sign:
    """Every worker finds each of these edges in this state."""
    return both(*(all_workers("edge_state", "state", {state}, edge=edge) for edge in edges))


def logged(event: str, each: int = 0, **members: Any) -> Sign:
    """A line of the log: by every worker, or ``each`` times."""

    def sign(seen: Seen, since: float) -> float | None:
        moments = [
            at
            for at, line in seen.log
            if at >= since and line.get("event") == event and _has(line, members)
        ]
        needed = each or seen.workers
        return sorted(moments)[needed - 1] if len(moments) >= needed else None

    return sign


def all_workers(event: str, key: str, wanted: Collection[str], **members: Any) -> Sign:
    """Every worker's last line of this kind has one of the wanted values under ``key``."""

    def sign(seen: Seen, since: float) -> float | None:
        current: dict[int, str] = {}
        for at, line in seen.log:
            if line.get("event") != event or not _has(line, members):
                continue
            if at > since and _settled(current, seen.workers, wanted):
                return since
            current[line["pid"]] = line[key]
            if at > since and _settled(current, seen.workers, wanted):
                return at
        return since if _settled(current, seen.workers, wanted) else None

    return sign


def _has(line: Mapping[str, Any], members: Mapping[str, Any]) -> bool:
    return all(line.get(name) == value for name, value in members.items())


def _settled(current: dict[int, str], workers: int, wanted: Collection[str]) -> bool:
    return len(current) == workers and set(current.values()) <= set(wanted)


def avoids(*edges: str) -> Sign:
    """No manifest names these edges any more; the moment of the last one that did."""

    def sign(seen: Seen, since: float) -> float | None:
        last = max(
            (one.done for one in seen.samples if one.done > since and one.edge in edges),
            default=since,
        )
        return last if seen.now - last >= QUIET_S else None

    return sign


def names(*edges: str) -> Sign:
    """Each of these edges is named by a manifest again."""

    def sign(seen: Seen, since: float) -> float | None:
        firsts = [
            next((one.done for one in seen.samples if one.sent > since and one.edge == edge), None)
            for edge in edges
        ]
        return None if None in firsts else max(first for first in firsts if first is not None)

    return sign


def both(*signs: Sign) -> Sign:
    """All of them have shown."""

    def sign(seen: Seen, since: float) -> float | None:
        moments = [one(seen, since) for one in signs]
        return None if None in moments else max(one for one in moments if one is not None)

    return sign


def answered(like: Callable[[Sample], bool]) -> Sign:
    """The first right answer of a kind."""

    def sign(seen: Seen, since: float) -> float | None:
        good = (one for one in seen.samples if one.sent > since and not one.fault and like(one))
        return min((one.done for one in good), default=None)

    return sign


def refused(seen: Seen, since: float) -> float | None:
    """The first honest refusal of a title that is not known."""
    return min((one.done for one in seen.samples if one.sent > since and one.refused), default=None)


class LogReader:
    """Stamps the lines of a gateway's log with the moment at which the gateway wrote them, by its
    own clock: a busy machine may read them late."""

    def __init__(self, log: Sequence[dict[str, Any]]) -> None:
        self._log = log
        self._ahead_s = time.time() - time.monotonic()
        self._earliest = 0.0
        self.lines: list[Line] = []

    def mark(self) -> float:
        """This moment. No line that is read later has an earlier one."""
        self._earliest = time.monotonic()
        return self._earliest

    def read(self) -> list[Line]:
        """The lines that have come since the last time; to be called often."""
        fresh = [(self._moment_of(line), line) for line in self._log[len(self.lines) :]]
        self.lines.extend(fresh)
        return fresh

    def _moment_of(self, line: Mapping[str, Any]) -> float:
        now = time.monotonic()
        if "timestamp" not in line:
            return now
        unix = datetime.fromisoformat(line["timestamp"]).timestamp()
        return min(max(unix - self._ahead_s, self._earliest), now)
