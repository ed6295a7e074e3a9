"""Is this an MPD that players can play, and what does it hold?"""

from manifests.dash.checks import check
from manifests.dash.document import DEFAULT_MAX_BYTES, read
from manifests.dash.model import Mpd, model


def parse(data: bytes, name: str = "mpd", max_bytes: int = DEFAULT_MAX_BYTES) -> Mpd:
    """Read an MPD (23009-1 5.3.1); errors call it ``name``.

    Raises ManifestError when it cannot be served.
    """
    mpd = model(read(data, name, max_bytes))
    mpd.faults = check(mpd)
    return mpd
