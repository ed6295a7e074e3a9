"""Which answers are told as decision events, and what of them?

Only a playlist that a player got: GET with status 200. HEAD, 304, the JSON decision and problems
place nobody anywhere.
"""

import time
from functools import partial
from hashlib import blake2b

from gateway.client.facts import Facts
from gateway.decision import Choice, Decision, Policy, reasons_of
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.play.answer import Answer
from gateway.play.runtime import Gateway
from gateway.store.caches.decisions import Cache
from gateway.store.events.event import MAX_NAME_CHARS, Event
from manifests.hls.multivariant import MultivariantPlaylist

_HASHES = 2**64


def tell_placed(gateway: Gateway, answer: Answer) -> None:
    """Leave an event behind of a playlist that a player got."""
    settings = answer.runtime.settings.events
    queue = gateway.events
    if not settings.enabled or queue is None:
        return
    name, place = _hashes(answer.facts.viewer or answer.facts.asset)
    if place < settings.sample * _HASHES:
        session = None if answer.facts.session is None else name
        recipe = partial(
            _event,
            time_ms=time.time_ns() // 1_000_000,
            sample=settings.sample,
            session=session,
            # Not the answer itself: it holds headers, as many bytes as a player likes to send.
            policy=answer.runtime.policy,
            fleet=answer.fleet,
            facts=answer.facts,
            choice=answer.choice,
            decision=answer.decision,
            edges=answer.edges,
            playlist=answer.source.playlist,
            cache=answer.cache,
        )
        queue.offer(recipe, settings.queue_length)


def _hashes(viewer: str) -> tuple[str, int]:
    """A viewer's name in events, and where it stands in the sample (below 2^64). Both the same in
    every process, so one session is whole or absent, whichever workers it meets."""
    text = viewer.encode("utf-8", "surrogatepass")
    digest = blake2b(text, digest_size=16, person=b"decision event").digest()
    return digest[:8].hex(), int.from_bytes(digest[8:])


def _event(
    *,
    time_ms: int,
    sample: float,
    session: str | None,
    policy: Policy,
    fleet: Fleet,
    facts: Facts,
    choice: Choice,
    decision: Decision,
    edges: tuple[Edge, ...],
    playlist: MultivariantPlaylist,
    cache: Cache,
) -> Event:
    """What is told. Called later, away from the request."""
    device, speed = facts.device, facts.throughput
    variants = [playlist.variants[index] for index in decision.edit.variants]
    best = max(variants, key=lambda variant: variant.bandwidth)
    reasons = reasons_of(policy, fleet, facts, choice, decision, edges)
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
        profile=decision.profile,
        rule=decision.rule,
        edge=edges[0].id,
        cache=cache,
        rungs=len(variants),
        height=best.height,
        bandwidth=best.bandwidth,
        start_height=variants[0].height,
        start_bandwidth=variants[0].bandwidth,
        speed=None if speed is None else round(speed.kbps),
        speed_source=None if speed is None else speed.source,
        reasons=tuple(reason.code for reason in reasons),
    )


def _short(name: str | None) -> str | None:
    return None if name is None else name[:MAX_NAME_CHARS]
