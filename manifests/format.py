"""Which formats of manifests are there?"""

from enum import StrEnum


class ManifestFormat(StrEnum):
    """The formats of manifests. A title may have one of each."""

    HLS = "hls"
    DASH = "dash"
