"""What will a session take up? Its expected bit rate, before it has fetched anything.

A player climbs as far as its network carries it, so the highest rung that the measured speed
allows counts, with the same headroom as for the start. Whether a rung is within reach is a matter
of its peak, as it is for players (rule A6.2); what it takes up for minutes is its average, where
the source gives one.

While the speed is unknown the top rung counts: an edge that is leased too much has room to spare,
one that is leased too little has none.
"""

from collections.abc import Sequence

from manifests.hls.multivariant import MultivariantPlaylist


def expected_kbps(
    playlist: MultivariantPlaylist, kept: Sequence[int], speed_kbps: float | None, headroom: float
) -> int:
    """The bit rate in kbit/s, at least 1, of a session that gets the variants ``kept``.

    ``headroom`` is the share of the speed that may be used. Too slow for all: the lowest counts.
    """
    rungs = [playlist.variants[index] for index in kept]
    if speed_kbps is not None:
        within = [rung for rung in rungs if rung.bandwidth <= speed_kbps * headroom * 1000]
        rungs = within or [min(rungs, key=lambda rung: rung.bandwidth)]
    top = max(rungs, key=lambda rung: rung.bandwidth)
    return max(1, -(-(top.average_bandwidth or top.bandwidth) // 1000))
