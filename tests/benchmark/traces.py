"""Recorded throughput traces, as sessions that report what they measure.

A trace file has one JSON object a line: ``name``, and ``points`` of ``[duration_ms, kbit/s]``; more
members of a point, such as a latency, are ignored. A hash of the name puts each trace on one of two
sides: constants are tuned on one, and tables are made from the other.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.client.estimate import MAX_KBPS, MIN_KBPS

TRACES = Path(__file__).parents[3] / "shared" / "corpus" / "traces"
MEASURED_S = 10.0
"""A report is the mean over this many seconds; a start is judged by the mean of the next ones."""
LONGEST = 60
"""The most reports of one trace, so that long traces do not outweigh the others."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a player measured at ``time_s`` of the trace, and what the network held next, kbit/s."""

    time_s: float
    kbps: float
    held_kbps: float


@dataclass(frozen=True)
class Trace:
    """One recording. ``family`` is the kind of network, ``tuning`` the side."""

    family: str
    name: str
    ends_s: list[float]
    kbits: list[float]

    @property
    def tuning(self) -> bool:
        """Whether constants may be tuned on this trace."""
        return fraction(self.name) < 0.5

    def mean_kbps(self, from_s: float, to_s: float) -> float:
        """The mean speed between two times."""
        kbps = (self._received(to_s) - self._received(from_s)) / (to_s - from_s)
        return min(MAX_KBPS, max(MIN_KBPS, kbps))

    def _received(self, time_s: float) -> float:
        upper = min(max(1, bisect_left(self.ends_s, time_s)), len(self.ends_s) - 1)
        start_s, end_s = self.ends_s[upper - 1 : upper + 1]
        part = (time_s - start_s) / (end_s - start_s)
        return self.kbits[upper - 1] + part * (self.kbits[upper] - self.kbits[upper - 1])

    def reports(self, every_s: float) -> list[Report]:
        """A report each ``every_s``."""
        found: list[Report] = []
        time_s = MEASURED_S
        while time_s + MEASURED_S <= self.ends_s[-1] and len(found) < LONGEST:
            measured = self.mean_kbps(time_s - MEASURED_S, time_s)
            found.append(Report(time_s, measured, self.mean_kbps(time_s, time_s + MEASURED_S)))
            time_s += every_s
        return found


def fraction(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def read_traces(folder: Path) -> Iterator[Trace]:
    """All traces of a folder, in the order of their files."""
    for file in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            given = json.loads(line)
            ends_s, kbits = [0.0], [0.0]
            for duration_ms, kbps, *_ in given["points"]:
                if duration_ms > 0:
                    ends_s.append(ends_s[-1] + duration_ms / 1000)
                    kbits.append(kbits[-1] + kbps * duration_ms / 1000)
            yield Trace(file.stem, given.get("name", f"{file.stem} {number}"), ends_s, kbits)
