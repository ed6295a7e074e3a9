"""Are there enough file descriptors? Each connection takes one, and so does much else.

When there are none left, libuv accepts each connection, closes it at once and reports nothing.
Therefore the process raises its limit, connections leave room for other uses, and a probe notices
when there are none left all the same.
"""

import asyncio
import errno
import os
import resource
from pathlib import Path

import structlog

log = structlog.get_logger()

RESERVED = 128
"""Descriptors for everything but connections of peers: store, origins, probes, files."""
FEWEST_CONNECTIONS = 16
PROBE_INTERVAL_S = 1.0


def raise_limit() -> int:
    """Raise the limit of open files to the hard limit. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):  # macOS: the hard limit may be above the kernel's own
            return soft
    return hard


def room_for_connections(wanted: int, for_operators: int = 0) -> int:
    """How many of the ``wanted`` connections of players can be open at once, beside those
    ``for_operators``. Logs if it is fewer."""
    limit = raise_limit()
    if limit == resource.RLIM_INFINITY:
        return wanted
    room = max(FEWEST_CONNECTIONS, limit - _open() - RESERVED - for_operators)
    if room < wanted:
        log.warning("max_connections_reduced", wanted=wanted, possible=room, open_files_limit=limit)
    return min(room, wanted)


async def watch() -> None:
    """Log when the process or the system has no descriptors left, and when it has again."""
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
