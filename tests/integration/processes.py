"""Which processes belong to a gateway?"""

from pathlib import Path

FORKED = "tests.integration.forked"
"""What the workers of a forked gateway have as their command."""


def children(pid: int) -> list[int]:
    """The process ids of a gateway's workers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_text()
            except OSError:  # it has just ended
                continue
            if int(fields[1]) == pid and ("spawn_main" in command or FORKED in command):
                found.append(int(entry.name))
    return sorted(found)
