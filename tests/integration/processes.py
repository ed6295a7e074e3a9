"""Which processes belong to a gateway?"""

from pathlib import Path

WORKERS = ("spawn_main", "tests.integration.forked")
"""One of these is in the command of a worker: the second one in that of a forked gateway's."""


def children(pid: int) -> list[int]:
    """The process ids of a gateway's workers."""
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            pids = [int(each) for each in listed.read_text().split()]
        except OSError:  # the thread has just ended
            continue
        for each in pids:
            try:
                command = Path(f"/proc/{each}/cmdline").read_text()
            except OSError:  # it has just ended
                continue
            if any(worker in command for worker in WORKERS):
                found.append(each)
    return sorted(found)
