"""What is known about one request? The facts that all later stages read."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from gateway.client.session import SessionRecord
from gateway.reason import Reason
from geodata.place import Place
from manifests.codecs import CodecFamily, VideoRange


class DeviceKind(StrEnum):
    """The classes of devices that rules can name."""

    PHONE = "phone"
    TABLET = "tablet"
    DESKTOP = "desktop"
    TV = "tv"
    CONSOLE = "console"
    HEADSET = "headset"
    SPEAKER = "speaker"
    CAR = "car"
    BOT = "bot"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Capability:
    """What a device can play. None means that no limit is known.

    ``max_height`` is in pixels, ``max_frame_rate`` in frames per second. ``codecs`` are the video
    codec families that the device can probably decode; H.264 is offered in any case (rule B1).
    ``spatial``: the device shows stereoscopic and immersive video (REQ-VIDEO-LAYOUT, rule A6.10).
    ``screen``: False for speakers, which show no video.
    """

    max_height: int | None = None
    max_frame_rate: float | None = None
    codecs: frozenset[CodecFamily] | None = None
    video_ranges: frozenset[VideoRange] | None = None
    spatial: bool = False
    screen: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    """The device identified by a User-Agent and client hints.

    Names are those of the vendors: ``os`` is, for example, ``Android``, ``iOS`` or ``Tizen``,
    ``player`` is ``AVPlayer``, ``ExoPlayer`` or ``hls.js``.
    """

    kind: DeviceKind
    os: str | None = None
    os_version: str | None = None
    player: str | None = None
    model: str | None = None
    capability: Capability = Capability()
    reasons: tuple[Reason, ...] = ()


SpeedSource = Literal["query", "cmcd", "session", "steering", "probe", "hints", "prior"]


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class Throughput:
    """A network speed in kbit/s, where it comes from, its age in seconds, and the confidence of an
    estimate, from 0 to 1."""

    kbps: float
    source: SpeedSource
    age_s: float = 0.0
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a request, or of its token. Heights are in pixels, bit rates in kbit/s; None is no
    limit."""

    max_height: int | None = None
    min_height: int | None = None
    max_bitrate_kbps: int | None = None
    codecs: frozenset[CodecFamily] | None = None


@dataclass(frozen=True, slots=True)
class Pinned:
    """What the first answer to a session has fixed for its later requests, so that the same rungs
    stay in every version of a live manifest (rule E10).

    ``profile`` is the name of the profile, ``rule`` the position of the rule that selected it (None
    for the default profile), ``start_bandwidth`` where playback started, in bit/s, and
    ``capability`` what the device plays.
    """

    profile: str
    rule: int | None
    start_bandwidth: int
    capability: Capability


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class Facts:
    """Everything that a decision depends on, besides the policy and the asset's source.

    ``throughput`` None means that no speed is known; a ``prior`` only selects the rung to start on.
    ``limits`` are those of the request and of its token together, and ``granted`` those of a token
    that is stricter in something.
    ``ect`` is the browser's hint, such as ``4g``. ``minute_of_day`` counts from 00:00 in the
    policy's time zone. ``viewer`` identifies the viewer for the choice of an edge (the session, or
    the network prefix of the address) and never leaves the process. ``named`` is the id of the
    session as the player sends it; ``session`` is another one where that is not its own.
    ``placed_on`` is the id of the edge from which this session already plays this asset.
    ``network`` is that of the address, and never leaves the process either. ``poor_edges`` are the
    ids of edges on which the viewers of this network report trouble. ``record`` is the state of the
    session, including what this request measured; None without a session. ``pinned`` is what was
    fixed before; None at first. ``kept`` is False when the client's network begins too many
    sessions: nothing is kept of this request.
    """

    asset: str
    device: Device
    place: Place
    throughput: Throughput | None = None
    save_data: bool = False
    ect: str | None = None
    limits: Limits = Limits()
    granted: Limits = Limits()
    session: str | None = None
    named: str | None = None
    viewer: str = ""
    minute_of_day: int = 0
    placed_on: str | None = None
    network: str = ""
    record: SessionRecord | None = None
    poor_edges: frozenset[str] = frozenset()
    reasons: tuple[Reason, ...] = ()
    pinned: Pinned | None = None
    kept: bool = True

    @property
    def measured_kbps(self) -> float | None:
        """The speed in kbit/s as far as it is about this viewer; a prior is about the network."""
        speed = self.throughput
        return None if speed is None or speed.source == "prior" else speed.kbps
