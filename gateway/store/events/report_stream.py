"""Passes CMCD reports on to the operator's own programs, in a Redis Stream of bounded length."""

from collections.abc import Sequence

from gateway.store.connection.keys import REPORTS
from gateway.store.connection.protocol import Commands, Script
from gateway.store.coordination.lua import OWN
from gateway.store.garbage import found_garbage

VERSION = b"1"

# ARGV: about the most entries of the stream, the version, the time of arrival, and for each report:
# its session and its JSON. Returns whether the key was not ours.
_APPEND = Script(
    "put_reports",
    OWN
    + b"""
own(KEYS[1], 'stream')
for at = 4, #ARGV, 2 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'v', ARGV[2], 'time', ARGV[3],
    'session', ARGV[at], 'report', ARGV[at + 1])
end
return garbage
""",
)


async def append_reports(
    redis: Commands, reports: Sequence[tuple[str, bytes]], time_ms: int, max_length: int
) -> None:
    """Write reports that came together at ``time_ms`` (since 1970): the hash that stands for the
    session, and the report's members as JSON.

    Raises StoreUnavailable; they may have been written nevertheless.
    """
    words = [b"%d" % max_length, VERSION, b"%d" % time_ms]
    for session, report in reports:
        words += (session.encode("ascii"), report)
    if await redis.run(_APPEND, (REPORTS,), words):
        found_garbage("events", "a key of another type")
