"""Reads MPDs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gateway.ladder.rung import Ladder
from gateway.observe.metrics import PLAYLIST_FAULTS
from gateway.play import problems
from gateway.play.dash.edit import shape_of
from gateway.play.dash.ladder import ladder_of
from gateway.source.source import (
    BadSourceError,
    LiveState,
    SourceFormat,
    SourceManifest,
    version_of,
)
from manifests.dash.links import Links, links_of
from manifests.dash.model import Mpd
from manifests.dash.reading import parse
from manifests.dash.times import date_time_s, duration_s
from manifests.fault import Fault, ManifestError
from manifests.format import ManifestFormat

MEDIA_TYPE = "application/dash+xml"
"""The media type of an MPD (rule E16)."""

_MARKUP = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\0 \t\r\n]*<")
_END = re.compile(rb">[\0 \t\r\n]*\Z")
_END_BYTES = 256


@dataclass(frozen=True)  # without slots, which hold no cached property
class DashManifest:
    """An MPD that was read (:class:`gateway.source.source.ParsedManifest`). ``version`` is that of
    its bytes, which in a live MPD change more often than its ladder."""

    mpd: Mpd
    links: Links
    ladder: Ladder
    version: str
    weight: int
    live: LiveState | None

    @cached_property
    def shape(self) -> str:
        """The same for versions that differ in segments alone."""
        return shape_of(self.mpd)

    @property
    def format(self) -> ManifestFormat:
        """DASH."""
        return ManifestFormat.DASH

    @property
    def faults(self) -> Sequence[Fault]:
        """Faults that players tolerate."""
        return self.mpd.faults

    @property
    def is_dynamic(self) -> bool:
        """Whether players may ask for it again."""
        return self.mpd.type == "dynamic"

    @property
    def update_s(self) -> float | None:
        """The update period of a dynamic MPD. Without one, players ask again when its media tell
        them to, which may be at once (5.3.1.2)."""
        if self.live is not None:
            return self.live.update_s
        return 0.0 if self.is_dynamic else None


def read_dash(data: bytes, name: str, max_bytes: int) -> DashManifest:
    """Read an MPD, and count its faults. Raises BadSourceError, whose message names the file, the
    element, the line and the clause."""
    try:
        mpd = parse(data, name, max_bytes)
    except ManifestError as error:
        raise BadSourceError.of(error) from error
    for fault in mpd.faults:
        PLAYLIST_FAULTS.labels(fault.short_name).inc()
    version = version_of(data)
    links = links_of(mpd.document)
    return DashManifest(mpd, links, ladder_of(mpd), version, len(data), _live(mpd))


def _live(mpd: Mpd) -> LiveState | None:
    """When players ask again: after @minimumUpdatePeriod. Without it an MPD has no updates, or is
    told of them in its media (5.3.1.2)."""
    attributes = mpd.root.attributes
    update_s = duration_s(attributes.get("minimumUpdatePeriod"))
    if mpd.type != "dynamic" or update_s is None:
        return None
    return LiveState(date_time_s(attributes.get("publishTime")), update_s)


def dash_source(template: str) -> SourceFormat:
    """How sources find and read MPDs."""
    return SourceFormat(
        template=template,
        read=read_dash,
        media_types="application/dash+xml, */*;q=0.5",
        is_manifest=lambda body: _MARKUP.match(body) is not None and _names_mpd(body),
        is_whole=lambda body: _END.search(body[-_END_BYTES:]) is not None,
    )


def _names_mpd(body: bytes) -> bool:
    return b"MPD" in body or b"M\0P\0D" in body


def dash_of(source: SourceManifest) -> DashManifest:
    """The source as DASH. Raises a 404 problem when the asset has no MPD."""
    if not isinstance(source.manifest, DashManifest):
        raise problems.no_such_asset(f"{source.path} is not an MPD")
    return source.manifest
