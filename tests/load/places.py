"""Where are the players? Addresses of access networks on six continents, IPv4 and IPv6.

The networks are large ones that the regional registries have delegated there; a GeoIP database
places a few of their addresses elsewhere, and does not know some, as it is with real traffic.
"""

import random
from ipaddress import IPv4Network, IPv6Network, ip_network

_NETWORKS = {
    "AF": "41.0.0.0/8 102.0.0.0/8 105.0.0.0/8 154.64.0.0/10 196.192.0.0/11 197.0.0.0/8 "
    "2c0f:f000::/22",
    "AS": "14.96.0.0/11 27.0.0.0/9 36.96.0.0/11 39.32.0.0/11 42.96.0.0/11 49.32.0.0/11 58.0.0.0/8 "
    "59.88.0.0/13 61.0.0.0/8 106.192.0.0/10 110.32.0.0/11 117.192.0.0/10 126.0.0.0/8 "
    "182.160.0.0/11 202.0.0.0/7 219.0.0.0/8 2409:4000::/22 240e::/20",
    "EU": "2.0.0.0/8 31.0.0.0/8 46.0.0.0/8 62.0.0.0/8 77.0.0.0/8 78.0.0.0/7 80.0.0.0/5 88.0.0.0/6 "
    "109.0.0.0/8 151.0.0.0/10 178.0.0.0/8 188.0.0.0/8 193.0.0.0/8 213.0.0.0/8 217.0.0.0/8 "
    "2003::/19 2a00:23c0::/26 2a01:e00::/26",
    "NA": "12.0.0.0/8 23.112.0.0/12 24.0.0.0/8 47.128.0.0/10 63.0.0.0/8 65.0.0.0/8 66.0.0.0/7 "
    "68.0.0.0/7 70.0.0.0/7 72.0.0.0/7 75.0.0.0/8 96.0.0.0/6 107.0.0.0/9 173.0.0.0/8 "
    "187.128.0.0/10 201.96.0.0/11 2600:1000::/28 2601::/20 2605:a600::/32",
    "OC": "1.120.0.0/13 14.200.0.0/14 49.176.0.0/12 58.104.0.0/13 60.224.0.0/12 101.160.0.0/11 "
    "110.140.0.0/14 120.144.0.0/12 121.208.0.0/12 122.56.0.0/14 203.0.0.0/10 2001:8000::/20",
    "SA": "152.168.0.0/13 168.194.0.0/16 177.0.0.0/8 179.0.0.0/8 181.0.0.0/9 186.0.0.0/8 "
    "190.0.0.0/8 191.0.0.0/9 200.0.0.0/9 2800:100::/24 2804::/16",
}
_SHARES = {"AF": 10, "AS": 34, "EU": 22, "NA": 20, "OC": 4, "SA": 10}
"""In percent of all requests."""

NETWORKS: dict[str, tuple[IPv4Network | IPv6Network, ...]] = {
    continent: tuple(ip_network(network) for network in networks.split())
    for continent, networks in _NETWORKS.items()
}


def address(randomness: random.Random) -> str:
    """The address of somebody, anywhere."""
    (continent,) = randomness.choices(tuple(_SHARES), tuple(_SHARES.values()))
    network = randomness.choice(NETWORKS[continent])
    return str(network[randomness.randrange(network.num_addresses)])
