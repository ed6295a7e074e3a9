"""How are CMCD reports configured?"""

from typing import Annotated

from pydantic import Field

from gateway.config.fields import Allowed, Flag, Milliseconds, SizeLimit
from gateway.config.section import Section

ReportRate = Annotated[
    int, Field(strict=True, ge=1, le=1_000_000), Allowed("a whole number from 1 to 1000000")
]
CdnName = Annotated[
    str, Field(pattern=r"^[!-~]{1,64}$"), Allowed("1 to 64 ASCII characters without spaces")
]
ErrorCode = Annotated[
    str, Field(pattern=r"^[!-~]{1,32}$"), Allowed("1 to 32 ASCII characters without spaces")
]


CmsdName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9._:/-]{0,64}$"),
    Allowed("up to 64 letters, digits, or any of . _ : / -; empty for none"),
]
CmcdKey = Annotated[
    str,
    Field(pattern=r"^[a-z*][a-z0-9_.*-]{0,63}$"),
    Allowed("a key of CMCD, such as mtp or com.example-key"),
]
StreamLength = Annotated[
    int, Field(strict=True, ge=100, le=10_000_000), Allowed("a whole number from 100 to 10000000")
]


Viewers = Annotated[int, Field(strict=True, ge=1, le=200), Allowed("a whole number from 1 to 200")]


class CmcdSettings(Section):
    """Reports that players send to `/v1/cmcd` (`docs/cmcd.md`)."""

    enabled: Flag
    """Use the reports. `false` answers them and reads none."""
    network_reports_per_s: ReportRate
    """Most reports that each worker reads of one network of clients (an IPv4 /24 or an IPv6 /56),
    on average. For a moment it may send ten times as many."""
    keep_playback: Flag
    """Keep with a session what its player reports of playback: state, CDN, stalls, errors and start
    delay."""
    cdn_names: tuple[CdnName, ...]
    """Names of CDNs that are kept as they are, besides the ids of edges. Others are not kept."""
    error_codes: tuple[ErrorCode, ...]
    """Error codes that are kept as they are. Others are counted."""
    avoid_poor_edges: Flag
    """Rank an edge last for new viewers of a network whose other viewers report trouble on it."""
    poor_edge_viewers: Viewers
    """Fewest viewers of a network on an edge, and on its other edges together, that are
    compared."""
    slow_start_ms: Milliseconds
    """A start delay above this is trouble, as stalls and errors are, in milliseconds."""
    queue_bytes: SizeLimit
    """Total size of the reports that wait in each worker to be read, in bytes. More are dropped."""
    stream: Flag
    """Write the reports to a Redis Stream for other programs. The store must be `embedded` or a
    Redis."""
    stream_keys: tuple[CmcdKey, ...]
    """Keys of reports that are written there. The shipped ones hold no text of players."""
    stream_max_length: StreamLength
    """Approximate number of reports kept in the stream. The oldest are removed."""
    cmsd_name: CmsdName
    """Name of the gateway in the header `CMSD-Dynamic` of manifest answers, which tells players the
    estimated throughput (`etp`) and the highest bit rate (`mb`). Empty for no such header."""
