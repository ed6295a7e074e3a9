"""How are profiles, edges, the generated ladder and device rules configured?"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.client.facts import DeviceKind
from gateway.config.discovery_settings import EdgeDnsSettings
from gateway.config.fields import (
    BitRate,
    Capacity,
    Codecs,
    Country,
    EdgeId,
    Flag,
    FolderUrl,
    FrameRate,
    Latitude,
    Longitude,
    Pattern,
    Pixels,
    ProbePath,
    ProbeUrl,
    RungName,
    RungPath,
    Rungs,
    Share,
    Text,
    Weight,
)
from gateway.config.section import Section, fault
from gateway.config.signing_check import check_signing
from gateway.config.signing_settings import EdgeSigningSettings
from geodata.place import Continent
from manifests.codecs import CodecFamily, VideoRange

Families = Annotated[frozenset[CodecFamily], Field(min_length=1)]
Ranges = Annotated[frozenset[VideoRange], Field(min_length=1)]


class ProfileSettings(Section):
    """What may be played. A key that is left out sets no limit. A profile with the name of a
    shipped one keeps the shipped values of the keys that it does not set."""

    max_bitrate_kbps: BitRate | None = Field(None, examples=[1200])
    """Highest peak bit rate (`BANDWIDTH`), in kbit/s."""
    max_height: Pixels | None = Field(None, examples=[720])
    """Largest height, in pixels. For portrait video, the shorter side counts."""
    max_frame_rate: FrameRate | None = Field(None, examples=[30])
    """Highest frame rate, in frames per second."""
    codecs: Families | None = Field(None, examples=[["avc", "hevc"]])
    """Codec families that may be listed."""
    video_range: Ranges | None = Field(None, examples=[["SDR"]])
    """Video ranges that may be listed."""
    start_bitrate_kbps: BitRate | None = Field(None, examples=[800])
    """Bit rate near which playback starts while the speed is unknown, in kbit/s. When it exceeds
    the limits, playback starts on the highest rung."""
    min_rungs: Rungs = 1
    """At least this many rungs stay, even if they exceed the limits."""
    headroom: Share = 0.8
    """Share of the measured speed that the rung on which playback starts may use."""
    device_limits: Flag = True
    """`false` ignores what the device can play. A profile with `false` and no limits passes the
    source on unchanged."""


class EdgeSettings(Section):
    """A CDN edge. Below its URL it has the same paths as the source."""

    id: EdgeId = Field(examples=["us-east-1"])
    """Unique name of the edge."""
    url: FolderUrl = Field(examples=["https://us-east-1.cdn.example.com/videos/"])
    """URL below which players fetch media. A missing slash at its end is added."""
    latitude: Latitude | None = Field(None, examples=[38.9])
    """Latitude of the edge in degrees; north is positive."""
    longitude: Longitude | None = Field(None, examples=[-77.4])
    """Longitude of the edge in degrees; east is positive."""
    countries: frozenset[Country] = Field(frozenset(), examples=[["US", "CA"]])
    """Countries whose viewers prefer this edge."""
    continents: frozenset[Continent] = Field(frozenset(), examples=[["NA"]])
    """Continents whose viewers prefer this edge. Viewers from elsewhere get the nearest edge."""
    weight: Weight = 100
    """Relative share of the viewers among equal edges."""
    fallback: Flag = False
    """Serves players whose place is unknown."""
    capacity_mbps: Capacity | None = Field(None, examples=[10000])
    """Largest sum of the expected bit rates of the sessions on the edge, in Mbit/s. Further
    sessions go to the next edge. Without it there is no limit."""
    health_url: ProbeUrl | None = Field(None, examples=["healthz"])
    """URL that probes request, relative to `url` or absolute. Any 2xx answer is good."""
    health_playlist: ProbePath | None = Field(None, examples=["live/1080p.m3u8"])
    """A media playlist below `url` that probes read instead. A live playlist must advance."""
    drain: Flag = False
    """The edge takes no new sessions. Content steering moves sessions that play; others stay until
    they end."""
    dns: EdgeDnsSettings | None = Field(
        None, examples=[{"name": "edges.eu.example.com", "type": "A"}]
    )
    """Makes the table a template: each record of the DNS name gives one edge. Until the first
    answer the table is one edge with its own url."""
    signing: EdgeSigningSettings | None = None
    """Signs all URLs below `url`, for an edge that checks signatures."""

    @model_validator(mode="after")
    def _has_both_coordinates(self) -> Self:
        if (self.latitude is None) is not (self.longitude is None):
            missing = "latitude" if self.latitude is None else "longitude"
            raise fault(missing, "is missing", "latitude and longitude, both or neither")
        return self

    @model_validator(mode="after")
    def _is_probed_in_one_way(self) -> Self:
        if self.health_url is not None and self.health_playlist is not None:
            problem = "cannot be combined with health_url"
            raise fault("health_playlist", problem, "health_url or health_playlist, not both")
        return self

    @model_validator(mode="after")
    def _has_hosts_that_certificates_name(self) -> Self:
        if self.dns is not None and self.dns.type != "SRV" and self.url.startswith("https:"):
            raise fault(
                "dns",
                "gives IP addresses, which the certificate of an https url does not name",
                'type = "SRV", whose records give host names; or an http url',
            )
        return self

    @model_validator(mode="after")
    def _can_be_signed(self) -> Self:
        if self.signing is None:
            return self
        if self.dns is not None and self.signing.signs_in == "cookie":
            problem = "is not possible with dns; hosts of records may not be below cookie_domain"
            raise fault("signing.carrier", problem, "path")
        check_signing(self.signing, self.url)
        return self


class RungSettings(Section):
    """A rung of the generated ladder."""

    name: RungName = Field(examples=["720p"])
    """Replaces `{name}` in the path."""
    height: Pixels = Field(examples=[720])
    """Height in pixels."""
    width: Pixels | None = Field(None, examples=[1280])
    """Width in pixels."""
    bandwidth_kbps: BitRate = Field(examples=[1200])
    """Peak bit rate in kbit/s."""
    codecs: Codecs | None = Field(None, examples=["avc1.4d401f,mp4a.40.2"])
    """Codecs of the rung, RFC 6381."""
    frame_rate: FrameRate | None = Field(None, examples=[30])
    """Frames per second."""


class LadderSettings(Section):
    """The ladder of `source.kind = "generated"`."""

    path: RungPath
    """Path of a rung's media playlist, relative to the folder of `source.hls`."""
    rungs: tuple[RungSettings, ...] = Field(min_length=1)
    """The rungs, from the lowest to the highest."""


class DeviceRuleSettings(Section):
    """Your own rules for devices. The first rule that matches is used. The values of its keys
    override what the gateway finds by itself."""

    name: Text = Field(examples=["our set-top box"])
    """A name for people, shown among the reasons of a decision."""
    match: Pattern = Field(examples=["AcmeBox/[0-9]+"])
    """Regular expression that is searched for in the User-Agent. It is case-sensitive."""
    kind: DeviceKind | None = Field(None, examples=["tv"])
    """Class of device."""
    os: Text | None = Field(None, examples=["AcmeOS"])
    """Operating system."""
    player: Text | None = Field(None, examples=["ExoPlayer"])
    """Player."""
    model: Text | None = Field(None, examples=["AcmeBox 4"])
    """Model."""
    max_height: Pixels | None = Field(None, examples=[1080])
    """Largest height that the device plays, in pixels."""
    max_frame_rate: FrameRate | None = Field(None, examples=[60])
    """Highest frame rate that the device plays, in frames per second."""
    codecs: Families | None = Field(None, examples=[["avc", "hevc"]])
    """Codec families that the device plays."""
    video_ranges: Ranges | None = Field(None, examples=[["SDR", "HLG"]])
    """Video ranges that the device plays."""
