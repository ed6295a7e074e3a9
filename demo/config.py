"""Writes the config of the demo's gateway: the shipped rules, and an origin and three edges on
loopback."""

import json
from collections.abc import Sequence
from pathlib import Path

from demo.edges import HOST, RunningEdge

CATALOGUE = Path(__file__).parent / "catalogue"
"""The titles of the demo, one folder each."""

_TEMPLATE = """\
# Written by `gateway demo` at every start: the shipped defaults, with the demo's source and edges.

[server]
host = {host}
port = {port}
trusted_proxies = ["127.0.0.0/8"]  # so that the demo page can claim addresses elsewhere
show_reasons = true  # the page shows them

[admin]
host = {host}
port = {admin_port}

[store]
url = {store}

[source]
kind = "origin"
url = {origin}

[log]
level = "warning"
format = "console"
"""

_EDGE = """
[[edges]]  # {city}
id = {id}
url = {url}
latitude = {latitude}
longitude = {longitude}
continents = {continents}
fallback = {fallback}
health_url = "healthz"
"""

FOR_THE_PAGE = """
[events]
enabled = true  # for `gateway stats`

# Shorter times than the shipped ones, so that what the page does shows soon.
[steering]
ttl_s = 5
ttl_jitter = 0
dwell_s = 5
leave_s = 5

[health]
slow_start_s = 5

[capacity]
lease_s = 60
"""


def config_text(
    origin: str,
    edges: Sequence[RunningEdge],
    port: int,
    admin_port: int,
    *,
    store: str = "embedded",
    capacity_mbps: int | None = None,
) -> str:
    """The ``gateway.toml`` of the demo: titles of the origin at a URL, served by ``edges``, of
    which each has a capacity if one is given."""
    values = {
        "host": HOST,
        "port": port,
        "admin_port": admin_port,
        "origin": origin,
        "store": store,
    }
    text = _TEMPLATE.format(**{key: _toml(value) for key, value in values.items()})
    for running in edges:
        edge = running.edge
        members = {
            "id": edge.id,
            "url": running.url,
            "latitude": edge.latitude,
            "longitude": edge.longitude,
            "continents": list(edge.continents),
            "fallback": edge.fallback,
        }
        text += _EDGE.format(
            city=edge.city, **{key: _toml(value) for key, value in members.items()}
        )
        if capacity_mbps is not None:
            text += f"capacity_mbps = {capacity_mbps}\n"
    return text


def _toml(value: object) -> str:
    """Write a string, number, boolean or list of strings, which are the same in JSON and TOML."""
    return json.dumps(value, ensure_ascii=False)
