"""What do the processes of a gateway count and use, where there are several workers?

prometheus-client describes the process that it runs in. Of several workers, whichever is asked
would describe itself alone. Here a worker describes its parent with all children: the workers, and
the embedded store.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

TRIES: Final = 5
PROC: Final = Path("/proc")


class CountsCollector(MultiProcessCollector):
    """What the workers have counted, from the files that they share.

    A worker that begins a file has not given it a size yet for a moment. prometheus-client fails on
    such a file; it holds nothing, so it is left out.
    """

    def __init__(self, folder: Path) -> None:
        """``folder`` is ``PROMETHEUS_MULTIPROC_DIR``."""
        super().__init__(None, str(folder))  # type: ignore[no-untyped-call]
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """The metrics of all workers together."""
        begun = [str(path) for path in self._folder.glob("*.db") if _size(path)]
        found: Iterable[Metric] = self.merge(begun)  # type: ignore[no-untyped-call]
        return found


def _size(path: Path) -> int:
    """The size of a file in bytes; 0 when it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class ProcessesCollector(Collector):
    """The ``process_*`` metrics of a process with its children. None where there is no /proc."""

    def __init__(self, parent: int, proc: Path = PROC) -> None:
        """``parent`` is its process id."""
        self._parent = parent
        self._proc = proc

    def collect(self) -> Iterator[Metric]:
        """CPU seconds and memory as sums, the descriptors of the process that is nearest to its
        limit, and the start of the parent."""
        # A child that ends while it is read is counted twice or not at all, so read again. What a
        # child has used is the parent's from then on, so the sum never falls.
        for left in reversed(range(TRIES)):
            before = self._waited_for_s()
            found = [self._values(pid) for pid in (self._parent, *self._children())]
            if before is None or not found[0]:
                return
            if before == self._waited_for_s() or not left:
                yield from _families(found, before)
                return

    def _values(self, pid: int) -> dict[str, float]:
        """What prometheus-client finds for one process; nothing if it has ended."""
        collector = ProcessCollector(pid=lambda: pid, proc=str(self._proc), registry=None)
        return {
            sample.name: sample.value for family in collector.collect() for sample in family.samples
        }

    def _children(self) -> list[int]:
        """Those that run now (``/proc/PID/task/TID/children``)."""
        found: list[int] = []
        for path in (self._proc / str(self._parent) / "task").glob("*/children"):
            try:
                found += map(int, path.read_text("ascii").split())
            except OSError:  # a thread that has just ended
                continue
        return found

    def _waited_for_s(self) -> float | None:
        """CPU seconds of the children that have ended (``cutime`` and ``cstime`` of proc(5))."""
        try:
            text = (self._proc / str(self._parent) / "stat").read_text("utf-8", "replace")
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _families(found: Sequence[dict[str, float]], past_s: float) -> Iterator[Metric]:
    """The metrics of processes, the parent first. ``past_s`` is the CPU time of past children."""

    def total(name: str) -> float:
        return sum(values.get(name, 0.0) for values in found)

    yield CounterMetricFamily(
        "process_cpu_seconds",
        "User and system CPU time of all processes of this gateway, past workers too.",
        # Prometheus takes a rounding error of a sum that falls for a restart.
        value=round(total("process_cpu_seconds_total") + past_s, 6),
    )
    for name, text in (
        ("process_resident_memory_bytes", "Resident memory of all processes of this gateway."),
        ("process_virtual_memory_bytes", "Virtual memory of all processes of this gateway."),
    ):
        yield GaugeMetricFamily(name, text, value=total(name))
    yield GaugeMetricFamily(
        "process_start_time_seconds",
        "When this gateway was started (Unix time).",
        value=found[0]["process_start_time_seconds"],
    )
    yield from _descriptors(found)


def _descriptors(found: Sequence[dict[str, float]]) -> Iterator[Metric]:
    known = [each for each in found if each.get("process_max_fds")]
    if not known:
        return
    names = "process_open_fds", "process_max_fds"
    fullest = max(known, key=lambda each: each[names[0]] / each[names[1]])
    for name, text in zip(
        names,
        (
            "Open file descriptors of the process that is nearest to its limit.",
            "Limit of file descriptors of that process.",
        ),
        strict=True,
    ):
        yield GaugeMetricFamily(name, text, value=fullest[name])
