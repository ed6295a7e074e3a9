"""Real MMDB files to test with, written by ``mmdb_writer``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

Networks = Mapping[str, Any]


def write_mmdb(path: Path, database_type: str, networks: Networks, ip_version: int = 6) -> Path:
    """Write an MMDB of a type, with one record per network in CIDR notation."""
    writer = MMDBWriter(
        ip_version=ip_version,
        database_type=database_type,
        languages=["en"],
        ipv4_compatible=ip_version == 6,
    )
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


MINNEAPOLIS: dict[str, Any] = {
    "city": {"geoname_id": 5037649, "names": {"en": "Minneapolis"}},
    "continent": {"code": "NA", "names": {"en": "North America"}},
    "country": {"iso_code": "US", "names": {"en": "United States"}},
    "location": {
        "latitude": 44.98,
        "longitude": -93.26,
        "accuracy_radius": 20,
        "time_zone": "America/Chicago",
    },
    "postal": {"code": "55401"},
    "registered_country": {"iso_code": "US", "names": {"en": "United States"}},
    "subdivisions": [{"iso_code": "MN", "names": {"en": "Minnesota"}}],
}
GERMANY: dict[str, Any] = {"continent": {"code": "EU"}, "country": {"iso_code": "DE"}}
