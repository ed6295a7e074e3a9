"""Entries of the audit log as whoever can write to Redis may have written them."""

import json

import pytest

from gateway.commands.audit import as_line
from gateway.operators.audit_entry import Actor, AuditEntry, read_members

ENTRY = AuditEntry(1_800_000_000_000, Actor("key", "ops"), "purge", "film", "done")


@pytest.mark.parametrize("time_ms", [-1, 253_402_300_800_000, 10**30, 1.5, "1", None])
def test_a_time_that_is_none(time_ms: object) -> None:
    assert read_members(json.dumps({**ENTRY.members(), "time": time_ms}).encode()) is None


@pytest.mark.parametrize("member", ["who", "kind", "action", "target", "outcome", "reason"])
def test_no_entry_controls_a_terminal(member: str) -> None:
    hostile = {**ENTRY.members(), member: "\x1b[2J\u202e\nforged"}
    found = read_members(json.dumps(hostile).encode())
    line = as_line(json.dumps(found))
    assert line.isprintable()
    assert "\\x1b[2J\\u202e\\nforged" in line


def test_what_is_shown() -> None:
    found = read_members(ENTRY.to_bytes())
    assert "2027-01-15T08:00:00Z  key ops  purge film  done" == as_line(json.dumps(found))
