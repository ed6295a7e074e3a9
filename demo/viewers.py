"""Who the viewers of the demo page pretend to be: devices, places and networks.

A browser sets neither its own User-Agent nor its client hints. So the page names a device in the
header ``Demo-Viewer``, and the demo's front (:mod:`demo.front`) forwards the request as that device
would send it. Edges read the same header to pace what they send to this viewer.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass, field

from demo.token_bucket import Bucket

HEADER = "demo-viewer"
_ID = re.compile(r"[\w-]{1,64}\Z", re.ASCII)
_MAX_KBPS = 1_000_000
_BURST_S = 0.05
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"


@dataclass(frozen=True, slots=True)
class Device:
    """A device: its name on the page and its User-Agent, and its client hints by name."""

    name: str
    user_agent: str
    hints: dict[str, str] = field(default_factory=dict)


def _chromium_hints(platform: str, *, mobile: bool) -> dict[str, str]:
    return {
        "sec-ch-ua": '"Chromium";v="140", "Google Chrome";v="140"',
        "sec-ch-ua-mobile": "?1" if mobile else "?0",
        "sec-ch-ua-platform": f'"{platform}"',
    }


DEVICES = {
    "phone": Device(
        "Phone (Android)",
        f"Mozilla/5.0 (Linux; Android 14; SM-S918B) {_CHROME} Mobile Safari/537.36",
        _chromium_hints("Android", mobile=True),
    ),
    "tablet": Device(
        "Tablet (Android)",
        f"Mozilla/5.0 (Linux; Android 14; SM-X710) {_CHROME} Safari/537.36",
        _chromium_hints("Android", mobile=False),
    ),
    "laptop": Device(
        "Laptop (Windows)",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
        _chromium_hints("Windows", mobile=False),
    ),
    "tv": Device(
        "Television (Tizen)",
        "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.5) AppleWebKit/537.36 (KHTML, like Gecko) "
        "85.0.4183.93/6.5 TV Safari/537.36",
    ),
}
"""By the name in the header. A television sends no client hints."""

# Public addresses of universities, registries and carriers, which have not moved for years.
PLACES = (
    ("Dhaka", "103.4.145.245"),
    ("Oslo", "129.240.2.6"),
    ("Berlin", "141.20.1.1"),
    ("Lagos", "102.89.23.1"),
    ("Cape Town", "137.158.1.1"),
    ("Illinois", "128.174.5.6"),
    ("São Paulo", "200.160.2.3"),
    ("Delhi", "14.139.34.1"),
    ("Hanoi", "203.162.4.1"),
    ("Tokyo", "133.11.1.1"),
    ("Brisbane", "130.102.1.1"),
)

NETWORKS = (
    ("2G, 250 kbit/s", 250),
    ("3G, 1.6 Mbit/s", 1600),
    ("4G, 8 Mbit/s", 8000),
    ("DSL, 16 Mbit/s", 16_000),
    ("Fibre, 90 Mbit/s", 90_000),
)

PRESETS = (
    ("Phone in Dhaka on 2G", "phone", "Dhaka", 250),
    ("Tablet in Lagos on 3G", "tablet", "Lagos", 1600),
    ("Laptop in Berlin on DSL", "laptop", "Berlin", 16_000),
    ("Television in Oslo on fibre", "tv", "Oslo", 90_000),
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a request says in ``Demo-Viewer``: ``id=a1, device=phone, kbps=250``. ``id`` names the
    page; without ``device`` it is the browser itself, without ``kbps`` the network is not paced."""

    id: str = ""
    device: str | None = None
    kbps: int | None = None

    @classmethod
    def parse(cls, value: str) -> "Viewer":
        """Raises ValueError, whose message names what is wrong and what is allowed."""
        members = dict[str, str]()
        for member in value.split(","):
            name, _, given = member.strip().partition("=")
            members[name] = given
        identity, device, kbps = members.get("id", ""), members.get("device"), members.get("kbps")
        if not _ID.match(identity):
            raise ValueError(f"id={identity!r} is not allowed: 1 to 64 of A-Z a-z 0-9 _ -")
        if device is not None and device not in DEVICES:
            raise ValueError(f"device={device!r} is not allowed: {', '.join(DEVICES)}")
        if kbps is None:
            return cls(identity, device)
        if not (kbps.isascii() and kbps.isdigit() and 1 <= int(kbps[:9]) <= _MAX_KBPS):
            raise ValueError(f"kbps={kbps!r} is not allowed: 1 to {_MAX_KBPS}")
        return cls(identity, device, int(kbps))


class Networks:
    """The networks of the viewers: one bucket each, for what all edges and the gateway send to it.
    The latest request says how fast it is. The least recently used is forgotten beyond ``most``."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def of(self, viewer: Viewer) -> Bucket:
        """The network of ``viewer``, now at the rate that it says."""
        bucket = self._buckets.setdefault(viewer.id, Bucket(burst_s=_BURST_S))
        self._buckets.move_to_end(viewer.id)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        bucket.bytes_per_s = None if viewer.kbps is None else viewer.kbps * 125
        return bucket
