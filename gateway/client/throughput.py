"""Which network speed is used?

The first usable source in this order:

1. ``query``: the player's own ``speed`` (kbit/s), then ``clientBandwidthHint`` (Mbit/s). It is used
   as it is: whoever states a speed gets the profile for it.
2. ``cmcd``: ``mtp`` of this request (kbit/s). The player has already smoothed it over its recent
   downloads. It is not believed when it differs from a firm estimate of the session by more than
   ``contradiction_factor``: it is then one more sample of that estimate.
3. The session's estimate (:mod:`gateway.client.estimate`), if its confidence is higher than
   ``hint_confidence``. Its source is ``probe`` or ``steering`` if such a measurement decided, else
   ``session``.
4. ``hints``: ``Downlink`` (Mbit/s); without it ``ECT``, as the upper bound that the Network
   Information API defines for ``slow-2g``, ``2g`` and ``3g``.
   What the browser says is kept with the session while nothing was measured: its later requests may
   come without a hint.
5. The session's estimate with a low confidence. An old measurement of this player is better than an
   assumption about its network, but not better than what its browser says now.
6. ``prior``: what other viewers of this network measured (:mod:`gateway.client.prior`). It selects
   the rung to start on, and never the profile.

Without a usable source the speed is *unknown*; there is no default. Three values are no
measurements (F2): a ``Downlink`` of 10 or more (browsers cap it, so it means "10 or more"), ``ECT:
4g`` (anything faster than 3g), and ``Save-Data``. A speed outside ``MIN_KBPS`` to ``MAX_KBPS``,
including NaN and infinity, is ignored with a reason, and the next source is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.client.estimate import (
    MAX_KBPS,
    MIN_KBPS,
    Estimated,
    EstimatorConfig,
    SampleSource,
    SessionEstimate,
    plausible,
)
from gateway.client.facts import SpeedSource, Throughput
from gateway.reason import Reason, Step

MIN_PROBE_BYTES = 50_000
"""A shorter probe measures the connection's start, not its speed."""
MIN_PROBE_MS = 1.0
"""A probe that seems faster comes from a cache, or its clock is too coarse."""

_DOWNLINK_CAP_MBPS = 10
_ECT_MOST_KBPS = {"slow-2g": 50, "2g": 70, "3g": 700}
_KBPS_PER_MBPS = 1000
_SESSION_SOURCES: Mapping[SampleSource, SpeedSource] = {
    "steering": "steering",
    "probe": "probe",
    "hints": "hints",
}
_NETWORK = Step.NETWORK  # Python 3.11 takes long to find a member of an Enum
_UNKNOWN = Reason(Step.NETWORK, "speed-unknown", "no usable speed was measured")
_CONTRADICTED = Reason(
    Step.NETWORK,
    "speed-contradicted",
    "CMCD mtp contradicts what this session measured before; a second one must confirm it",
)


class Measurement(NamedTuple):
    """What the player of this request has measured: the source, and kbit/s."""

    source: SampleSource
    kbps: float


@dataclass(slots=True)
class Chosen:
    """The speed that is used, None when it is unknown; what this request measured, whether or not
    it is used; and the reasons. These contain numbers, but no text from players. ``hinted`` is what
    the browser says, where that is used."""

    speed: Throughput | None
    measured: Measurement | None
    reasons: tuple[Reason, ...]
    hinted: Measurement | None = None


def choose_throughput(
    query_kbps: float | None,
    hint_mbps: float | None,
    cmcd_mtp_kbps: float | None,
    session: SessionEstimate | None,
    downlink_mbps: float | None,
    ect: str | None,
    now_s: float,
    config: EstimatorConfig,
) -> Chosen:
    """Choose the speed in the order above. Never raises.

    ``now_s`` is the time in seconds since 1970.
    """
    reasons: list[Reason] = []
    stated = _usable("query", "speed", query_kbps, reasons) or _usable(
        "query", "clientBandwidthHint", _kbps(hint_mbps), reasons
    )
    if stated is not None:
        return Chosen(stated, Measurement("query", stated.kbps), tuple(reasons))
    known = None if session is None or not session.samples else session.at(now_s, config)
    reported = _usable("cmcd", "CMCD mtp", cmcd_mtp_kbps, reasons)
    if reported is not None:
        measured = Measurement("cmcd", reported.kbps)
        if known is not None and _contradicts(reported.kbps, known, config):
            reasons.append(_CONTRADICTED)
            reported = _remembered(known, "speed-session", reasons)
        return Chosen(reported, measured, tuple(reasons))
    chosen: Throughput | None = None
    hinted: Measurement | None = None
    if known is not None and known.confidence > config.hint_confidence:
        chosen = _remembered(known, "speed-session", reasons)
    else:
        chosen = _hinted(downlink_mbps, ect, reasons)
        hinted = None if chosen is None else Measurement("hints", chosen.kbps)
        if chosen is None and known is not None:
            chosen = _remembered(known, "speed-session-stale", reasons)
    if chosen is None:
        reasons.append(_UNKNOWN)
    return Chosen(chosen, None, tuple(reasons), hinted)


def assume_prior(chosen: Chosen, prior_kbps: int) -> None:
    """Use the prior of the viewer's network, where ``chosen`` has no speed."""
    text = f"viewers of this network measure {prior_kbps} kbit/s or more; it selects the start rung"
    chosen.speed = Throughput(prior_kbps, "prior")
    chosen.reasons = (*chosen.reasons, _because("speed-prior", text))


def with_measurement(
    session: SessionEstimate | None,
    measured: Measurement | None,
    now_s: float,
    config: EstimatorConfig,
) -> SessionEstimate | None:
    """The session's estimate with this request's measurement; None when it brought none.

    Only the player's own measurements are added, and hints by :func:`with_hint`: a prior is not
    about this player, and an estimate must not be added to itself.
    """
    if measured is None:
        return None
    taken = (measured.kbps, now_s)
    return with_measurements(session or SessionEstimate(), measured.source, [taken], now_s, config)


def with_hint(
    session: SessionEstimate | None,
    hinted: Measurement | None,
    now_s: float,
    config: EstimatorConfig,
) -> SessionEstimate | None:
    """The session's estimate with what its browser says; None when that adds nothing.

    It adds nothing where something was measured in the past ``forget_s``, and browsers repeat it in
    each request: the same is added again after ``half_life_s``.
    """
    if hinted is None:
        return None
    estimate = session or SessionEstimate()
    if estimate.samples:
        newest = estimate.samples[-1]
        age_s = now_s - newest.time_s
        if newest.source != "hints":
            if age_s <= config.forget_s:
                return None
            estimate = SessionEstimate()
        elif newest.kbps == round(hinted.kbps) and 0 <= age_s < config.half_life_s:
            return None
    return estimate.updated(hinted.kbps, hinted.source, now_s, config)


def with_measurements(
    session: SessionEstimate,
    source: SampleSource,
    measured: Sequence[tuple[float, float]],
    now_s: float,
    config: EstimatorConfig,
) -> SessionEstimate:
    """The session's estimate with what its player measured: kbit/s, and when, in seconds since
    1970. The same object when there is nothing plausible to add."""
    return session.updated_together(measured, source, now_s, config)


def steering_kbps(bits_per_s: float) -> float | None:
    """kbit/s from the ``_HLS_throughput`` or ``_DASH_throughput`` of a steering request, which is
    in bit/s (D3.3); None when it is implausible."""
    return _plausible_or_none(bits_per_s / 1000)


def probe_kbps(size_bytes: int, duration_ms: float) -> float | None:
    """kbit/s from a timed download; None when it is too short to say anything, or implausible."""
    if size_bytes < MIN_PROBE_BYTES or not duration_ms >= MIN_PROBE_MS:
        return None
    return _plausible_or_none(size_bytes * 8 / duration_ms)


def _plausible_or_none(kbps: float) -> float | None:
    return kbps if plausible(kbps) else None


def _usable(
    source: SpeedSource, name: str, kbps: float | None, reasons: list[Reason]
) -> Throughput | None:
    if kbps is None:
        return None
    if not plausible(kbps):
        text = f"{name} is not between {MIN_KBPS} and {MAX_KBPS} kbit/s; it is ignored"
        reasons.append(_because("speed-absurd", text))
        return None
    reasons.append(_because(f"speed-{source}", f"{name} says {kbps:.10g} kbit/s"))
    return Throughput(kbps, source)  # not rounded: rules compare it with strict bounds


def _contradicts(kbps: float, known: Estimated, config: EstimatorConfig) -> bool:
    if known.confidence < config.firm_confidence:
        return False
    factor = config.contradiction_factor
    return not known.kbps <= kbps * factor <= known.kbps * factor * factor


def _remembered(known: Estimated, code: str, reasons: list[Reason]) -> Throughput:
    source = _SESSION_SOURCES.get(known.source, "session")
    verb = "was said to have" if known.source == "hints" else "measured"
    text = (
        f"this session {verb} {known.kbps} kbit/s, most recently {known.age_s:.0f} s ago; "
        f"confidence {known.confidence:.2f}"
    )
    reasons.append(_because(code, text))
    return Throughput(known.kbps, source, known.age_s, known.confidence)


def _hinted(
    downlink_mbps: float | None, ect: str | None, reasons: list[Reason]
) -> Throughput | None:
    if downlink_mbps is not None and downlink_mbps >= _DOWNLINK_CAP_MBPS:
        text = f"Downlink is capped by browsers at {_DOWNLINK_CAP_MBPS} Mbit/s; it is ignored"
        reasons.append(_because("downlink-capped", text))
        return None
    measured = _usable("hints", "Downlink", _kbps(downlink_mbps), reasons)
    if measured is not None:
        return measured
    return _usable("hints", "the upper bound for ECT", _ECT_MOST_KBPS.get(ect or ""), reasons)


def _kbps(mbps: float | None) -> float | None:
    return None if mbps is None else mbps * _KBPS_PER_MBPS


def _because(code: str, text: str) -> Reason:
    return Reason(_NETWORK, code, text)
