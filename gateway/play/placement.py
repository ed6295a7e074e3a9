"""Where does the session play from, and who remembers it? Leases, and the session's memory."""

import time

from gateway.decision import Decision
from gateway.play.runtime import Gateway

REFRESH_SHARE = 0.25
"""A record is written again when this share of its lifetime has passed, so that it does not expire
while the session plays."""


async def lease(gateway: Gateway, decision: Decision, *, take: bool, ask: bool) -> Decision:
    """The decision with the edge in front that has room for the session.

    The lease is taken, or only looked at unless ``take``. Where no edge has a capacity the decision
    stays as it is. ``ask`` is False when the store could not be asked a moment ago.
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


def remember(gateway: Gateway, decision: Decision) -> None:
    """Remember that the session plays this asset from this edge; nobody waits for it."""
    facts = decision.facts
    if facts.session is None or facts.record is None:
        return
    refresh_s = gateway.sessions.ttl_s * REFRESH_SHARE
    record = facts.record.placed(facts.asset, decision.edge.id, time.time(), refresh_s)
    if record is not facts.record:
        gateway.sessions.put(facts.session, record)
