"""Are there file descriptors enough? Each connection takes one, and so does much else.

Without descriptors libuv accepts a connection and closes it at once, and says nothing. So the
process may open as many as the system lets it; connections leave room for the rest; and a probe
notices when there are none all the same.
"""

import asyncio
import errno
import os
import resource
from pathlib import Path

import structlog

log = structlog.get_logger()

RESERVED = 128
"""For the store, origins, probes, files, and what else is not a player's connection."""
FEWEST_CONNECTIONS = 16
PROBE_INTERVAL_S = 1.0


def raise_limit() -> int:
    """Let the process open as many files as its hard limit says; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # a kernel whose hard limit is not the last word
            return soft
    return hard


def room_for_connections(wanted: int) -> int:
    """How many of the ``wanted`` connections can be open at once; logged when fewer."""
    limit = raise_limit()
    if limit == resource.RLIM_INFINITY:
        return wanted
    room = max(FEWEST_CONNECTIONS, limit - _open() - RESERVED)
    if room < wanted:
        log.warning("max_connections_reduced", wanted=wanted, possible=room, open_files_limit=limit)
    return min(room, wanted)


async def watch() -> None:
    """Log when the process, or the system, is out of descriptors, and when that has passed."""
    exhausted = False
    while True:
        error = _probe()
        if error is not None and not exhausted:
            log.error("out_of_file_descriptors", reason=error)
        elif error is None and exhausted:
            log.info("file_descriptors_again")
        exhausted = error is not None
        await asyncio.sleep(PROBE_INTERVAL_S)


def _probe() -> str | None:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            return error.strerror
    return None


def _open() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        if Path(folder).is_dir():
            return len(list(Path(folder).iterdir()))
    return 0
