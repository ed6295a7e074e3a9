"""What is an edge?"""

from dataclasses import dataclass, field
from hashlib import blake2b
from math import cos, radians, sin

from gateway.edge.edge_url import host_of, shape_of, signed_shape
from gateway.edge.signing import EdgeSigning
from geodata.place import Continent

Vector = tuple[float, float, float]


def unit_vector(latitude: float, longitude: float) -> Vector:
    """The point of the unit sphere at these WGS 84 degrees."""
    north, east = radians(latitude), radians(longitude)
    return cos(north) * cos(east), cos(north) * sin(east), sin(north)


def stable_hash(text: str) -> int:
    """A hash of 64 bits that is the same in every process and release.

    ``text`` may hold lone surrogates, since the names of viewers are chosen by players.
    """
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


def edge_tag(key: int) -> int:
    """The 16 bits of an edge's key that stand for it in the states of sessions."""
    return key & 0xFFFF


@dataclass(frozen=True, slots=True)
class Edge:
    """A CDN edge that serves the source's media below ``url`` (absolute, ends with ``/``).

    ``latitude`` and ``longitude`` are WGS 84 degrees, both or neither. Viewers in ``countries``
    (ISO 3166-1 alpha-2) and ``continents`` prefer this edge. ``weight`` divides viewers among equal
    edges. ``fallback`` edges serve viewers whose place is unknown. ``capacity_kbps`` limits the sum
    of the expected bit rates of the sessions placed on the edge; None means no limit.
    ``health_url`` and ``health_playlist`` say what probes request. ``template`` is the id of the
    ``[[edges]]`` table with a DNS name from which this edge was made; None for other edges.
    ``signing`` signs the URLs of an edge that serves nothing without a signature.

    Nine fields are computed from the others: ``key`` is a 64-bit hash of the id, ``direction``
    points from the Earth's centre to the edge, and ``identity`` differs between two edges when
    anything that ranking depends on differs. ``host`` and ``shape`` say whether content steering
    can move a session from one edge to another (:mod:`gateway.edge.edge_url`). ``tag`` and
    ``host_tag`` are 16 bits of hashes of the id, and of where the edge is: host, port, scheme and
    path. The latter is never 0. ``signed_tag`` depends on the signing as well. ``url_signing`` is
    the signing when signatures are in URLs, None when there are none or they are in cookies.
    """

    id: str
    url: str
    latitude: float | None = None
    longitude: float | None = None
    countries: frozenset[str] = frozenset()
    continents: frozenset[Continent] = frozenset()
    weight: int = 100
    fallback: bool = False
    capacity_kbps: int | None = None
    health_url: str | None = None
    health_playlist: str | None = None
    template: str | None = None
    signing: EdgeSigning | None = None
    key: int = field(init=False, repr=False, compare=False)
    direction: Vector | None = field(init=False, repr=False, compare=False)
    identity: bytes = field(init=False, repr=False, compare=False)
    host: str | None = field(init=False, repr=False, compare=False)
    shape: int = field(init=False, repr=False, compare=False)
    tag: int = field(init=False, repr=False, compare=False)
    host_tag: int = field(init=False, repr=False, compare=False)
    signed_tag: int = field(init=False, repr=False, compare=False)
    url_signing: EdgeSigning | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compute once what every ranking needs."""
        object.__setattr__(self, "key", stable_hash(self.id))
        known = self.latitude is not None and self.longitude is not None
        vector = unit_vector(self.latitude or 0.0, self.longitude or 0.0) if known else None
        object.__setattr__(self, "direction", vector)
        served = (sorted(self.countries), sorted(self.continents), self.weight, self.fallback)
        ranked_by = repr((self.id, self.url, self.latitude, self.longitude, *served))
        object.__setattr__(self, "identity", blake2b(ranked_by.encode(), digest_size=8).digest())
        object.__setattr__(self, "host", host_of(self.url))
        shape, signing = shape_of(self.url), self.signing
        object.__setattr__(self, "tag", edge_tag(self.key))
        there = f"{self.host or self.url}\0{shape}"
        object.__setattr__(self, "host_tag", stable_hash(there) % 0xFFFF + 1)
        signed_tag = self.host_tag
        if signing is not None and signing.signer.carrier != "path":
            signing = None
        object.__setattr__(self, "url_signing", signing)
        if signing is not None:
            shape = signed_shape(shape, self.url, signing)
            signed_tag = (signed_tag + stable_hash(signing.id)) % 0xFFFF
        object.__setattr__(self, "signed_tag", signed_tag)
        object.__setattr__(self, "shape", shape)
