"""Who asks? The facts about one request, as values that every later stage reads."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from gateway.client.session import SessionRecord
from gateway.reason import Reason
from geodata.place import Place
from manifests.codecs import CodecFamily, VideoRange


class DeviceKind(StrEnum):
    """The classes of device that rules may name."""

    PHONE = "phone"
    TABLET = "tablet"
    DESKTOP = "desktop"
    TV = "tv"
    CONSOLE = "console"
    CAR = "car"
    BOT = "bot"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Capability:
    """What a device can play; None means that no limit is known.

    ``max_height`` in pixels, ``max_frame_rate`` in frames/s. ``codecs`` are the video families
    that it may be able to decode; H.264 is never withheld because of it (rule B1). ``spatial``:
    it shows stereoscopic and immersive video (REQ-VIDEO-LAYOUT, rule A6.10).
    """

    max_height: int | None = None
    max_frame_rate: float | None = None
    codecs: frozenset[CodecFamily] | None = None
    video_ranges: frozenset[VideoRange] | None = None
    spatial: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """The device behind a User-Agent and client hints. Names are the field's: ``os`` such as
    ``Android``, ``iOS``, ``Tizen``; ``player`` such as ``AVPlayer``, ``ExoPlayer``, ``hls.js``."""

    kind: DeviceKind
    os: str | None = None
    os_version: str | None = None
    player: str | None = None
    model: str | None = None
    capability: Capability = Capability()
    reasons: tuple[Reason, ...] = ()


SpeedSource = Literal["query", "cmcd", "session", "hints", "prior"]


@dataclass(frozen=True, slots=True)
class Throughput:
    """A network speed that was measured: kbit/s, by whom, and how long ago (seconds)."""

    kbps: float
    source: SpeedSource
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the request itself asks for. Heights in pixels, bit rates in kbit/s, None = no limit."""

    max_height: int | None = None
    min_height: int | None = None
    max_bitrate_kbps: int | None = None
    codecs: frozenset[CodecFamily] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a decision may depend on, besides the policy and the asset's source.

    ``throughput`` None: nothing was measured. ``minute_of_day`` counts from 00:00 in the policy's
    time zone. ``viewer`` is the stable name of this viewer for edge choice (session, or a prefix
    of the address) and never leaves the process. ``placed_on`` is the id of the edge that this
    session plays this asset from already. ``record`` is what is remembered of the session, with
    what this request measured; None without a session.
    """

    asset: str
    device: Device
    place: Place
    throughput: Throughput | None = None
    save_data: bool = False
    limits: Limits = Limits()
    session: str | None = None
    viewer: str = ""
    minute_of_day: int = 0
    placed_on: str | None = None
    record: SessionRecord | None = None
    reasons: tuple[Reason, ...] = ()
