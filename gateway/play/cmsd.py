"""What does the gateway tell the player of its network? The header ``CMSD-Dynamic`` (CTA-5006).

``etp`` is the estimated throughput and ``mb`` the maximum suggested bit rate, both in kbit/s
(D4.2). Caches between the gateway and the player append members of their own.
"""

from gateway.decision import Decision
from gateway.play.reply import RawHeaders


def cmsd_headers(name: str, decision: Decision) -> RawHeaders:
    """The header of an answer, in which the gateway calls itself ``name``; none without a name.

    ``etp`` is the speed that decided, unless it is unknown or a prior, which is not about this
    player. ``mb`` is the peak bit rate of the best rung that stays, rounded up. A live title that
    has no rung yet has none.
    """
    if not name:
        return ()
    speed = decision.facts.throughput
    best = max([rung.bandwidth for rung in decision.kept_rungs], default=None)
    measured = speed is not None and speed.source != "prior"
    estimated = f";etp={round(speed.kbps)}" if speed is not None and measured else ""
    most = "" if best is None else f";mb={-(-best // 1000)}"
    return ((b"cmsd-dynamic", f'"{name}"{estimated}{most}'.encode("ascii")),)
