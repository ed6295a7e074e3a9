"""``/v1/activity``: events as they come, for operators, as server-sent events (HTML, section 9.2).

Each event has the id of its entry in the stream, so an operator who comes back with
``Last-Event-ID`` goes on where it left off, at any gateway on the same Redis.
"""

import json
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Any, Final

from gateway.client.asset import AssetError, asset_id
from gateway.observe.tasks import supervise
from gateway.play import problems
from gateway.play.reply import RawHeaders, Reply
from gateway.play.runtime import Gateway
from gateway.store.connection.keys import session_name, shown_session
from gateway.store.connection.protocol import StoreUnavailable
from gateway.store.events.activity import (
    BACKOFF_S,
    Activity,
    EntryId,
    Item,
    Listener,
    Missed,
    TooManyListenersError,
    Wanted,
    entry_id,
)

PATH: Final = "/v1/activity"
HEARTBEAT_S: Final = 15.0
"""Proxies end connections that are silent for a minute or less."""
RETRY_MS: Final = 2000
AT_ONCE_S: Final = 0.001

_EDGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_HASH = re.compile(r"[0-9a-f]{16}")
_HEADERS: RawHeaders = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back
)

Gone = Callable[[], Coroutine[Any, Any, None]]
"""Waits until the client is gone."""


async def answer_activity(
    gateway: Gateway, by_name: Mapping[str, str], last_event_id: bytes | None, gone: Gone
) -> Reply:
    """Answer ``GET /v1/activity``. ``by_name`` are the query's parameters.

    Raises a 400 problem for a malformed parameter or ``Last-Event-ID``, a 404 problem when there is
    no stream of events, and a 503 problem when too many listen or the store does not answer.
    """
    wanted = wanted_of(by_name)
    after = None if not last_event_id else entry_id(last_event_id)
    if last_event_id and after is None:
        detail = "Last-Event-ID: must be the id of an event, such as 1795902340613-0"
        raise problems.bad_parameter("Last-Event-ID", detail)
    activity, settings = gateway.activity, gateway.runtime.settings.events
    if not activity.available:
        raise problems.switched_off("store.url", 'is "memory": the stream of events needs a Redis')
    if not settings.enabled:
        raise problems.switched_off("events.enabled", "is false: there is no stream of events")
    try:
        listener = await activity.listen(wanted, after)
    except TooManyListenersError as error:
        raise problems.too_many_listeners(settings.max_listeners) from error
    except StoreUnavailable as error:
        raise problems.store_unavailable(str(error.trouble)) from error
    stream = _events(activity, listener, gone)
    await anext(stream)  # started, so that its ``finally`` runs even if no event is read
    return Reply(200, _HEADERS, b"", stream)


def wanted_of(by_name: Mapping[str, str]) -> Wanted:
    """Which events a request wants. Raises a 400 problem for a malformed parameter."""
    session, asset = by_name.get("session"), by_name.get("asset")
    edge, country = by_name.get("edge"), by_name.get("country")
    if asset is not None:
        try:
            asset_id(asset)
        except AssetError as error:
            raise problems.bad_parameter("asset", f"asset: {error}") from error
    if edge is not None and not _EDGE.fullmatch(edge):
        raise problems.bad_parameter("edge", "edge: must be the id of an edge")
    if country is not None and not _COUNTRY.fullmatch(country):
        detail = "country: must be an ISO 3166-1 alpha-2 code, such as NO"
        raise problems.bad_parameter("country", detail)
    sessions: set[str] = set()
    if session:
        sessions.add(shown_session(session_name(session)))
        if _HASH.fullmatch(session):
            sessions.add(session)
    return Wanted(frozenset(sessions), asset, edge, None if country is None else country.upper())


async def _events(activity: Activity, listener: Listener, gone: Gone) -> AsyncGenerator[bytes]:
    """The body, after an empty piece: events as long as the listener is told of them, and comments
    that keep the connection open."""

    async def watch() -> None:
        await gone()
        listener.end("gone")

    watching = supervise("activity_client", watch)
    try:
        yield b""
        yield b"retry: %d\n\n" % RETRY_MS
        while listener.ended is None:
            patience_s = 0.0 if listener.live else await _catch_up(activity, listener)
            items = await listener.take(patience_s or HEARTBEAT_S)
            if items:
                yield b"".join(map(_text, items))
            elif patience_s != AT_ONCE_S:
                yield _heartbeat(listener.last)
        yield _end(listener)
    finally:
        watching.cancel()
        activity.leave(listener)


async def _catch_up(activity: Activity, listener: Listener) -> float:
    """Offer the listener older events. The seconds to wait for them; 0 when there are no more."""
    try:
        await activity.catch_up(listener)
    except StoreUnavailable:
        return BACKOFF_S
    return 0.0 if listener.live else AT_ONCE_S


def _text(item: Item) -> bytes:
    if isinstance(item, Missed):
        return _event("missed", {"after": str(item.after)}, None)
    return _event(item.event.KIND, item.event.members(), item.id)


def _event(name: str, members: Mapping[str, Any], at: EntryId | None) -> bytes:
    """An event in the stream's format. JSON in ASCII has no line ends."""
    place = "" if at is None else f"id: {at}\n"
    return f"{place}event: {name}\ndata: {json.dumps(members)}\n\n".encode("ascii")


def _heartbeat(last: EntryId) -> bytes:
    """A comment, and the id to resume from: clients dispatch no event without data (9.2.6)."""
    return f": alive\nid: {last}\n\n".encode("ascii")


def _end(listener: Listener) -> bytes:
    return _event("end", {"reason": listener.ended}, None)
