"""``/v1/sessions``: what happened to a session, for operators.

A session is named as its player names it, or by its shown hash, which events and lists have. The
answers hold no address, and the session's own name only where the operator has written it.
"""

import json
import re
import time
from typing import Any

from gateway.client.estimate import EstimatorConfig
from gateway.client.playback import Playback
from gateway.client.session import SessionRecord
from gateway.config.build import log_bounds_of
from gateway.play import problems
from gateway.play.decision_json import select
from gateway.play.reply import Reply
from gateway.play.runtime import Gateway, Runtime
from gateway.store.connection.keys import session_name, shown_session
from gateway.store.connection.protocol import Store, StoreUnavailable
from gateway.store.events.event import AnyEvent
from gateway.store.events.log import (
    MAX_PAGE,
    Cursor,
    EventLog,
    ListedSession,
    LogBounds,
    SessionEvents,
)

PATH = "/v1/sessions/"
FIELDS = ("session", "estimate", "samples", "playback", "decisions", "pathways")
"""The members of one session."""
LISTED = ("session", "time", "events", "kind", "asset", "edge", "country")
"""The members of a session in the list; the last four are those of its last event."""
USUAL_PAGE = 50

_HASH = re.compile(r"[0-9a-f]{16}")
_CURSOR = re.compile(r"([0-9]{1,16})-([0-9a-f]{16})")
_LIMIT = re.compile(r"[0-9]{1,3}")
_HEADERS = {"Cache-Control": "no-store"}


async def show_session(gateway: Gateway, session: str, fields: tuple[str, ...] | None) -> Reply:
    """Answer ``GET|HEAD /v1/sessions/{session}``.

    Raises a 404 problem when nothing is kept of it, and a 503 problem when the store does not
    answer.
    """
    wanted = select(fields, FIELDS)
    runtime = _enabled(gateway)
    bounds = log_bounds_of(runtime.settings)
    try:
        kept, record = await find_session(gateway.log, gateway.control, bounds, session)
    except StoreUnavailable as error:
        raise problems.store_unavailable(str(error.trouble)) from error
    if kept is None:
        raise problems.no_such_session(bounds.expire_s)
    members = session_members(kept, record, runtime.estimator, time.time())
    return _json({name: members[name] for name in wanted})


async def list_sessions(
    gateway: Gateway, cursor: str | None, limit: str | None, fields: tuple[str, ...] | None
) -> Reply:
    """Answer ``GET|HEAD /v1/sessions``: a page of sessions, those with the latest events first, and
    the cursor of the next page, null at the end.

    Raises a 400 problem for a malformed parameter, and a 503 problem when the store does not
    answer.
    """
    wanted = select(fields, LISTED)
    after, most = cursor_of(cursor), limit_of(limit)
    runtime = _enabled(gateway)
    try:
        page = await gateway.log.sessions(after, most, log_bounds_of(runtime.settings))
    except StoreUnavailable as error:
        raise problems.store_unavailable(str(error.trouble)) from error
    listed = [listed_members(session) for session in page.sessions]
    return _json(
        {
            "sessions": [{name: members[name] for name in wanted} for members in listed],
            "next": None if page.next is None else cursor_text(page.next),
        }
    )


def cursor_of(text: str | None) -> Cursor | None:
    """The cursor that :func:`cursor_text` wrote. Raises a 400 problem for anything else."""
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise problems.bad_parameter("cursor", "cursor: must be the value of next in a page")
    return Cursor(int(found[1]), found[2])


def cursor_text(cursor: Cursor) -> str:
    """A cursor as it stands in a URL."""
    return f"{cursor.written_us}-{cursor.session}"


def limit_of(text: str | None, longest: int = MAX_PAGE) -> int:
    """The most entries of a page, up to ``longest``. Raises a 400 problem."""
    if text is None:
        return USUAL_PAGE
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= longest:
        detail = f"limit: {text[:20]!r}; allowed: a whole number from 1 to {longest}"
        raise problems.bad_parameter("limit", detail)
    return int(text)


def listed_members(session: ListedSession) -> dict[str, Any]:
    """The members ``LISTED``."""
    last = session.last
    return {
        "session": session.session,
        "time": last.time,
        "events": session.events,
        "kind": last.KIND,
        "asset": last.asset,
        "edge": last.edge,
        "country": last.country,
    }


def session_members(
    kept: SessionEvents, record: SessionRecord, config: EstimatorConfig, now_s: float
) -> dict[str, Any]:
    """The members ``FIELDS``."""
    estimate = record.estimate.at(now_s, config)
    return {
        "session": shown_session(kept.name),
        "estimate": None
        if estimate is None
        else {
            "speed_kbps": estimate.kbps,
            "source": estimate.source,
            "confidence": round(estimate.confidence, 3),
            "age_s": round(estimate.age_s),
        },
        "samples": [
            {"time": sample.time_s * 1000, "source": sample.source, "speed_kbps": sample.kbps}
            for sample in record.estimate.samples
        ],
        "playback": None if record.playback is None else playback_members(record.playback),
        "decisions": _of_kind(kept.events, "decision"),
        "pathways": _of_kind(kept.events, "pathway"),
    }


def playback_members(playback: Playback) -> dict[str, Any]:
    """What a player has reported of its playback."""
    return {
        "time": playback.time_s * 1000,
        "state": playback.state,
        "cdn": playback.cdn,
        "stalls": playback.stalls,
        "errors": playback.errors,
        "error_codes": list(playback.error_codes),
        "start_delay_ms": playback.start_delay_ms,
    }


def _of_kind(events: tuple[AnyEvent, ...], kind: str) -> list[dict[str, Any]]:
    """The events of a kind, without what is the same for all events of a session."""
    found = [event.members() for event in events if kind == event.KIND]
    for members in found:
        del members["session"], members["sample"]
    return found


async def find_session(
    log: EventLog, store: Store, bounds: LogBounds, session: str
) -> tuple[SessionEvents | None, SessionRecord]:
    """What is kept of ``session``, which is the player's name for it, or else a shown hash; None
    for nothing. Raises StoreUnavailable."""
    name = session_name(session)
    kept = await log.events_of(shown_session(name), bounds)
    if kept is None and _HASH.fullmatch(session):
        kept = await log.events_of(session, bounds)
    data = await store.get_session(name if kept is None else kept.name)
    record = None if data is None else SessionRecord.from_bytes(data)
    if kept is None and record is not None:
        kept = SessionEvents(name, ())
    return kept, record or SessionRecord()


def _enabled(gateway: Gateway) -> Runtime:
    """The runtime. Raises a 404 problem when it keeps no sessions."""
    runtime = gateway.runtime
    if not runtime.settings.sessions.enabled:
        raise problems.switched_off("sessions.enabled", "is false: nothing is kept of sessions")
    return runtime


def _json(members: dict[str, Any]) -> Reply:
    return Reply.of(200, json.dumps(members).encode(), "application/json", _HEADERS)
