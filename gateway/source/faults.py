"""Which source manifests cannot be served now?

Each fault is logged as one warning when it is first met, not once for each player, and as one line
when it is mended. It is listed for as long as it lasts.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

MAX_FAULTS = 1000
"""The most faults listed; beyond them the one that was met longest ago is dropped."""
MAX_WARNINGS, WARNINGS_S = 20, 60.0
"""At most so many warnings in so many seconds. Where an origin fails for every id, players choose
how many there are."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SourceFault:
    """Why one file cannot be served. ``line`` (from 1) and ``rule`` are None where no line or no
    rule is at fault. ``first_met`` and ``last_met`` are Unix times; ``count`` is how often it was
    met. ``may_pass``: the file itself may be good, since an origin's answer is at fault."""

    file: str
    kind: str
    line: int | None
    rule: str | None
    problem: str
    first_met: float
    last_met: float
    count: int
    may_pass: bool


class Error(Protocol):
    """Why a manifest cannot be served (:class:`gateway.source.source.BadSourceError`)."""

    kind: str
    line: int | None
    rule: str | None

    @property
    def may_pass(self) -> bool:
        """See :class:`SourceFault`."""
        ...


class SourceFaults:
    """The faults of one source by file."""

    def __init__(self, forget_s: float = math.inf, wall: Callable[[], float] = time.time) -> None:
        """A fault that was not met for ``forget_s`` seconds is no longer listed. ``wall`` gives
        Unix time."""
        self._forget_s = forget_s
        self._wall = wall
        self._by_file: dict[str, SourceFault] = {}
        self._warnings_since = -math.inf
        self._warnings = 0

    def met(self, file: str, error: Error) -> None:
        """``file`` could not be served because of ``error``. Logs a fault that is new."""
        now = self._wall()
        known = self._by_file.pop(file, None)
        if known is not None and known.problem == str(error):
            self._by_file[file] = replace(known, last_met=now, count=known.count + 1)
            return
        if len(self._by_file) >= MAX_FAULTS:
            del self._by_file[next(iter(self._by_file))]
        self._by_file[file] = SourceFault(
            file, error.kind, error.line, error.rule, str(error), now, now, 1, error.may_pass
        )
        self._warn(self._by_file[file])

    def ended(self, file: str) -> None:
        """``file`` can be served, or is gone."""
        fault = self._by_file.pop(file, None)
        if fault is not None:
            log.info("source_mended", file=file, count=fault.count)

    def current(self) -> list[SourceFault]:
        """All faults, the oldest first."""
        oldest = self._wall() - self._forget_s
        for fault in list(self._by_file.values()):
            if fault.last_met < oldest:
                del self._by_file[fault.file]
        return sorted(self._by_file.values(), key=lambda fault: fault.first_met)

    def _warn(self, fault: SourceFault) -> None:
        if fault.first_met - self._warnings_since >= WARNINGS_S:
            self._warnings_since, self._warnings = fault.first_met, 0
        self._warnings += 1
        if self._warnings <= MAX_WARNINGS:
            log.warning(
                "source_faulty",
                file=fault.file,
                kind=fault.kind,
                line=fault.line,
                rule=fault.rule,
                problem=fault.problem,
            )
        elif self._warnings == MAX_WARNINGS + 1:
            log.warning("source_faults_not_logged", reason="too many; /readyz lists them")
