"""Which rung does playback start on? The first listed (rule B4)."""

from collections.abc import Sequence
from operator import attrgetter

from gateway.ladder import words
from gateway.ladder.rung import Rung
from gateway.reason import Reason, Step
from manifests.codecs import CodecFamily, VideoRange

DEFAULT_START_BANDWIDTH = 2_000_000
"""bit/s to start on when nothing was measured (rule B4)."""

_index = attrgetter("index")
_AVC = frozenset({CodecFamily.AVC})


def start_rung(
    kept: Sequence[Rung], start_bandwidth: int | None, home_pathway: str | None
) -> tuple[Rung, Reason]:
    """The highest rung within ``start_bandwidth`` (bit/s), else the lowest. A higher
    ``start_bandwidth`` never gives a lower rung.

    The rung is on the pathway on which content steering starts (C2.6). Of several entries with the
    same picture, the one that the source lists first counts: it has the packager's default audio.
    H.264 in SDR is preferred, because every client can start on it.
    """
    target = DEFAULT_START_BANDWIDTH if start_bandwidth is None else start_bandwidth
    at_home = [rung for rung in kept if rung.pathway == home_pathway] or kept
    defaults: dict[tuple[int, int], Rung] = {}
    for rung in sorted(at_home, key=_index):
        defaults.setdefault(rung.picture, rung)
    pool = list(defaults.values())
    pool = [rung for rung in pool if rung.uses_only(_AVC)] or pool
    pool = [rung for rung in pool if rung.video_range is VideoRange.SDR] or pool
    affordable = [rung for rung in pool if rung.bandwidth <= target]
    if affordable:
        start = max(affordable, key=lambda rung: (rung.bandwidth, -rung.index))
        code, why = "start-within-speed", "the highest rung within the start bit rate"
    else:
        start = min(pool, key=lambda rung: (rung.bandwidth, rung.index))
        code, why = "start-lowest", "the lowest rung, since none is within the start bit rate"
    return start, Reason(Step.START, code, f"start on {words.describe(start)}, {why}")
