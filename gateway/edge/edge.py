"""What is an edge?"""

from dataclasses import dataclass

from geodata.place import Continent


@dataclass(frozen=True, slots=True)
class Edge:
    """A CDN edge that serves what the source has, under ``url`` (absolute, ends with ``/``).

    ``latitude`` and ``longitude`` are WGS 84 degrees, both or neither. ``countries`` (ISO 3166-1
    alpha-2) and ``continents`` are served first. ``weight`` shares viewers among equal edges.
    ``fallback`` edges serve when the place is unknown.
    """

    id: str
    url: str
    latitude: float | None = None
    longitude: float | None = None
    countries: frozenset[str] = frozenset()
    continents: frozenset[Continent] = frozenset()
    weight: int = 100
    fallback: bool = False
