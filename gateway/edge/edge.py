"""What is an edge?"""

from dataclasses import dataclass, field
from hashlib import blake2b
from math import cos, radians, sin

from geodata.place import Continent

Vector = tuple[float, float, float]


def unit_vector(latitude: float, longitude: float) -> Vector:
    """The point of the unit sphere at WGS 84 degrees."""
    north, east = radians(latitude), radians(longitude)
    return cos(north) * cos(east), cos(north) * sin(east), sin(north)


def stable_hash(text: str) -> int:
    """64 bits that are the same in every process and release. Any text goes, lone surrogates
    included: a viewer's name is the player's own."""
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


@dataclass(frozen=True, slots=True)
class Edge:
    """A CDN edge that serves what the source has, under ``url`` (absolute, ends with ``/``).

    ``latitude`` and ``longitude`` are WGS 84 degrees, both or neither. ``countries`` (ISO 3166-1
    alpha-2) and ``continents`` are served first. ``weight`` shares viewers among equal edges.
    ``fallback`` edges serve when the place is unknown. ``capacity_kbps`` bounds the expected bit
    rates of the sessions placed on it, in kbit/s; None is no bound. ``template`` is the id of the
    table that the edge was made from by DNS; None for an edge that stands for itself.

    ``key`` is 64 bits of the id's hash, ``direction`` points from the Earth's centre to the edge,
    and ``identity`` differs where anything that ranking depends on does; all follow from the rest.
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
    key: int = field(init=False, repr=False, compare=False)
    direction: Vector | None = field(init=False, repr=False, compare=False)
    identity: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every ranking needs."""
        object.__setattr__(self, "key", stable_hash(self.id))
        known = self.latitude is not None and self.longitude is not None
        vector = unit_vector(self.latitude or 0.0, self.longitude or 0.0) if known else None
        object.__setattr__(self, "direction", vector)
        served = (sorted(self.countries), sorted(self.continents), self.weight, self.fallback)
        told = repr((self.id, self.url, self.latitude, self.longitude, *served))
        object.__setattr__(self, "identity", blake2b(told.encode(), digest_size=8).digest())
