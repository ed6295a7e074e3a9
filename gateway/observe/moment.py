"""How are moments shown to operators?"""

from datetime import UTC, datetime


def rfc3339(unix_time: float) -> str:
    """Unix time as ``2026-11-28T17:40:00Z``."""
    return datetime.fromtimestamp(int(unix_time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
