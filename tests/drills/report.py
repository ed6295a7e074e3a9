"""What is told of drills: one row each, a page, and the course of a single one as it happens."""

import os
import platform
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.drills.drill import Drill, Figures, percentile
from tests.drills.seen import Line
from tests.drills.viewers import Sample

TICK_S = 0.5
COMPLAINTS = 5

_COLUMNS = (
    ("drill", 24),
    ("requests", 8),
    ("failures", 8),
    ("lost", 4),
    ("p99 before", 10),
    ("added", 8),
    ("reacts", 8),
    ("recovers", 8),
    ("verdict", 7),
)
HEAD = "  ".join(
    f"{name:{width}}" if at == 0 else f"{name:>{width}}"
    for at, (name, width) in enumerate(_COLUMNS)
)


def row(drill: Drill, shown: Figures) -> str:
    """One line of the table."""
    cells = (drill.name, *_cells(shown))
    return "  ".join(
        f"{cell:{width}}" if at == 0 else f"{cell:>{width}}"
        for at, (cell, (_, width)) in enumerate(zip(cells, _COLUMNS, strict=True))
    )


def _cells(shown: Figures) -> tuple[str, ...]:
    return (
        str(shown.requests),
        str(len(shown.failures)),
        str(shown.lost),
        f"{shown.before_p99_ms:.1f} ms",
        f"{shown.added_p99_ms:+.1f} ms",
        _seconds(shown.react_s),
        _seconds(shown.recover_s),
        ("green" if shown.green else "RED") + (f", run {shown.runs}" if shown.runs > 1 else ""),
    )


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def complaints(shown: Figures) -> list[str]:
    """Why it is red; empty when it is green."""
    more = len(shown.failures) - COMPLAINTS
    return [
        *shown.misses,
        *([shown.slow] if shown.slow else []),
        *shown.failures[:COMPLAINTS],
        *([f"… and {more} failures more"] if more > 0 else []),
    ]


class Timeline:
    """Prints what happens as it happens, in seconds from the break."""

    def __init__(self, drill: Drill) -> None:
        self._drill = drill
        self._broken: float | None = None
        self._mended: float | None = None
        self._next_tick: float | None = None
        self._since_tick: list[Sample] = []
        self._samples: list[Sample] = []

    def title(self) -> str:
        """What will happen."""
        drill = self._drill
        return f"{drill.name}: {drill.broken} {drill.mended}\nexpected: {drill.expected}\n"

    def happened(self, what: str, at: float, line: Line | None, samples: list[Sample]) -> None:
        """See :data:`tests.drills.run.Listener`."""
        if what == "broken":
            self._broken = at
        if what == "mended":
            self._mended = at
        if what in ("broken", "mended"):
            self._say(at, f"── {self._drill.broken if what == 'broken' else self._drill.mended}")
        elif line is not None:
            self._say(at, f"gateway: {_shown(line[1])}")
        self._samples += samples
        self._since_tick += samples
        if self._next_tick is None or at >= self._next_tick:
            self._next_tick = at + TICK_S
            self._tick(at)

    def _tick(self, at: float) -> None:
        if not self._since_tick:
            return
        samples, self._since_tick = self._since_tick, []
        edges = Counter(one.edge for one in samples if one.edge)
        shares = " ".join(f"{edge} {count}" for edge, count in sorted(edges.items()))
        faults = sum(bool(one.fault) for one in samples)
        p99 = percentile([one.latency_ms for one in samples], 0.99)
        self._say(at, f"{len(samples):3} answers, {faults} failures, p99 {p99:5.1f} ms; {shares}")

    def _say(self, at: float, text: str) -> None:
        when = "        " if self._broken is None else f"{at - self._broken:+6.2f} s"
        print(f"{when}  {text}", flush=True)

    def summary(self, shown: Figures) -> list[str]:
        """What it came to."""
        react, recover = _seconds(shown.react_s), _seconds(shown.recover_s)
        since = "after the break" if self._drill.mend_it is None else "after it was mended"
        return [
            "",
            *self._last_of_the_dead(shown),
            f"reacted after {react}, recovered {recover} {since}",
            f"{shown.requests} requests, {len(shown.failures)} failures, {shown.lost} asked again",
            f"{shown.refused} titles refused that were not known",
            f"p99 {shown.before_p99_ms:.1f} ms before, {shown.during_p99_ms:.1f} ms during",
            *complaints(shown),
            "green" if shown.green else "RED",
        ]

    def _last_of_the_dead(self, shown: Figures) -> list[str]:
        """When the first and the last viewer of an edge that is gone went elsewhere."""
        broken, dead = self._broken, self._drill.dead
        if broken is None or not dead:
            return []
        before = {
            (one.viewer, one.asset)
            for one in self._samples
            if one.done < broken and one.edge in dead
        }
        moved = [
            one.done - broken
            for one in self._samples
            if one.sent > broken and one.edge not in dead and (one.viewer, one.asset) in before
        ]
        named = [
            one.done - broken
            for one in self._samples
            if one.edge in dead and 0 < one.done - broken <= (shown.react_s or 0)
        ]
        first = f"{min(moved):.2f} s" if moved else "never"
        last = f"{max(named):.2f} s" if named else "0 s"
        back = "never"
        if self._mended is not None and shown.recover_s is not None:
            back = f"{self._mended - broken + shown.recover_s:.2f} s"
        without = f"first manifest without it at {first}"
        return [f"gone at 0.00 s, {without}, last manifest with it at {last}, back at {back}"]


def _shown(line: dict[str, Any]) -> str:
    members = {name: line[name] for name in line if name not in ("event", "level", "timestamp")}
    told = " ".join(f"{name}={value}" for name, value in members.items() if value not in ("", None))
    return f"{line.get('event')} {told}"[:160]


def page(rows: Sequence[tuple[Drill, Figures]]) -> str:
    """``docs/failure-drills.md``: what each drill is, and the figures of this run."""
    parts = [_INTRODUCTION, _last_run(rows)]
    for group in dict.fromkeys(drill.group for drill, _ in rows):
        parts.append(f"## {group}\n")
        parts += [_section(drill) for drill, _ in rows if drill.group == group]
    return "\n".join(parts)


_INTRODUCTION = """\
# Failure drills

Written by `make drills`; do not edit. Every drill runs real processes on loopback, breaks one thing
while players ask, mends it, and checks what the players got. No drill restarts the gateway.

<!-- not run: it takes minutes; tests/drills runs the same drills -->
```sh
make drills                        # all of them, in about four minutes
make drills DRILL=redis-killed     # one, shown as it happens
```

They are part of `make test`, where players ask half as often.

## How it is measured

- The config is the shipped one, with two exceptions. Copies from the origin go stale after one
  second, and may be used for one second more while they are fetched again. An edge that comes back
  has all its viewers again after 2 s instead of 30 s.
- Players ask 100 times a second, from three continents, with three devices, each with a session.
  The rate does not fall when answers are slow. A latency counts from the moment at which the
  request was due.
- A **failure** is one of three things: an answer that is not a multivariant playlist of the title
  that was asked for, with at least one variant and every URI at the edge that the answer names; no
  answer within 10 s; an edge that has been dead for more than 2 s, or as long as its drill says.
  Answers are read with a parser that shares no code with the gateway. Every request counts, from
  1.5 s before the break to 0.8 s after the recovery, and none may fail.
- While the origin is in trouble, every fifth request is for a title of which the gateway has no
  copy. It may be refused with 502 or 504 and a problem that says why. After the recovery a refusal
  is a failure.
- **Lost** counts connections that broke while a request was under way. The player asks again. Only
  the drill that kills a worker may lose any.
- **Added** is the 99th percentile of the latency of known titles during the break, less that of the
  1.5 s before it.
- **Reacts** is the time from the break until all workers act on it. **Recovers** is the time from
  the mending until all is as before; where nothing is mended, it counts from the break.
- A drill is red when a request failed or a bound was exceeded. Bounds on latency are wide, since
  they must hold on two busy cores. A drill that only exceeded a bound on latency is run again,
  at most three times, and the verdict says so. The same holds for a drill that exceeded any bound
  on a machine that was too busy from the start: its 99th percentile was above 250 ms before
  anything broke. Bounds on reactions are what the gateway promises.
"""


def _last_run(rows: Sequence[tuple[Drill, Figures]]) -> str:
    names = ("drill", "requests", "failures", "lost", "p99 before", "added", "reacts", "recovers")
    total = sum(shown.requests for _, shown in rows)
    failures = sum(len(shown.failures) for _, shown in rows)
    added = statistics.median(shown.added_p99_ms for _, shown in rows)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        "## The last run\n",
        f"{machine}: {total} requests, {failures} failures; median of added p99 {added:.1f} ms.",
        "",
        "| " + " | ".join((*names, "verdict")) + " |",
        "|---|" + "---:|" * 7 + "---|",
        *("| " + " | ".join((f"`{drill.name}`", *_cells(shown))) + " |" for drill, shown in rows),
        "",
    ]
    return "\n".join(lines)


def _section(drill: Drill) -> str:
    bounds = drill.bounds
    lost = f", {bounds.lost} connections may be lost" if bounds.lost else ""
    reacts = "" if drill.reacted is None else f"reacts within {bounds.react_s:g} s, "
    return (
        f"### `{drill.name}`\n\n"
        f"**Broken:** {drill.broken} **Mended:** {drill.mended}\n\n{drill.expected}\n\n"
        f"*Bounds:* {reacts}recovers within {bounds.recover_s:g} s, "
        f"p99 grows by at most {bounds.added_p99_ms:g} ms{lost}.\n"
    )
