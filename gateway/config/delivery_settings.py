"""How are profiles, edges, the generated ladder and device rules written?"""

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
from geodata.place import Continent
from manifests.codecs import CodecFamily, VideoRange

Families = Annotated[frozenset[CodecFamily], Field(min_length=1)]
Ranges = Annotated[frozenset[VideoRange], Field(min_length=1)]


class ProfileSettings(Section):
    """What may be played. A key that is left out sets no limit. A profile of a shipped name keeps
    the shipped values of the keys that it does not name."""

    max_bitrate_kbps: BitRate | None = Field(None, examples=[1200])
    """Highest peak bit rate (`BANDWIDTH`), in kbit/s."""
    max_height: Pixels | None = Field(None, examples=[720])
    """Largest height, in pixels; the shorter side of portrait video."""
    max_frame_rate: FrameRate | None = Field(None, examples=[30])
    """Highest frame rate, in frames per second."""
    codecs: Families | None = Field(None, examples=[["avc", "hevc"]])
    """Codec families that may be listed."""
    video_range: Ranges | None = Field(None, examples=[["SDR"]])
    """Video ranges that may be listed."""
    start_bitrate_kbps: BitRate | None = Field(None, examples=[800])
    """Bit rate near which playback starts while the speed is not known, in kbit/s. Above the caps
    it starts on the top rung."""
    min_rungs: Rungs = 1
    """Rungs that stay, whatever the caps say."""
    headroom: Share = 0.8
    """Share of the measured speed that the first rung may use."""
    device_limits: Flag = True
    """`false` serves whatever the source has, whatever the device; a profile with that and no
    limits passes the source on as it is."""


class EdgeSettings(Section):
    """A CDN edge that mirrors the source's path layout below its URL."""

    id: EdgeId = Field(examples=["us-east-1"])
    """Name of the edge, unlike that of every other."""
    url: FolderUrl = Field(examples=["https://us-east-1.cdn.example.com/videos/"])
    """Where players fetch media; a slash is added at the end when there is none."""
    latitude: Latitude | None = Field(None, examples=[38.9])
    """Where the edge stands, in degrees; north is positive."""
    longitude: Longitude | None = Field(None, examples=[-77.4])
    """Where the edge stands, in degrees; east is positive."""
    countries: frozenset[Country] = Field(frozenset(), examples=[["US", "CA"]])
    """Countries that are served first."""
    continents: frozenset[Continent] = Field(frozenset(), examples=[["NA"]])
    """Continents that are served first; without any match the nearest edge serves."""
    weight: Weight = 100
    """Share of the viewers among equal edges."""
    fallback: Flag = False
    """Serves when the place of the player is unknown."""
    capacity_mbps: Capacity | None = Field(None, examples=[10000])
    """What the sessions placed on the edge may need together, in Mbit/s; further sessions go to
    the next edge. Without it there is no bound."""
    health_url: ProbeUrl | None = Field(None, examples=["healthz"])
    """What probes ask the edge for, relative to `url` or absolute; any 2xx answer is good."""
    health_playlist: ProbePath | None = Field(None, examples=["live/1080p.m3u8"])
    """A media playlist below `url` that probes read instead; a live one must advance."""
    drain: Flag = False
    """Takes no new sessions; those that play stay until they end."""
    dns: EdgeDnsSettings | None = Field(
        None, examples=[{"name": "edges.eu.example.com", "type": "A"}]
    )
    """Makes the table a template for as many edges as the name has records. Until the first answer
    the edge stands for itself, under its url."""

    @model_validator(mode="after")
    def _has_both_coordinates(self) -> Self:
        if (self.latitude is None) is not (self.longitude is None):
            missing = "latitude" if self.latitude is None else "longitude"
            raise fault(missing, "is missing", "latitude and longitude, both or neither")
        return self

    @model_validator(mode="after")
    def _is_probed_in_one_way(self) -> Self:
        if self.health_url is not None and self.health_playlist is not None:
            problem = "cannot stand beside health_url"
            raise fault("health_playlist", problem, "health_url or health_playlist, not both")
        return self

    @model_validator(mode="after")
    def _has_hosts_that_certificates_name(self) -> Self:
        if self.dns is not None and self.dns.type != "SRV" and self.url.startswith("https:"):
            raise fault(
                "dns",
                "gives addresses, which the certificate of an https url does not name",
                'type = "SRV", whose records give host names; or an http url',
            )
        return self


class RungSettings(Section):
    """A rung of the generated ladder."""

    name: RungName = Field(examples=["720p"])
    """Stands in the rung's path."""
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
    """Path of a rung's media playlist, below the folder in which `source.hls` puts the asset."""
    rungs: tuple[RungSettings, ...] = Field(min_length=1)
    """The rungs, from the lowest to the highest."""


class DeviceRuleSettings(Section):
    """Your own knowledge of devices. These are tried before the shipped rules; the first match
    decides. A key that is left out is found as without the rule."""

    name: Text = Field(examples=["our set-top box"])
    """A name for people, shown among the reasons of a decision."""
    match: Pattern = Field(examples=["AcmeBox/[0-9]+"])
    """Regular expression that is searched for in the User-Agent; letter case counts."""
    kind: DeviceKind | None = Field(None, examples=["tv"])
    """Class of device."""
    os: Text | None = Field(None, examples=["AcmeOS"])
    """Operating system."""
    player: Text | None = Field(None, examples=["ExoPlayer"])
    """Player."""
    model: Text | None = Field(None, examples=["AcmeBox 4"])
    """Model."""
    max_height: Pixels | None = Field(None, examples=[1080])
    """Largest height that it plays, in pixels."""
    max_frame_rate: FrameRate | None = Field(None, examples=[60])
    """Highest frame rate that it plays, in frames per second."""
    codecs: Families | None = Field(None, examples=[["avc", "hevc"]])
    """Codec families that it plays."""
    video_ranges: Ranges | None = Field(None, examples=[["SDR", "HLG"]])
    """Video ranges that it plays."""
