"""How do the halves of a decision look in Redis? Compact JSON; whatever else is there is neither.

Redis may hold garbage, or what another release wrote: every position is checked against what it
points into, so that a bad entry costs a fresh half and never a bad manifest.
"""

import json
from collections.abc import Collection
from typing import Any

from gateway.decision import Fitted
from gateway.edge.fleet import Fleet
from gateway.edge.index import BANDS_KM, REGIONS
from gateway.edge.rank import EdgeTier, with_divided_groups
from gateway.reason import Reason, Step
from manifests.hls.multivariant import Edit, MultivariantPlaylist

FORMAT = 2
"""Bumped with every change of shape, so that workers of two releases can share one Redis."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def ladder_to_bytes(ladder: Fitted) -> bytes:
    """Write what stays of a ladder; :func:`ladder_from_bytes` reads it back equal."""
    return _encode(
        {
            "format": FORMAT,
            "variants": ladder.edit.variants,
            "iframes": sorted(ladder.edit.iframes),
            "renditions": sorted(ladder.edit.renditions),
            "reasons": [[reason.step, reason.code, reason.text] for reason in ladder.reasons],
        }
    ).encode()


def ladder_from_bytes(data: bytes, playlist: MultivariantPlaylist) -> Fitted | None:
    """Read what stays of ``playlist``; None for anything that does not fit it."""
    try:
        found: dict[str, Any] = json.loads(data)
        edit = Edit(
            variants=tuple(found["variants"]),
            iframes=frozenset(found["iframes"]),
            renditions=frozenset(found["renditions"]),
        )
        reasons = tuple(Reason(Step(step), code, text) for step, code, text in found["reasons"])
        fits = (
            _is_current(found)
            and bool(edit.variants)
            and _are_positions(edit.variants, len(playlist.variants))
            and _are_positions(edit.iframes, len(playlist.iframes))
            and _are_positions(edit.renditions, len(playlist.renditions))
            and all(_is_text(text) for reason in reasons for text in (reason.code, reason.text))
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Fitted(edit, reasons) if fits else None


def tiers_to_bytes(tiers: tuple[EdgeTier, ...]) -> bytes:
    """Write which edges serve; :func:`tiers_from_bytes` reads it back equal."""
    listed = [[tier.region, tier.band, tier.edges] for tier in tiers]
    return _encode({"format": FORMAT, "tiers": listed}).encode()


def tiers_from_bytes(data: bytes, fleet: Fleet) -> tuple[EdgeTier, ...] | None:
    """Read which edges of ``fleet`` serve; None for anything that does not fit it."""
    try:
        found: dict[str, Any] = json.loads(data)
        tiers = tuple(
            EdgeTier(tuple(edges), region, band) for region, band, edges in found["tiers"]
        )
        edges = [edge for tier in tiers for edge in tier.edges]
        fits = (
            _is_current(found)
            and bool(tiers)
            and _are_positions(edges, len(fleet.edges))
            and all(_is_tier(tier) for tier in tiers)
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return with_divided_groups(fleet, tiers) if fits else None


def _is_current(found: dict[str, Any]) -> bool:
    return type(found["format"]) is int and found["format"] == FORMAT


def _is_tier(tier: EdgeTier) -> bool:
    """TypeError for values of a kind that cannot be looked up at all."""
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
