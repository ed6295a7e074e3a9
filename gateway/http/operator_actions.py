"""Routes by which operators act, on their listener alone (:mod:`gateway.play.operator_actions`)."""

import asyncio
import time
from typing import Final

from starlette.types import Receive, Scope

from gateway.config.reload import Reload
from gateway.config.shown import shown_settings
from gateway.http.authorise import NOBODY, actor_of, operator_of, record_refused
from gateway.http.body import read_body
from gateway.observe.moment import rfc3339
from gateway.operators import reload_record
from gateway.operators.audit_entry import State
from gateway.play import operator_actions as actions
from gateway.play import operator_problems, problems
from gateway.play.operator_actions import MAX_BODY_BYTES, Act, json_reply
from gateway.play.problems import Problem
from gateway.play.reply import Reply
from gateway.play.request import Headers, read_query
from gateway.play.runtime import Gateway
from gateway.play.sessions import limit_of
from gateway.store.connection.protocol import StoreUnavailable
from gateway.store.events.audit_stream import MAX_PAGE

EDGES: Final = "/v1/edges/"
REVOCATIONS: Final = "/v1/revocations/"
STEER: Final = "/v1/steer/"
RELOAD_S: Final = 10.0
"""The most seconds that a request waits for a reload."""


async def edges(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``GET /v1/edges``."""
    return actions.list_edges(gateway)


async def edge_action(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:
    """``POST /v1/edges/{id}/drain`` and ``/undrain``."""
    edge_id, _, action = scope["path"].removeprefix(EDGES).rpartition("/")
    work = {"drain": actions.drain_edge, "undrain": actions.undrain_edge}.get(action)
    if work is None or not edge_id or "/" in edge_id:
        raise problems.no_such_path()
    body = await _body(gateway, scope, headers, receive)
    return await work(gateway, _act(gateway, scope, headers), edge_id, body)


async def purge(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:
    """``POST /v1/purge``."""
    body = await _body(gateway, scope, headers, receive)
    return await actions.purge(gateway, _act(gateway, scope, headers), body)


async def steer(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:
    """``GET`` and ``POST /v1/steer``."""
    if scope["method"] != "POST":
        return await actions.list_steers(gateway)
    body = await _body(gateway, scope, headers, receive)
    given = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    key = given[0].decode("latin-1") if given else None
    return await actions.begin_steer(gateway, _act(gateway, scope, headers), body, key)


async def one_steer(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``DELETE /v1/steer/{id}``."""
    identity = scope["path"].removeprefix(STEER)
    return await actions.cancel_steer(gateway, _act(gateway, scope, headers), identity)


async def revoked(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:
    """``GET`` and ``POST /v1/revocations``."""
    if scope["method"] != "POST":
        return await actions.list_revocations(gateway)
    body = await _body(gateway, scope, headers, receive)
    return await actions.revoke(gateway, _act(gateway, scope, headers), body)


async def one_revoked(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``DELETE /v1/revocations/{kind}/{name}``."""
    kind, _, name = scope["path"].removeprefix(REVOCATIONS).partition("/")
    return await actions.undo_revocation(gateway, _act(gateway, scope, headers), kind, name)


async def config(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``GET /v1/config``: the configuration in force, without its secrets."""
    current, status = gateway.watcher.current, gateway.config
    return json_reply(
        {
            "version": current.policy.version,
            "file": None if current.path is None else str(current.path),
            "loaded": rfc3339(status.loaded_at),
            "waits_for_restart": list(status.waiting),
            "refused": None if status.refusal is None else list(status.refusal.problems),
            "set_by": dict(current.origins),
            "settings": shown_settings(current.settings),
        }
    )


async def _reload_and_record(gateway: Gateway, act: Act) -> tuple[Reload, State]:
    """Reload the configuration, and add what became of it to the audit log. Returns it, and the
    state after it as the log has it."""
    target = str(gateway.watcher.current.path or "configuration")
    done = await gateway.watcher.reload(act.who)
    before, after = reload_record.states(done)
    actions.record(
        gateway,
        act,
        "config.reload",
        target,
        "done" if done.new is not None else "refused",
        before=before,
        after=after,
        reason=reload_record.reason(done),
    )
    return done, after


async def reload(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``POST /v1/config/reload``: read the file again. A file with an error is refused whole, with
    a 409 problem that lists the errors."""
    act = _act(gateway, scope, headers)
    task = asyncio.ensure_future(_reload_and_record(gateway, act))
    try:
        async with asyncio.timeout(RELOAD_S):
            done, after = await asyncio.shield(task)
    except TimeoutError:  # it goes on, and is recorded when it has ended
        raise operator_problems.reload_takes_long() from None
    if done.new is None:
        raise operator_problems.config_refused([str(each) for each in done.problems])
    changed = {} if after is None else after["keys"]
    return json_reply(
        {
            "version": done.new.policy.version,
            "before": done.before.policy.version,
            "changed": changed,
            "waits_for_restart": list(done.waiting),
        }
    )


async def audit(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> Reply:  # noqa: ARG001
    """``GET /v1/audit``: a page of the audit log, the newest entry first."""
    by_name = read_query(scope["query_string"]).by_name
    most, before = limit_of(by_name.get("limit"), MAX_PAGE), by_name.get("cursor")
    if before is not None and not is_entry_id(before):
        raise problems.bad_parameter("cursor", "cursor: must be the value of next in a page")
    try:
        found, following = await gateway.audit.newest(before, most)
    except StoreUnavailable as error:
        raise problems.store_unavailable(str(error)) from error
    return json_reply({"entries": found, "next": following})


def is_entry_id(text: str) -> bool:
    """Whether a text can be the id of an entry of a stream: two whole numbers."""
    time_ms, dash, number = text.partition("-")
    parts = (time_ms, number)
    return dash == "-" and all(
        each.isascii() and each.isdecimal() and len(each) <= 20  # noqa: PLR2004
        for each in parts
    )


async def _body(gateway: Gateway, scope: Scope, headers: Headers, receive: Receive) -> bytes:
    """The body of a request to act. Raises a 400 or 413 problem, which is recorded."""
    try:
        return await read_body(receive, MAX_BODY_BYTES)
    except Problem as problem:
        who = operator_of(scope) or NOBODY
        record_refused(gateway, scope, headers, who, problem.detail)
        raise


def _act(gateway: Gateway, scope: Scope, headers: Headers) -> Act:
    return Act(actor_of(gateway, scope, headers), int(time.time() * 1000))
