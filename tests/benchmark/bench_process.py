"""What has a process used? CPU time and memory from ``/proc``: the process's own accounting."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one process in MiB: resident; its share of that (what n processes share counts
    1/n); the resident parts that are its own (objects), and shared memory, such as a database in a
    memory file. What is left of the resident are files: programs and libraries, which workers
    share."""

    resident: float
    share: float
    own: float
    shared_memory: float


class ProcessTree:
    """A process and those below it, such as the gateway and its embedded store."""

    def __init__(self, pid: int) -> None:
        """``pid`` must be running."""
        self.pid = pid

    def own_cpu_s(self) -> float:
        """User and system time of the process alone, in seconds (resolution 10 ms)."""
        return _cpu_s(self.pid)

    def descendants_cpu_s(self) -> float:
        """User and system time of the processes below it, in seconds."""
        return sum(_cpu_s(pid) for pid in self.descendants())

    def cpu_s(self) -> float:
        """All of it together, in seconds; 0 where there is no ``/proc``."""
        return self.own_cpu_s() + self.descendants_cpu_s()

    def memory(self) -> Memory:
        """What the process alone has in memory now."""
        lines = (PROC / str(self.pid) / "smaps_rollup").read_text().splitlines()[1:]
        kib = {
            name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)
        }
        parts = (kib["Rss"], kib["Pss"], kib["Anonymous"], kib.get("Pss_Shmem", 0))
        return Memory(*(part / 1024 for part in parts))

    def descendants(self) -> list[int]:
        """The processes that it has started, those that they have started, and so on."""
        found = [self.pid]
        for pid in found:  # grows while it is walked
            for file in (PROC / str(pid) / "task").glob("*/children"):
                found.extend(int(child) for child in file.read_text().split())
        return found[1:]

    def pin(self, core: int, others: int) -> None:
        """Let every thread of the process run on ``core`` only, its descendants on ``others``."""
        for pid, where in [(self.pid, core), *((pid, others) for pid in self.descendants())]:
            for thread in (PROC / str(pid) / "task").iterdir():
                os.sched_setaffinity(int(thread.name), {where})


def _cpu_s(pid: int) -> float:
    stat = PROC / str(pid) / "stat"
    if not PROC.is_dir():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
