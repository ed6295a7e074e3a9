"""Which network speed is used?

The first usable source in this order:

1. ``query``: the player's own ``speed`` (kbit/s), then ``clientBandwidthHint`` (Mbit/s).
2. ``cmcd``: ``mtp`` of this request (kbit/s).
3. ``session``: the estimate of this session, if it is fresh (``FRESH_S``).
4. ``hints``: ``Downlink`` (Mbit/s); without it ``ECT``, as the upper bound that the Network
   Information API defines for ``slow-2g``, ``2g`` and ``3g``.
5. ``session`` again, up to an age of ``FORGOTTEN_S``. An old measurement of this player is better
   than an assumption about its network, but not better than what its browser says now.
6. ``prior``: what the operator assumes for this network.

Without a usable source the speed is *unknown*; there is no default. Three values are no
measurements (F2): a ``Downlink`` of 10 or more (browsers cap it, so it means "10 or more"), ``ECT:
4g`` (anything faster than 3g), and ``Save-Data``. A speed outside ``MIN_KBPS`` to ``MAX_KBPS``,
including NaN and infinity, is ignored with a reason, and the next source is used.

A measurement in the request is used as it is, because the player has already smoothed it over its
recent downloads. ``with_measurement`` adds it to the session's estimate, for later requests without
a measurement.
"""

from gateway.client.estimate import (
    CLOCK_SKEW_S,
    FORGOTTEN_S,
    MAX_KBPS,
    MIN_KBPS,
    SessionEstimate,
    plausible,
)
from gateway.client.facts import SpeedSource, Throughput
from gateway.reason import Reason, Step

FRESH_S = 300
"""Age in seconds up to which the session's estimate is preferred to hints.

In the recorded mobile traces, a speed is typically wrong by a factor of 1.8 (4G) to 2.5 (3G) after
this time. Players also request steering manifests about every five minutes."""

_DOWNLINK_CAP_MBPS = 10
_ECT_MOST_KBPS = {"slow-2g": 50, "2g": 70, "3g": 700}
_KBPS_PER_MBPS = 1000


def choose_throughput(
    query_kbps: float | None,
    hint_mbps: float | None,
    cmcd_mtp_kbps: float | None,
    session: SessionEstimate | None,
    downlink_mbps: float | None,
    ect: str | None,
    now_s: float,
    prior_kbps: float | None = None,
) -> tuple[Throughput | None, tuple[Reason, ...]]:
    """Choose the speed in the order above. Never raises.

    ``now_s`` is the time in seconds since 1970. The speed is None when it is unknown. The reasons
    say which values were ignored and which one was chosen. They contain numbers, but no text from
    players.
    """
    reasons: list[Reason] = []
    chosen = (
        _usable("query", "speed", query_kbps, reasons)
        or _usable("query", "clientBandwidthHint", _kbps(hint_mbps), reasons)
        or _usable("cmcd", "CMCD mtp", cmcd_mtp_kbps, reasons)
        or _remembered(session, now_s, reasons, stale=False)
        or _hinted(downlink_mbps, ect, reasons)
        or _remembered(session, now_s, reasons, stale=True)
        or _usable("prior", "the prior of this network", prior_kbps, reasons)
    )
    if chosen is None:
        reasons.append(_because("speed-unknown", "no usable speed was measured"))
    return chosen, tuple(reasons)


def with_measurement(
    session: SessionEstimate | None, chosen: Throughput | None, now_s: float
) -> SessionEstimate | None:
    """The session's estimate with this request's measurement; None when it brought none.

    Only the player's own measurements are added. Hints and priors would outweigh them, and the
    session's own estimate must not be added to itself.
    """
    if chosen is None or chosen.source not in ("query", "cmcd"):
        return None
    return (session or SessionEstimate()).updated(chosen.kbps, now_s)


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


def _remembered(
    session: SessionEstimate | None, now_s: float, reasons: list[Reason], *, stale: bool
) -> Throughput | None:
    """The session's estimate if it is fresh or, with ``stale``, if it is stale."""
    if session is None or not session.samples:
        return None
    age_s = session.age_s(now_s)
    from_future = session.samples[-1].time_s > now_s + CLOCK_SKEW_S
    if from_future or age_s > FORGOTTEN_S or (age_s > FRESH_S) != stale:
        return None
    kbps = session.kbps()
    text = f"this session measured {kbps} kbit/s, most recently {age_s:.0f} s ago"
    reasons.append(_because("speed-session-stale" if stale else "speed-session", text))
    return Throughput(kbps, "session", age_s)


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
    return Reason(Step.NETWORK, code, text)
