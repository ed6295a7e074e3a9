"""Which answers become decision events, and what do the events contain?

Only a playlist that a player received (GET with status 200). HEAD, 304, the JSON decision and
problems place no session.
"""

import time
from functools import partial

from gateway.config.schema import Settings
from gateway.decision import Decision
from gateway.explanation import reasons_of
from gateway.ladder.rung import counted
from gateway.play.decide import Decided
from gateway.play.runtime import Gateway
from gateway.store.caches.decisions import CacheStatus
from gateway.store.connection.keys import session_name, shown_session
from gateway.store.events.event import MAX_NAME_CHARS, Event
from gateway.store.events.queue import EventQueue

_HASHES = 2**64


def queue_event(gateway: Gateway, found: Decided) -> None:
    """Queue an event for a playlist that a player received."""
    settings, queue = found.runtime.settings, gateway.events
    facts = found.decision.facts
    if not settings.events.enabled and (facts.session is None or not settings.sessions.enabled):
        return
    name = session_name(facts.viewer or facts.asset)
    stream = is_streamed(settings, queue, name)
    session = name if facts.session is not None and settings.sessions.enabled else None
    if stream or session is not None:
        recipe = partial(
            _event,
            found.decision,
            cache=found.cache,
            time_ms=time.time_ns() // 1_000_000,
            sample=settings.events.sample,
            session=None if facts.session is None else shown_session(name),
        )
        queue.offer(recipe, settings.events.queue_length, stream=stream, session=session)


def is_streamed(settings: Settings, queue: EventQueue, name: bytes) -> bool:
    """Whether the events of a session go to the stream, by its ``session_name``. A share of the
    sessions does. It is the same in every process, so all events of a session do, or none."""
    events = settings.events
    in_sample = int.from_bytes(name[8:16]) < events.sample * _HASHES
    return events.enabled and queue.has_stream and in_sample


def _event(
    decision: Decision, *, cache: CacheStatus, time_ms: int, sample: float, session: str | None
) -> Event:
    """Build the event. Called later, outside the request."""
    facts, device, speed = decision.facts, decision.facts.device, decision.facts.throughput
    entries = decision.kept_rungs
    # A live title may have no rung yet.
    best = max(counted(entries), key=lambda rung: rung.bandwidth, default=None)
    start = entries[0] if entries else None
    return Event(
        time=time_ms,
        sample=sample,
        asset=facts.asset,
        session=session,
        device=device.kind.value,
        os=_short(device.os),
        player=_short(device.player),
        country=facts.place.country,
        continent=facts.place.continent,
        profile=decision.choice.profile.name,
        rule=decision.choice.rule,
        edge=decision.edge.id,
        cache=cache,
        rungs=decision.rungs,
        height=None if best is None else best.stated_height,
        bandwidth=0 if best is None else best.bandwidth,
        start_height=None if start is None else start.stated_height,
        start_bandwidth=0 if start is None else start.bandwidth,
        speed=None if speed is None else round(speed.kbps),
        speed_source=None if speed is None else speed.source,
        reasons=tuple(reason.code for reason in reasons_of(decision)),
    )


def _short(name: str | None) -> str | None:
    return None if name is None else name[:MAX_NAME_CHARS]
