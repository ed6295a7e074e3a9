"""How does a decision look in Redis? Compact JSON; whatever else is there is not a decision."""

import json
from collections.abc import Collection
from typing import Any

from gateway.decision import Decision, Policy
from gateway.edge.fleet import Fleet
from gateway.edge.rank import BANDS_KM, REGIONS, Tier
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


def from_bytes(
    data: bytes, policy: Policy, fleet: Fleet, playlist: MultivariantPlaylist
) -> Decision | None:
    """Read a decision that must fit policy, fleet and playlist; None for anything else.

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
            tiers=tuple(Tier(tuple(edges), region, band) for region, band, edges in found["tiers"]),
            reasons=tuple(Reason(Step(step), code, text) for step, code, text in found["reasons"]),
        )
        current = type(found["format"]) is int and found["format"] == FORMAT
        return decision if current and _fits(decision, policy, fleet, playlist) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _fits(decision: Decision, policy: Policy, fleet: Fleet, playlist: MultivariantPlaylist) -> bool:
    """TypeError for values of a kind that cannot be looked up at all."""
    edit = decision.edit
    edges = [edge for tier in decision.tiers for edge in tier.edges]
    return (
        decision.profile in policy.profiles
        and (decision.rule is None or _is_position(decision.rule, len(policy.rules)))
        and bool(edit.variants)
        and _are_positions(edit.variants, len(playlist.variants))
        and _are_positions(edit.iframes, len(playlist.iframes))
        and _are_positions(edit.renditions, len(playlist.renditions))
        and _are_positions(edges, len(fleet.edges))
        and bool(decision.tiers)
        and all(_is_tier(tier) for tier in decision.tiers)
        and all(
            _is_text(text) for reason in decision.reasons for text in (reason.code, reason.text)
        )
    )


def _is_tier(tier: Tier) -> bool:
    band_known = tier.band is None or _is_position(tier.band, len(BANDS_KM))
    return bool(tier.edges) and tier.region in REGIONS and band_known


def _is_text(value: object) -> bool:
    """Text that may go into an answer or a log: no control characters, no lone surrogates."""
    return isinstance(value, str) and value.isprintable()


def _is_position(value: object, length: int) -> bool:
    """A whole number below ``length``; JSON's true and 1.0 are equal to 1 and are none."""
    return type(value) is int and 0 <= value < length


def _are_positions(values: Collection[object], length: int) -> bool:
    """Positions below ``length``, none of them twice."""
    return len(set(values)) == len(values) and all(_is_position(value, length) for value in values)
