"""``docs/connections.md`` says what the code does."""

import re
from pathlib import Path

from gateway.config.load import load
from gateway.serving import file_descriptors, limits, refusal, request_reader

PAGE = (Path(__file__).parents[3] / "docs" / "connections.md").read_text("utf-8")


def test_every_refusal_has_its_row() -> None:
    """Status and reason, in the order of the code."""
    rows = re.findall(r"^\| (\d+|–) \| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    expected = sorted((str(each.status or "–"), each.reason) for each in refusal.ALL)
    assert expected == sorted(rows)


def test_limits_are_those_of_the_config_and_the_code() -> None:
    """Values of the first table."""
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| (?:`([a-z_.]+)` )?\| [^|]+ \|$", PAGE, re.MULTILINE)
    shown = [(value, key) for value, key in rows if value not in {"value", "---"}]
    server, bounds = load(None, {}).settings.server, load(None, {}).settings.limits
    keyed = {
        "limits.max_connections": f"{bounds.max_connections:,}",
        "admin.max_connections": f"{load(None, {}).settings.admin.max_connections}",
        "limits.max_connections_per_address": f"{bounds.max_connections_per_address:,}",
        "server.head_timeout_s": f"{server.head_timeout_s} s",
        "server.body_timeout_s": f"{server.body_timeout_s} s",
        "server.idle_timeout_s": f"{server.idle_timeout_s} s",
        "server.write_timeout_s": f"{server.write_timeout_s} s",
    }
    assert keyed == {key: value for value, key in shown if key}
    fixed = [value for value, key in shown if not key]
    assert fixed == [
        f"{request_reader.MAX_HEAD_BYTES // 1024} KiB",
        f"{request_reader.MAX_HEADERS}",
        f"{request_reader.MAX_BODY_BYTES // 1024**2} MiB",
        f"{request_reader.MAX_FRAMING_BYTES // 1024} KiB",
        f"{request_reader.MAX_PIPELINED}",
    ]


def test_the_rest() -> None:
    """Figures in the text."""
    assert f"leave {file_descriptors.RESERVED} descriptors" in PAGE
    assert f"within {limits.DRAIN_S} s" in PAGE
    assert limits.ConnectionLimits() == limits.ConnectionLimits(20, 30, 75, 30, 10_000, 1_000)
