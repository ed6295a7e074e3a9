"""Which answers become decision events, and what do the events contain?

Only a playlist that a player received (GET with status 200). HEAD, 304, the JSON decision and
problems place no session.
"""

import time
from functools import partial

from gateway.decision import Decision
from gateway.explanation import reasons_of
from gateway.ladder.rung import counted
from gateway.play.decide import Decided
from gateway.play.runtime import Gateway
from gateway.store.caches.decisions import CacheStatus
from gateway.store.connection.keys import session_name
from gateway.store.events.event import MAX_NAME_CHARS, Event

_HASHES = 2**64


def queue_event(gateway: Gateway, found: Decided) -> None:
    """Queue an event for a playlist that a player received."""
    settings = found.runtime.settings.events
    queue = gateway.events
    if not settings.enabled or queue is None:
        return
    facts = found.decision.facts
    name = session_name(facts.viewer or facts.asset)
    if in_sample(name, settings.sample):
        recipe = partial(
            _event,
            found.decision,
            cache=found.cache,
            time_ms=time.time_ns() // 1_000_000,
            sample=settings.sample,
            session=None if facts.session is None else shown_session(name),
        )
        queue.offer(recipe, settings.queue_length)


def shown_session(name: bytes) -> str:
    """The hash that stands for a session in events; ``name`` is its ``session_name``."""
    return name[:8].hex()


def in_sample(name: bytes, share: float) -> bool:
    """Whether the events of a session are written, by its ``session_name``. The same in every
    process, so a session is in the sample as a whole or not at all."""
    return int.from_bytes(name[8:16]) < share * _HASHES


def _event(
    decision: Decision, *, cache: CacheStatus, time_ms: int, sample: float, session: str | None
) -> Event:
    """Build the event. Called later, outside the request."""
    facts, device, speed = decision.facts, decision.facts.device, decision.facts.throughput
    entries = [decision.inquiry.ladder.rungs[index] for index in decision.kept]
    best = max(counted(entries), key=lambda rung: rung.bandwidth)
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
        height=best.stated_height,
        bandwidth=best.bandwidth,
        start_height=entries[0].stated_height,
        start_bandwidth=entries[0].bandwidth,
        speed=None if speed is None else round(speed.kbps),
        speed_source=None if speed is None else speed.source,
        reasons=tuple(reason.code for reason in reasons_of(decision)),
    )


def _short(name: str | None) -> str | None:
    return None if name is None else name[:MAX_NAME_CHARS]
