"""How much of an edge's capacity will a session take up, before it has fetched anything?

A player switches up to the highest rung that its network can carry. So the session is counted at
the highest rung whose peak (rule A6.2) fits the measured speed, with the same headroom as for the
start rung. It is counted at the rung's average bit rate when the source states one.

While the speed is unknown, the top rung counts. Reserving too much leaves room unused; reserving
too little overloads the edge.
"""

from collections.abc import Sequence
from typing import Final

from gateway.ladder.rung import Rung

MAX_EXPECTED_KBPS: Final = 20_000_000
"""No session takes up more, whatever bit rates its source claims."""


def expected_kbps(rungs: Sequence[Rung], speed_kbps: float | None, headroom: float) -> int:
    """The bit rate in kbit/s, from 1 to ``MAX_EXPECTED_KBPS``, of a session that gets ``rungs``.

    ``headroom`` is the share of the speed that may be used. When the speed is too low for every
    rung, the lowest counts. Without any rung, it is 1.
    """
    if not rungs:
        return 1
    reachable = rungs
    if speed_kbps is not None:
        within = [rung for rung in rungs if rung.bandwidth <= speed_kbps * headroom * 1000]
        reachable = within or [min(rungs, key=lambda rung: rung.bandwidth)]
    top = max(reachable, key=lambda rung: rung.bandwidth)
    kbps = -(-(top.average_bandwidth or top.bandwidth) // 1000)
    return min(max(1, kbps), MAX_EXPECTED_KBPS)
