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
url = "embedded"

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


def config_text(origin: str, edges: Sequence[RunningEdge], port: int, admin_port: int) -> str:
    """The ``gateway.toml`` of the demo: titles of the origin at a URL, served by ``edges``."""
    values = {"host": HOST, "port": port, "admin_port": admin_port, "origin": origin}
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
    return text


def _toml(value: object) -> str:
    """Write a string, number, boolean or list of strings, which are the same in JSON and TOML."""
    return json.dumps(value, ensure_ascii=False)
