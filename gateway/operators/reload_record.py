"""What the audit log says of a reload of the configuration."""

from gateway.config.reload import Reload
from gateway.config.shown import changed_keys
from gateway.operators.audit import AuditTrail
from gateway.operators.audit_entry import Actor, AuditEntry, State

BY_ITSELF = frozenset({"file", "SIGHUP"})
"""What begins a reload that no request asks for."""


def record_reload(audit: AuditTrail, reload: Reload, time_ms: int) -> None:
    """Record a reload that the file or a signal began. Workers of one gateway reload the same file,
    and record it once. A reload that a request asks for is recorded with the request."""
    if reload.by not in BY_ITSELF:
        return
    before, after = states(reload)
    if before == after and reload.new is not None and reload.by == "file":
        return  # another worker has announced a reload, or the file was only touched
    entry = AuditEntry(
        time_ms=time_ms,
        actor=Actor("gateway", reload.by),
        action="config.reload",
        target=str(reload.before.path or "configuration"),
        outcome="done" if reload.new is not None else "refused",
        before=before,
        after=after,
        reason=reason(reload),
    )
    audit.add(entry, once=f"reload {reload.by} {before} {after} {entry.reason}")


def states(reload: Reload) -> tuple[State, State]:
    """The version of the policy and the changed keys, before the reload and after it."""
    before = {"version": reload.before.policy.version}
    if reload.new is None:
        return before, None
    changed = changed_keys(reload.before.settings, reload.new.settings)
    return (
        {**before, "keys": {key: each["before"] for key, each in changed.items()}},
        {
            "version": reload.new.policy.version,
            "keys": {key: each["after"] for key, each in changed.items()},
        },
    )


def reason(reload: Reload) -> str | None:
    """Why the file was refused, in a line; None when it was not."""
    if reload.new is not None:
        return None
    return "; ".join(str(each) for each in reload.problems if each.severity == "error")
