"""How are the halves of a decision written in Redis? As compact JSON.

Redis may hold garbage, or entries of another release. Every position is checked to be within the
ladder or fleet that it refers to. A bad entry is computed again and never reaches a manifest.
"""

import json
from collections.abc import Collection
from typing import Any

from gateway.decision import Choice, FittedLadder
from gateway.edge.fleet import Fleet
from gateway.edge.index import BANDS_KM, REGIONS
from gateway.edge.rank import EdgeTier, with_divided_groups
from gateway.ladder.rung import Ladder, rung_count
from gateway.reason import Reason, Step

FORMAT = 4
"""The format's version. Workers of two releases with different formats can share one Redis."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def ladder_to_bytes(fitted: FittedLadder) -> bytes:
    """Write which rungs stay; :func:`ladder_from_bytes` reads it back equal."""
    return _encode(
        {
            "format": FORMAT,
            "kept": fitted.kept,
            "reasons": [[reason.step, reason.code, reason.text] for reason in fitted.reasons],
        }
    ).encode()


def ladder_from_bytes(data: bytes, choice: Choice, ladder: Ladder) -> FittedLadder | None:
    """Read which rungs of ``ladder`` stay under ``choice``; None for anything that does not fit."""
    try:
        found: dict[str, Any] = json.loads(data)
        kept = tuple(found["kept"])
        reasons = tuple(Reason(Step(step), code, text) for step, code, text in found["reasons"])
        fits = (
            _is_current(found)
            and _are_positions(kept, len(ladder.rungs))
            and _have_every_period(kept, ladder)
            and all(_is_text(text) for reason in reasons for text in (reason.code, reason.text))
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not fits:
        return None
    rungs = rung_count([ladder.rungs[index] for index in kept])
    return FittedLadder(choice, kept, reasons, rungs)


def _have_every_period(kept: Collection[int], ladder: Ladder) -> bool:
    """Whether every Period keeps a rung (rule E6). Raises TypeError for what is no position."""
    rungs = ladder.rungs
    return {rungs[at].period for at in kept} == {rung.period for rung in rungs}


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
    """Raises TypeError for values of a type that cannot be looked up."""
    band_known = tier.band is None or _is_position(tier.band, len(BANDS_KM))
    return bool(tier.edges) and tier.region in REGIONS and band_known


def _is_text(value: object) -> bool:
    """Text that may go into an answer or a log: no control characters, no lone surrogates."""
    return isinstance(value, str) and value.isprintable()


def _is_position(value: object, length: int) -> bool:
    """An integer from 0 to ``length`` - 1. JSON's true and 1.0 equal 1, but are not integers."""
    return type(value) is int and 0 <= value < length


def _are_positions(values: Collection[object], length: int) -> bool:
    """Positions below ``length``, each at most once."""
    return len(set(values)) == len(values) and all(_is_position(value, length) for value in values)
