"""What may a single value be? Named types that check one value and describe what is allowed.

Text, numbers and booleans are never converted into each other: ``port = "8080"`` is an error.
Error messages and the reference take their descriptions from :class:`Allowed`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, Strict

from gateway.client.device.rule import check_match
from gateway.config import validators


@dataclass(frozen=True, slots=True)
class Allowed:
    """A description of the allowed values."""

    text: str


@dataclass(frozen=True, slots=True)
class NeedsRestart:
    """Marks a key or a section that is read only when the gateway starts."""


RESTART: Final = NeedsRestart()


Flag = Annotated[bool, Strict(), Allowed("true or false")]
Text = Annotated[str, Field(min_length=1, max_length=200), Allowed("text of 1 to 200 characters")]

Port = Annotated[
    int, Strict(), Field(ge=0, le=65535), Allowed("a whole number from 0 (any free port) to 65535")
]
Workers = Annotated[int, Strict(), Field(ge=1, le=256), Allowed("a whole number from 1 to 256")]
Seconds = Annotated[
    int, Strict(), Field(ge=0, le=31_536_000), Allowed("whole seconds from 0 to 31536000")
]
TimeToLive = Annotated[
    int, Strict(), Field(ge=1, le=31_536_000), Allowed("whole seconds from 1 to 31536000")
]
Milliseconds = Annotated[
    int, Strict(), Field(ge=1, le=60_000), Allowed("whole milliseconds from 1 to 60000")
]
Bytes = Annotated[
    int, Strict(), Field(ge=0, le=2**40), Allowed("a whole number of bytes from 0 to 2^40")
]
SizeLimit = Annotated[
    int, Strict(), Field(ge=256, le=2**30), Allowed("a whole number of bytes from 256 to 2^30")
]
Connections = Annotated[
    int, Strict(), Field(ge=1, le=1_000_000), Allowed("a whole number from 1 to 1000000")
]
BitRate = Annotated[
    int, Strict(), Field(ge=1, le=10_000_000), Allowed("whole kbit/s from 1 to 10000000")
]
Pixels = Annotated[int, Strict(), Field(ge=1, le=65_535), Allowed("whole pixels from 1 to 65535")]
FrameRate = Annotated[
    float, Strict(), Field(gt=0, le=1000), Allowed("frames per second, above 0 and up to 1000")
]
Rungs = Annotated[int, Strict(), Field(ge=1, le=100), Allowed("a whole number from 1 to 100")]
Share = Annotated[
    float, Strict(), Field(gt=0, le=1), Allowed("a share above 0 and up to 1, such as 0.8")
]
Confidence = Annotated[
    float, Strict(), Field(ge=0, le=1), Allowed("a confidence from 0 to 1, such as 0.5")
]
SampleAge = Annotated[
    int, Strict(), Field(ge=1, le=43_200), Allowed("whole seconds from 1 to 43200")
]
SampleSpacing = Annotated[int, Strict(), Field(ge=1, le=60), Allowed("whole seconds from 1 to 60")]
SpeedFactor = Annotated[
    float, Strict(), Field(ge=1, le=1000), Allowed("a factor from 1 to 1000, such as 10")
]
PriorViewers = Annotated[
    int, Strict(), Field(ge=10, le=200), Allowed("a whole number from 10 to 200")
]
PriorWindow = Annotated[
    int, Strict(), Field(ge=600, le=86_400), Allowed("whole seconds from 600 to 86400")
]
PriorNetworks = Annotated[
    int, Strict(), Field(ge=1, le=100_000), Allowed("a whole number from 1 to 100000")
]
Capacity = Annotated[
    float, Strict(), Field(gt=0, le=100_000_000), Allowed("Mbit/s, above 0 and up to 100000000")
]
EventStreamLength = Annotated[
    int, Strict(), Field(ge=100, le=10_000_000), Allowed("a whole number from 100 to 10000000")
]
EventBatch = Annotated[
    int, Strict(), Field(ge=1, le=1000), Allowed("a whole number from 1 to 1000")
]
EventQueueLength = Annotated[
    int, Strict(), Field(ge=1, le=1_000_000), Allowed("a whole number from 1 to 1000000")
]
Weight = Annotated[int, Strict(), Field(ge=1, le=10_000), Allowed("a whole number from 1 to 10000")]
Latitude = Annotated[
    float, Strict(), Field(ge=-90, le=90), Allowed("degrees from -90 (south) to 90 (north)")
]
Longitude = Annotated[
    float, Strict(), Field(ge=-180, le=180), Allowed("degrees from -180 (west) to 180 (east)")
]
Asn = Annotated[
    int, Strict(), Field(ge=1, le=2**32 - 1), Allowed("an AS number from 1 to 4294967295")
]

Host = Annotated[
    str, AfterValidator(validators.host), Allowed("a host name or an IP address, such as 0.0.0.0")
]
DnsName = Annotated[
    str,
    AfterValidator(validators.dns_name),
    Allowed("a DNS name, such as edges.example.com or _http._tcp.edges.example.com"),
]
Resolver = Annotated[
    str,
    AfterValidator(validators.resolver),
    Allowed("an IP address, or address:port, such as 10.0.0.53, 10.0.0.53:5353 or [::1]:5353"),
]
Network = Annotated[
    str, AfterValidator(validators.network), Allowed("an IPv4 or IPv6 network, such as 10.0.0.0/8")
]
FolderUrl = Annotated[
    str,
    AfterValidator(validators.folder_url),
    Allowed("an absolute http(s) URL, such as https://cdn.example.com/videos/"),
]
ProbeUrl = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(validators.probe_url),
    Allowed("a path such as healthz or /healthz, or an absolute http(s) URL"),
]
ProbePath = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(validators.probe_path),
    Allowed("a relative path, such as live/1080p.m3u8"),
]
ProbeCount = Annotated[int, Strict(), Field(ge=1, le=100), Allowed("a whole number from 1 to 100")]
ProbeInterval = Annotated[
    int, Strict(), Field(ge=100, le=3_600_000), Allowed("whole milliseconds from 100 to 3600000")
]
StaleFactor = Annotated[
    float, Strict(), Field(ge=1, le=1000), Allowed("target durations, from 1 to 1000")
]
HostName = Annotated[
    str,
    AfterValidator(validators.host_name),
    Allowed('"*" or a host name without a port, such as gateway.internal'),
]
HeaderName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"),
    Allowed("the name of a header, such as X-My-App"),
]
WebOrigin = Annotated[
    str,
    AfterValidator(validators.origin),
    Allowed('"*" or an origin, such as https://www.example.com'),
]
StoreUrl = Annotated[
    SecretStr,
    AfterValidator(validators.store_url),
    Allowed("embedded, memory, or a URL that starts with redis://, rediss:// or unix://"),
]
Secret = Annotated[
    SecretStr,
    AfterValidator(validators.secret),
    Allowed("a secret of 1 to 4096 printable ASCII characters, without spaces"),
]
Country = Annotated[
    str, AfterValidator(validators.country_code), Allowed("an ISO 3166-1 alpha-2 code, such as GB")
]
TimeZone = Annotated[
    str,
    AfterValidator(validators.time_zone),
    Allowed("a name of the IANA database, such as Europe/Oslo"),
]
TimeOfDay = Annotated[
    str,
    AfterValidator(validators.time_of_day),
    Allowed("from-to as HH:MM-HH:MM, such as 22:00-06:00"),
]
Pattern = Annotated[
    str,
    AfterValidator(check_match),
    Allowed("a regular expression of 1 to 512 characters without look-around or back-references"),
]
SourcePath = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(validators.source_path),
    Allowed("a relative path that contains {asset}, such as {asset}/master.m3u8"),
]
RungPath = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(validators.rung_path),
    Allowed("a relative path that contains {name}, such as {name}/playlist.m3u8"),
]
# A profile's name is a token of the Gateway-Decision header (RFC 9651, section 3.3.4).
ProfileName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"),
    Allowed("a letter, then up to 63 letters, digits, or any of _ . -"),
]
# An edge's id is also a pathway id (rule C1.2).
EdgeId = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"),
    Allowed("a letter or digit, then up to 63 letters, digits, or any of _ . -"),
]
RungName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}$"),
    Allowed("1 to 64 letters, digits, or any of . _ ~ -, not starting with a dot"),
]
Codecs = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9.-]+(,[A-Za-z0-9.-]+)*$", max_length=200),
    Allowed("RFC 6381 codecs with commas, such as avc1.64001f,mp4a.40.2"),
]
AssetPrefix = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9._~-][A-Za-z0-9._~/-]{0,511}$"),
    AfterValidator(validators.asset_prefix),
    Allowed("the start of an asset id, such as kids/"),
]
ConfigFile = Annotated[Path, AfterValidator(validators.file), Allowed("a file")]
CertificateFile = Annotated[
    Path,
    AfterValidator(validators.certificates),
    Allowed("a file of certificates in PEM"),
]
GeoDatabase = Annotated[
    Path,
    AfterValidator(validators.database),
    Allowed('"embedded", or a City or Country .mmdb file'),
]
ConfigFolder = Annotated[Path, AfterValidator(validators.folder), Allowed("a folder")]
