"""Which edge serves the session? Takes the lease, and records the edge for the session's next
request."""

import time

from gateway.decision import Decision
from gateway.play.runtime import Gateway
from gateway.play.whereabouts import REFRESH_SHARE


async def lease(gateway: Gateway, decision: Decision, *, take: bool, ask: bool) -> Decision:
    """The decision, with the first edge that has room for the session in front.

    ``take``: take the lease; otherwise only find the edge that would give it. Without edges that
    have a capacity, the decision is returned unchanged. ``ask`` is False when the store has just
    failed to answer.
    """
    if not gateway.leases.active:
        return decision
    facts = decision.facts
    leased = await gateway.leases.place(
        facts.session,
        facts.asset,
        decision.expected_kbps(),
        decision.preferred,
        0 if decision.held else None,
        take=take,
        ask=ask and (facts.record is None or facts.record.whole),
    )
    return decision.with_lease(leased)


def record_edge(gateway: Gateway, decision: Decision) -> None:
    """Record, in the background, that the session plays this asset from this edge."""
    facts = decision.facts
    if facts.session is None or facts.record is None:
        return
    refresh_s = gateway.sessions.ttl_s * REFRESH_SHARE
    record = facts.record.placed(facts.asset, decision.edge.id, time.time(), refresh_s)
    if record is not facts.record:
        gateway.sessions.put(facts.session, record)
