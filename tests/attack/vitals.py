"""How is the gateway while it is attacked? Its workers, memory, event loops and log."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.attack.attack import Outcome
from tests.attack.stages import OPERATOR_KEY, WORKERS, Stage
from tests.attack.watched import COLLECTION
from tests.integration.processes import children

MOST_BLOCKED_MS = 100.0
"""A single longer pause proves nothing: a virtual machine counts the time for which its host stops
it as CPU time. Two do, or one of more than ``MOST_COLLECTION_MS``."""
MOST_COLLECTION_MS = 500.0
MOST_GROWTH_MIB = 16.0
"""What a worker may grow while the second half is sent. Caches fill up to their bounds meanwhile,
ever more slowly: 400,000 requests added 34 and 41 MiB, and another 400,000 9 and 11."""
BAD_EVENTS = {"request_failed", "background_task_failed", "worker_replaced", "not json"}
"""Log lines that are never right while the gateway is attacked."""


def resident_bytes(pid: int) -> int:
    """The memory of a process."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Mark:
    """How all was at one moment."""

    workers: tuple[int, ...]
    lines: int
    beats: Mapping[str, int]


class Vitals:
    """Watches one stage during one attack."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._begin = self._mark()
        self._early_bytes: int | None = None

    def _mark(self) -> Mark:
        loops = {file.name: file.stat().st_size for file in self._stage.loops.iterdir()}
        pids = tuple(children(self._stage.gateway.process.pid))
        return Mark(pids, len(self._stage.gateway.log), loops)

    def warmed_up(self) -> None:
        """Memory counts from here."""
        self._early_bytes = self._largest_bytes()

    def add_to(self, outcome: Outcome) -> None:
        """Add what was seen since the beginning."""
        pids = tuple(children(self._stage.gateway.process.pid))
        if pids != self._begin.workers or len(pids) != WORKERS:
            outcome.fault(f"workers {self._begin.workers} became {pids}")
        for line in list(self._stage.gateway.log)[self._begin.lines :]:
            if line.get("event") in BAD_EVENTS or line.get("level") == "critical":
                outcome.fault(f"log: {str(line)[:1500]}")
        watched = len(list(self._stage.loops.iterdir()))
        outcome.fault(f"{watched} event loops are watched", unless=watched >= WORKERS)
        beats, collections = self._blocked_ms()
        *_, second, longest = 0.0, 0.0, *sorted(beats)
        outcome.figures.append(f"loop {longest:.0f} ms")
        if collections:
            most = max(collections)
            outcome.figures.append(f"{len(collections)} full collections of ≤ {most:.0f} ms")
            if most > MOST_COLLECTION_MS:
                outcome.fault(f"a collection of garbage took {most:.0f} ms")
        if second > MOST_BLOCKED_MS or longest > MOST_COLLECTION_MS:
            outcome.fault(f"event loops were busy for {longest:.0f} and {second:.0f} ms at a time")
        answer = httpx.get(f"{self._stage.gateway.url}/v1/play/film.m3u8", timeout=10)
        if answer.status_code not in {200, 401, 404, 429, 502, 504}:
            outcome.fault(f"afterwards a player gets {answer.status_code}")
        self._check_tasks(outcome)

    def add_memory(self, outcome: Outcome, most_mib: float = MOST_GROWTH_MIB) -> None:
        """Add how much larger the largest worker is since then. (All connections may go to one
        worker for long: the other one is cold when the first of them reaches it.)"""
        assert self._early_bytes is not None
        grown = (self._largest_bytes() - self._early_bytes) / 2**20
        outcome.figures.append(f"memory {grown:+.1f} MiB")
        if grown > most_mib:
            outcome.fault(f"the largest worker grew by {grown:.1f} MiB")

    def _largest_bytes(self) -> int:
        return max(resident_bytes(pid) for pid in self._begin.workers)

    def _check_tasks(self, outcome: Outcome) -> None:
        headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
        url = f"{self._stage.gateway.admin_url}/readyz"
        checks = httpx.get(url, headers=headers, timeout=10).json().get("checks")
        if checks is None:  # after guesses of keys, nobody from this address may try for a while
            return
        if checks["tasks"]["status"] != "ok":
            outcome.fault(f"background tasks: {checks['tasks']}")

    def _blocked_ms(self) -> tuple[list[float], list[float]]:
        """How long the loops were busy without a pause, and how long full collections took."""
        beats: list[float] = []
        collections: list[float] = []
        for file in self._stage.loops.iterdir():
            with file.open() as opened:
                opened.seek(self._begin.beats.get(file.name, 0))
                for line in opened.read().splitlines():
                    kind, _, number = line.rpartition(" ")
                    (collections if kind == COLLECTION else beats).append(float(number))
        return beats, collections
