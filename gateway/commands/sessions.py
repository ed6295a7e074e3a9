"""``gateway sessions``: which sessions there are, and what happened to one."""

import json
import time
from collections.abc import Iterator
from typing import Any

from gateway.client.estimate import EstimatorConfig
from gateway.client.session import SessionRecord
from gateway.commands.store_access import CommandError, open_store
from gateway.config.build import estimator_of, log_bounds_of
from gateway.config.load import Loaded
from gateway.observe.moment import rfc3339
from gateway.play.problems import Problem
from gateway.play.sessions import (
    cursor_of,
    cursor_text,
    find_session,
    listed_members,
    session_members,
)
from gateway.store.connection.keys import shown_session
from gateway.store.events.event import AnyEvent, Event
from gateway.store.events.log import SessionEvents, SessionPage
from gateway.store.events.redis_log import RedisEventLog

_HEAD = ("SESSION", "LAST EVENT", "EVENTS", "ASSET", "EDGE", "COUNTRY")


async def list_sessions(loaded: Loaded, cursor: str | None, limit: int, *, as_json: bool) -> str:
    """A page of sessions, as a table or as JSON. Raises CommandError."""
    _check(loaded)
    try:
        after = cursor_of(cursor)
    except Problem as problem:
        raise CommandError(problem.detail) from problem
    async with open_store(loaded) as (_, commands):
        log = RedisEventLog(commands, commands)
        page = await log.sessions(after, limit, log_bounds_of(loaded.settings))
    if as_json:
        members = [listed_members(session) for session in page.sessions]
        after_it = None if page.next is None else cursor_text(page.next)
        return json.dumps({"sessions": members, "next": after_it})
    return "\n".join(_table(page))


async def show_session(loaded: Loaded, session: str, *, as_json: bool) -> str:
    """What is kept of a session, by its name or its hash. Raises CommandError."""
    _check(loaded)
    bounds = log_bounds_of(loaded.settings)
    async with open_store(loaded) as (store, commands):
        log = RedisEventLog(commands, commands)
        kept, record = await find_session(log, store, bounds, session)
    if kept is None:
        raise CommandError("nothing is kept of a session with this name or hash")
    config, now_s = estimator_of(loaded.settings), time.time()
    if as_json:
        return json.dumps(session_members(kept, record, config, now_s))
    return "\n".join(_story(kept, record, config, now_s))


def _check(loaded: Loaded) -> None:
    if not loaded.settings.sessions.enabled:
        raise CommandError(
            "nothing is kept of sessions; switch that on with enabled = true in [sessions], or "
            "GATEWAY_SESSIONS__ENABLED=true"
        )


def _table(page: SessionPage) -> Iterator[str]:
    rows = [_HEAD]
    for session in page.sessions:
        last = session.last
        moment = rfc3339(last.time / 1000)
        country = last.country or "-"
        rows.append((session.session, moment, str(session.events), last.asset, last.edge, country))
    shown = [tuple(map(_printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(_HEAD))]
    for row in shown:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()
    if page.next is not None:
        yield f"more: --cursor {cursor_text(page.next)}"


def _story(
    kept: SessionEvents, record: SessionRecord, config: EstimatorConfig, now_s: float
) -> Iterator[str]:
    yield f"session {shown_session(kept.name)}"
    found = record.estimate.at(now_s, config)
    if found is None:
        yield "speed   unknown"
    else:
        yield (
            f"speed   {found.kbps} kbit/s by {found.source}, confidence {found.confidence:.2f}, "
            f"measured {found.age_s:.0f} s ago"
        )
    moments = [(event.time / 1000, _told(event)) for event in kept.events]
    moments += [
        (sample.time_s, f"measured  {sample.kbps} kbit/s by {sample.source}")
        for sample in record.estimate.samples
    ]
    for moment, text in sorted(moments, key=_first):
        yield f"{rfc3339(moment)}  {_printable(text)}"


def _first(moment: tuple[float, Any]) -> float:
    return moment[0]


def _told(event: AnyEvent) -> str:
    """An event in a line."""
    if isinstance(event, Event):
        speed = "speed unknown"
        if event.speed is not None:
            speed = f"speed {event.speed} kbit/s by {event.speed_source}"
        return (
            f"decision  {event.asset} from {event.edge}: {event.profile}, {event.rungs} rungs, "
            f"starts at {event.start_bandwidth // 1000} kbit/s, {speed}"
        )
    way = event.edge if event.before == event.edge else f"{event.before or '?'} -> {event.edge}"
    did = "the player does not say what it uses"
    if event.playing is not None:
        did = f"the player uses {event.playing}, " + ("as told" if event.obeyed else "NOT as told")
    return f"steering  {event.asset} on {way} ({event.reason}); {did}"


def _printable(text: str) -> str:
    """``text`` with control characters escaped for a terminal."""
    return text if text.isprintable() else ascii(text)
