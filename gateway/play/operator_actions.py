"""What operators read and do over HTTP, beside what the commands of the same names do.

Every action that a request asks for is in the audit log, whether it was done, refused or failed.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from gateway.client.asset import NO_PREFIX, is_asset_prefix
from gateway.config.problem import ConfigError
from gateway.config.registration import checked_ids
from gateway.operators import drains, purges, revoking, steers
from gateway.operators.action_error import ActionError
from gateway.operators.audit_entry import Actor, AuditEntry, Outcome, State
from gateway.operators.moment import moment_of
from gateway.operators.steers import Wanted
from gateway.play import problems
from gateway.play.problems import Problem
from gateway.play.reply import Reply
from gateway.play.runtime import Gateway
from gateway.store.connection.protocol import Commands, StoreUnavailable
from gateway.store.coordination import revocations
from gateway.store.coordination.overrides import OverrideEntry, is_override_id
from gateway.store.coordination.revocations import Revocable
from gateway.untrusted import json_of

MAX_BODY_BYTES: Final = 64 * 1024
MAX_IDEMPOTENCY_KEY_CHARS: Final = 255
_NOT_KEPT: Final = "the request is malformed"
"""The recorded reason where the details may have the name of a viewer."""
_WHOLE: Final = 10_000
_NO_STORE: Final = {"Cache-Control": "no-store"}
_STATUS: Final = {
    "malformed": 400,
    "unknown-edge": 404,
    "unknown": 404,
    "conflict": 409,
    "full": 409,
    "refused": 503,
}


@dataclass(frozen=True, slots=True)
class Act:
    """A request to act: who asks, and when (Unix time in ms)."""

    actor: Actor
    time_ms: int

    @property
    def who(self) -> str:
        """Who asks, in a word."""
        return f"{self.actor.kind} {self.actor.id}"


@dataclass(frozen=True, slots=True)
class Done:
    """What an action has done: the members of the answer, and what changed."""

    members: Mapping[str, object]
    before: State = None
    after: State = None
    status: int = 200


Work = Callable[[Commands], Awaitable[Done]]


async def perform(gateway: Gateway, act: Act, action: str, target: str, work: Work) -> Reply:
    """Do something for an operator, and record it. Raises a problem that says why it was not
    done."""
    try:
        with _recorded(gateway, act, action, target):
            done = await work(_commands(gateway))
    except ActionError as error:
        record(gateway, act, action, target, "refused", reason=str(error))
        raise _problem_of(error) from error
    except StoreUnavailable as error:
        record(gateway, act, action, target, "failed", reason=str(error))
        raise problems.store_unavailable(str(error)) from error
    record(gateway, act, action, target, "done", before=done.before, after=done.after)
    return json_reply(done.members, done.status)


@contextlib.contextmanager
def _recorded(
    gateway: Gateway, act: Act, action: str, target: str, reason: str | None = None
) -> Iterator[None]:
    """Record a problem that is raised within as a refusal, with its detail or this ``reason``."""
    try:
        yield
    except Problem as problem:
        record(gateway, act, action, target, "refused", reason=reason or problem.detail)
        raise


def record(
    gateway: Gateway,
    act: Act,
    action: str,
    target: str,
    outcome: Outcome,
    *,
    before: State = None,
    after: State = None,
    reason: str | None = None,
) -> None:
    """Add an entry to the audit log. Never waits, never raises."""
    entry = AuditEntry(
        time_ms=act.time_ms,
        actor=act.actor,
        action=action,
        target=target,
        outcome=outcome,
        before=before,
        after=after,
        reason=reason,
    )
    gateway.audit.add(entry)


async def drain_edge(gateway: Gateway, act: Act, edge_id: str, body: bytes) -> Reply:
    """``POST /v1/edges/{id}/drain`` with ``{"why": …, "force": …}``. Doing it again changes the
    reason alone."""
    with _recorded(gateway, act, "edge.drain", edge_id):
        given = _object(body, {"why": str, "force": bool})

    async def work(commands: Commands) -> Done:
        _check_edge(edge_id)
        if not given.get("force", False):
            drains.refuse_unknown((edge_id,), _known_edges(gateway))
        why = given.get("why") or f"drained by {act.who}"
        before = await _drain_state(commands, edge_id)
        await drains.drain(commands, (edge_id,), why)
        after = {"drained": True, "why": why[: drains.MAX_WHY_CHARS]}
        return Done({"id": edge_id, **after}, before, after)

    return await perform(gateway, act, "edge.drain", edge_id, work)


async def undrain_edge(gateway: Gateway, act: Act, edge_id: str, body: bytes) -> Reply:
    """``POST /v1/edges/{id}/undrain``. An edge that is not drained stays so."""
    with _recorded(gateway, act, "edge.undrain", edge_id):
        _object(body, {})

    async def work(commands: Commands) -> Done:
        _check_edge(edge_id)
        before = await _drain_state(commands, edge_id)
        await drains.undrain(commands, (edge_id,))
        by_config = any(each.id == edge_id and each.drain for each in _edges_of(gateway))
        members = {"id": edge_id, "drained": by_config, "was_drained": before["drained"]}
        return Done(members, before, {"drained": by_config})

    return await perform(gateway, act, "edge.undrain", edge_id, work)


async def purge(gateway: Gateway, act: Act, body: bytes) -> Reply:
    """``POST /v1/purge`` with ``{"asset": …}`` or ``{"prefix": …}``."""
    with _recorded(gateway, act, "purge", "unknown"):
        given = _object(body, {"asset": str, "prefix": str})
        asset, prefix = given.get("asset"), given.get("prefix")
        if (asset is None) == (prefix is None):
            raise problems.bad_body("give either asset or prefix")

    async def work(commands: Commands) -> Done:
        report = await purges.purge_everywhere(commands, purges.purge_of(asset, prefix))
        return Done(report.members(), after=report.members())

    return await perform(gateway, act, "purge", asset or f"{prefix}…", work)


async def begin_steer(
    gateway: Gateway, act: Act, body: bytes, idempotency_key: str | None
) -> Reply:
    """``POST /v1/steer`` with ``from``, ``to``, ``share`` (0 to 1), ``until`` and more. Requests of
    one operator with the same ``Idempotency-Key`` begin one override; a request for another one is
    refused."""
    of = {
        "from": str,
        "to": str,
        "share": float,
        "until": str,
        "why": str,
        "asset_prefix": str,
        "force": bool,
    }
    with _recorded(gateway, act, "steer.begin", "unknown"):
        given = _object(body, of, required=("from", "to", "share", "until"))
        wanted = _wanted(given)

    async def work(commands: Commands) -> Done:
        for each in (wanted.source, wanted.target):
            _check_edge(each)
        unknown = steers.unknown_edges(gateway.fleet, wanted)
        if unknown and not given.get("force", False):
            text = "; ".join(f"{each.key}: {each.text}" for each in unknown)
            raise ActionError("unknown-edge", text)
        identity = _override_id(act, idempotency_key)
        one = await steers.begin(commands, gateway.fleet, wanted, act.who, identity)
        members = steers.members(OverrideEntry(one))
        said = [each.text for each in unknown] + steers.warnings(gateway.fleet, wanted)
        return Done({**members, "warnings": said}, after=members, status=201)

    return await perform(gateway, act, "steer.begin", f"{wanted.source} to {wanted.target}", work)


async def cancel_steer(gateway: Gateway, act: Act, identity: str) -> Reply:
    """``DELETE /v1/steer/{id}``: sessions stay where they are."""

    async def work(commands: Commands) -> Done:
        if not is_override_id(identity):
            text = "is not the id of an override; it must be 8 hexadecimal digits"
            raise ActionError("malformed", text, "id")
        one = await steers.cancel(commands, identity, act.who)
        before = steers.members(OverrideEntry(one))
        return Done({**before, "cancelled_by": act.who}, before)

    return await perform(gateway, act, "steer.cancel", identity, work)


async def revoke(gateway: Gateway, act: Act, body: bytes) -> Reply:
    """``POST /v1/revocations`` with ``kind``, ``name`` and ``for``. The name is not kept."""
    with _recorded(gateway, act, "revoke", "unknown", _NOT_KEPT):
        given = _object(body, {"kind": str, "name": str, "for": str}, required=("kind", "name"))
        kind = _revocable(given["kind"])
        try:
            for_s = revoking.duration_of(given.get("for", "24h"))
        except ValueError as error:
            raise problems.bad_body(f"for: {error}") from error

    async def work(commands: Commands) -> Done:
        one = await revoking.revoke(commands, kind, given["name"], for_s, act.who)
        members = revoking.members(one)
        return Done(members, after=members, status=201)

    return await perform(gateway, act, "revoke", str(kind), work)


async def undo_revocation(gateway: Gateway, act: Act, kind_text: str, name: str) -> Reply:
    """``DELETE /v1/revocations/{kind}/{name}``."""
    with _recorded(gateway, act, "revoke.undo", "unknown", _NOT_KEPT):
        kind = _revocable(kind_text)

    async def work(commands: Commands) -> Done:
        before = revoking.members(await revoking.undo(commands, kind, name, act.who))
        return Done(before, before)

    return await perform(gateway, act, "revoke.undo", str(kind), work)


async def list_revocations(gateway: Gateway) -> Reply:
    """``GET /v1/revocations``: what is revoked, by its hash. Raises a 503 problem."""
    try:
        found = await revocations.known(_commands(gateway))
    except StoreUnavailable as error:
        raise problems.store_unavailable(str(error)) from error
    return json_reply({"revocations": revoking.listed(found)})


def _revocable(text: str) -> Revocable:
    """Raises a 400 problem."""
    try:
        return Revocable(text)
    except ValueError:
        allowed = ", ".join(Revocable)
        raise problems.bad_body(f"kind: {text[:40]!a} is not allowed; allowed: {allowed}") from None


async def list_steers(gateway: Gateway) -> Reply:
    """``GET /v1/steer``: the overrides in force. Raises a 503 problem."""
    try:
        entries, now_s = await steers.read(_commands(gateway))
    except StoreUnavailable as error:
        raise problems.store_unavailable(str(error)) from error
    found = [steers.members(each) for each in entries if each.in_force(now_s)]
    return json_reply({"overrides": found})


def list_edges(gateway: Gateway) -> Reply:
    """``GET /v1/edges``: every edge with its state and the reason."""
    fleet = gateway.fleet
    found = [
        {
            "id": edge.id,
            "url": edge.url,
            "state": condition.state,
            "full": condition.full,
            "why": condition.why or None,
        }
        for edge, condition in zip(fleet.edges, fleet.conditions, strict=True)
    ]
    return json_reply({"edges": found})


def json_reply(members: Mapping[str, object], status: int = 200) -> Reply:
    """An answer that no cache keeps."""
    return Reply.of(status, json.dumps(members).encode(), "application/json", _NO_STORE)


def _wanted(given: Mapping[str, Any]) -> Wanted:
    """Raises a 400 problem."""
    share = round(given["share"] * _WHOLE)
    if not 0 < share <= _WHOLE:
        raise problems.bad_body("share: allowed is a number above 0 and up to 1, such as 0.2")
    try:
        until = moment_of(given["until"])
    except ValueError as error:
        raise problems.bad_body(f"until: {error}") from error
    prefix = given.get("asset_prefix") or ""
    if prefix and not is_asset_prefix(prefix):
        raise problems.bad_body(f"asset_prefix: {NO_PREFIX}")
    return Wanted(given["from"], given["to"], share, until, given.get("why") or "", prefix)


def _override_id(act: Act, idempotency_key: str | None) -> str | None:
    if idempotency_key is None:
        return None
    if not 0 < len(idempotency_key) <= MAX_IDEMPOTENCY_KEY_CHARS:
        raise problems.bad_body(
            f"Idempotency-Key: allowed are 1 to {MAX_IDEMPOTENCY_KEY_CHARS} characters"
        )
    text = f"{act.who}\n{idempotency_key}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def _commands(gateway: Gateway) -> Commands:
    commands = gateway.control.redis
    if commands is None:
        raise problems.switched_off("store.url", 'is "memory"; actions need a Redis, or "embedded"')
    return commands


def _edges_of(gateway: Gateway) -> Any:  # noqa: ANN401
    return gateway.runtime.settings.edges


def _known_edges(gateway: Gateway) -> set[str]:
    fleet = gateway.fleet
    tables = {edge.template for edge in fleet.edges if edge.template}
    return {edge.id for edge in _edges_of(gateway)} | set(fleet.positions) | tables


async def _drain_state(commands: Commands, edge_id: str) -> dict[str, object]:
    found = (await drains.drained(commands, (edge_id,))).get(edge_id)
    return {"drained": False} if found is None else {"drained": True, "why": found.why}


def _check_edge(edge_id: str) -> None:
    """Raises ActionError for what can be no edge's id."""
    try:
        checked_ids((edge_id,))
    except ConfigError as error:
        raise ActionError("malformed", str(error.problems[0])) from error


def _object(
    body: bytes, allowed: Mapping[str, type], required: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The members of a JSON object; an empty body has none. Raises a 400 problem that names a
    member that is not allowed, and what is."""
    found: Any = {}
    if body.strip():
        try:
            found = json_of(body, MAX_BODY_BYTES)
        except ValueError as error:
            raise problems.bad_body(f"the body cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise problems.bad_body("the body is not a JSON object")
    names = ", ".join(allowed) or "none"
    for name, value in found.items():
        if name not in allowed:
            raise problems.bad_body(f"the member {name[:40]!a} is not known; allowed: {names}")
        wanted = allowed[name]
        kinds = (int, float) if wanted is float else (wanted,)
        if type(value) not in kinds:
            raise problems.bad_body(f"{name}: must be {_JSON_NAMES[wanted]}")
    for name in required:
        if name not in found:
            raise problems.bad_body(
                f"the member {name} is missing; required: {', '.join(required)}"
            )
    return found


_JSON_NAMES: Final[Mapping[type, str]] = {str: "text", bool: "true or false", float: "a number"}


def _problem_of(error: ActionError) -> Problem:
    title = "Not done"
    kind = "bad-body" if error.code == "malformed" else f"action-{error.code}"
    return Problem(_STATUS[error.code], kind, title, str(error))
