"""Which answers of content steering become events, and what do the events contain?

Those that say something new: the first of a session, those that move it or would, and what the
player did after it was moved. A player that stays on its edge is answered every ``ttl_s`` seconds
for as long as the film lasts, and no event tells so. That it should move and there is nowhere to
go, or that it does not obey, is told once.
"""

import time
from collections.abc import Callable
from functools import partial

from gateway.edge.fleet import Fleet
from gateway.play.decision_event import is_streamed
from gateway.play.runtime import Gateway
from gateway.steering.decide import Steered
from gateway.steering.state import SteeringState
from gateway.store.connection.keys import shown_session
from gateway.store.events.event import PathwayEvent


def queue_pathway_event(
    gateway: Gateway,
    asset: str,
    country: str | None,
    session: bytes | None,
    state: SteeringState,
    answer: Steered,
    may_tell: Callable[[], bool],
) -> None:
    """Queue an event for an answer that says something new. ``state`` is what the request brought;
    ``session`` is the session's name, None when the player named none. ``may_tell`` says whether an
    event may be recorded under that name."""
    settings, queue = gateway.runtime.settings, gateway.events
    wanted = settings.events.enabled or (session is not None and settings.sessions.enabled)
    if not wanted or not _is_news(state, answer) or not may_tell():
        return
    stream = is_streamed(settings, queue, session or state.viewer.to_bytes(8).rjust(16))
    kept_of = session if settings.sessions.enabled else None
    if stream or kept_of is not None:
        recipe = partial(
            _event,
            gateway.fleet,
            state.told,
            answer,
            asset=asset,
            country=country,
            session=None if session is None else shown_session(session),
            time_ms=time.time_ns() // 1_000_000,
            sample=settings.events.sample,
        )
        queue.offer(recipe, settings.events.queue_length, stream=stream, session=kept_of)


def _is_news(state: SteeringState, answer: Steered) -> bool:
    """Whether an answer is the first, or tells of a move: of one that is made now, of one that is
    due, or of one that the answer before asked for."""
    asked = state.told_s == state.issued_s  # in the first answer, both are 0
    said = answer.state.said
    return asked or answer.moved or said not in {0, state.said}


def _event(
    fleet: Fleet,
    told: int,
    answer: Steered,
    *,
    asset: str,
    country: str | None,
    session: str | None,
    time_ms: int,
    sample: float,
) -> PathwayEvent:
    """Build the event. Called later, outside the request."""
    before = fleet.index.by_key.get(told)
    # A player that can use no edge any more keeps the pathway that it has.
    priority = tuple(edge.id for edge in answer.priority) or (answer.state.base,)
    return PathwayEvent(
        time=time_ms,
        sample=sample,
        asset=asset,
        session=session,
        country=country,
        edge=priority[0],
        before=None if before is None else fleet.edges[before].id,
        priority=priority,
        reason=answer.reason,
        moved=answer.moved,
        playing=None if answer.playing is None else answer.playing.id,
        obeyed=None if answer.playing is None else answer.obeyed,
    )
