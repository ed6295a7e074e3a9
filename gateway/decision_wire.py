"""How does a decision look in Redis? Compact JSON; whatever else is there is not a decision."""

import json
from typing import Any

from gateway.decision import Decision, Policy
from gateway.edge.rank import REGIONS, Tier
from gateway.reason import Reason, Step
from manifests.hls.multivariant import Edit, MultivariantPlaylist

FORMAT = 1
"""Bumped with every change of shape, so that workers of two releases can share one Redis."""


def to_bytes(decision: Decision) -> bytes:
    """Write ``decision``; :func:`from_bytes` reads it back equal."""
    return json.dumps(
        {
            "format": FORMAT,
            "profile": decision.profile,
            "rule": decision.rule,
            "variants": decision.edit.variants,
            "iframes": sorted(decision.edit.iframes),
            "renditions": sorted(decision.edit.renditions),
            "tiers": [[tier.region, tier.band, tier.edges] for tier in decision.tiers],
            "reasons": [[reason.step, reason.code, reason.text] for reason in decision.reasons],
        },
        separators=(",", ":"),
    ).encode()


def from_bytes(data: bytes, policy: Policy, playlist: MultivariantPlaylist) -> Decision | None:
    """Read a decision that must fit ``policy`` and ``playlist``; None for anything else.

    Redis may hold garbage, or what another release wrote: every position is checked against what
    it points into, so that a bad entry costs a fresh decision and never a bad manifest.
    """
    try:
        found: dict[str, Any] = json.loads(data)
        decision = Decision(
            profile=found["profile"],
            rule=found["rule"],
            edit=Edit(
                variants=tuple(found["variants"]),
                iframes=frozenset(found["iframes"]),
                renditions=frozenset(found["renditions"]),
            ),
            tiers=tuple(
                Tier(tuple(edges), region, band) for region, band, edges in found["tiers"]
            ),
            reasons=tuple(Reason(Step(step), code, text) for step, code, text in found["reasons"]),
        )
        current = found["format"] == FORMAT
    except (ValueError, TypeError, KeyError):
        return None
    return decision if current and _fits(decision, policy, playlist) else None


def _fits(decision: Decision, policy: Policy, playlist: MultivariantPlaylist) -> bool:
    edit = decision.edit
    return (
        decision.profile in policy.profiles
        and (decision.rule is None or _positions([decision.rule], len(policy.rules)))
        and bool(edit.variants)
        and len(set(edit.variants)) == len(edit.variants)
        and _positions(edit.variants, len(playlist.variants))
        and _positions(edit.iframes, len(playlist.iframes))
        and _positions(edit.renditions, len(playlist.renditions))
        and bool(decision.tiers)
        and all(
            bool(tier.edges)
            and _positions(tier.edges, len(policy.edges))
            and tier.region in REGIONS
            and (tier.band is None or (type(tier.band) is int and 0 <= tier.band < 100))  # noqa: PLR2004
            for tier in decision.tiers
        )
        and all(
            isinstance(reason.code, str) and isinstance(reason.text, str)
            for reason in decision.reasons
        )
    )


def _positions(values: Any, length: int) -> bool:  # noqa: ANN401
    return all(type(value) is int and 0 <= value < length for value in values)
