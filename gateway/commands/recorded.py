"""Commands write to the audit log, too: who runs them is the user of the operating system."""

import os
import pwd
import secrets
import socket
import time

import structlog

from gateway.operators.audit_entry import Actor, AuditEntry, State
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination.overrides import shown
from gateway.store.events import audit_stream

MAX_ENTRIES = 10_000_000
"""A command removes none: gateways do, as ``admin.audit_entries`` says."""

log = structlog.get_logger()


def operator() -> str:
    """Who runs the command: the user of the operating system, and the host."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid {os.getuid()}"
    return shown(f"{user}@{socket.gethostname()}")


async def record(
    commands: Commands, action: str, target: str, *, before: State = None, after: State = None
) -> bool:
    """Add what a command has done to the audit log; False when Redis does not accept it, which is
    logged. The action is done all the same."""
    entry = AuditEntry(
        time_ms=int(time.time() * 1000),
        actor=Actor("command", operator()),
        action=action,
        target=target,
        outcome="done",
        before=before,
        after=after,
    )
    try:
        await audit_stream.append(
            commands, secrets.token_hex(6), 1, [(entry.to_bytes(), "")], MAX_ENTRIES
        )
    except StoreUnavailable as error:
        log.error("audit_not_written", action=action, target=target, reason=str(error))  # noqa: TRY400
        return False
    return True
