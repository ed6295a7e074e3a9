"""Do the parts of a configuration fit together?

The checks read the tables as they were written, not the validated settings, so that their problems
are reported together with those that the schema finds. The schema reports values of a wrong type.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Final

from gateway.client.estimate import MAX_KBPS, MIN_KBPS
from gateway.config.class_check import check_classes
from gateway.config.operator_check import check_operators
from gateway.config.problem import ConfigProblem, KeyPath, nearest, shown, written
from gateway.config.read import read_defaults
from gateway.config.token_check import check_tokens
from geodata.regions import continent_of

_OTLP_EXTRA: Final = "opentelemetry.exporter.otlp.proto.http"
_LOCATION_OF: Final = {"directory": "root", "origin": "url"}
_KINDS: Final = {"generated", *_LOCATION_OF}


def check(
    tables: Mapping[str, Any], source_of: Callable[[KeyPath], str]
) -> Iterator[ConfigProblem]:
    """All problems between keys. ``source_of`` returns what set the value at a path."""

    def problem(path: KeyPath, text: str, **more: Any) -> ConfigProblem:  # noqa: ANN401
        return ConfigProblem(written(path), text, source=source_of(path), **more)

    yield from _listeners(tables, problem)
    yield from check_operators(tables, problem)
    yield from _source(tables, problem)
    yield from _templates(tables, problem)
    yield from _origins(tables, problem)
    yield from _profiles(tables, problem)
    yield from _rules(tables, problem)
    yield from _edges(tables, problem)
    yield from _bit_rates(tables, (), problem)
    yield from _proxies(tables, problem)
    yield from _events(tables, problem)
    yield from _public_url(tables, problem)
    yield from _otlp(tables, problem)
    yield from _keys(tables, ("keys", "ring"), problem)
    yield from _keys(tables, ("registry", "keys"), problem)
    yield from _cookies(tables, problem)
    yield from _lifetimes(tables, problem)
    yield from check_tokens(tables, problem)
    yield from check_classes(tables, problem)
    for path, key in (
        (("edges",), "id"),
        (("ladder", "rungs"), "name"),
        (("devices",), "name"),
        (("keys", "ring"), "id"),
        (("registry", "keys"), "id"),
        (("admin", "keys"), "id"),
        (("tokens", "keys"), "id"),
        (("tokens", "protect"), "asset_prefix"),
        (("admin", "services"), "id"),
    ):
        yield from _duplicates(tables, path, key, problem)


_LONG_FILM_S: Final = 14_400
"""How long the longest films last with pauses, in seconds."""
_HIGHEST_KBPS: Final = 500_000
"""Higher bit rates than any video has, in kbit/s, are probably meant as bit/s."""
_ProblemOf = Callable[..., ConfigProblem]


def _listeners(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    port = _at(tables, ("admin", "port"))
    if _at(tables, ("admin", "enabled")) is True and port == _at(tables, ("server", "port")) != 0:
        yield problem(
            ("admin", "port"),
            "is also server.port",
            value=shown(port),
            allowed="another port, or admin.enabled = false",
        )


def _source(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    kind = _at(tables, ("source", "kind"))
    for of_kind, key in _LOCATION_OF.items():
        given = _at(tables, ("source", key)) is not None
        if kind == of_kind and not given and not (kind == "origin" and tables.get("origins")):
            yield problem(("source", key), f'is missing; source.kind is "{kind}"')
        elif given and kind in _KINDS and kind != of_kind:
            yield problem(
                ("source", key), f"is not used; source.kind is {shown(kind)}", severity="warning"
            )


def _origins(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    listed = _items(tables, ("origins",))
    if listed and _at(tables, ("source", "kind")) in _KINDS - {"origin"}:
        yield problem(("origins",), 'is not used; source.kind is not "origin"', severity="warning")
        return
    if listed and _at(tables, ("source", "url")) is not None:
        yield problem(
            ("source", "url"), "is set, and so is [[origins]]; only one of them is allowed"
        )
    if listed and all("asset_prefix" in origin for _, origin in listed):
        text = "all have an asset_prefix; assets with other prefixes are not found"
        yield problem(("origins",), text, severity="warning")
    for path in (("source",), *(("origins", position) for position, _ in listed)):
        origin = _at(tables, path)
        plain = isinstance(origin, dict) and str(origin.get("url", "")).startswith("http://")
        if plain and ("bearer_token" in origin or _at(tables, ("origin", "bearer_token"))):
            text = "is not https; the bearer token is sent unencrypted"
            yield problem((*path, "url"), text, severity="warning")


def _profiles(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    profiles = tables.get("profiles")
    if not isinstance(profiles, dict):
        return
    uses: list[KeyPath] = [("policy", "default_profile")]
    uses += [("rules", position, "profile") for position, _ in _items(tables, ("rules",))]
    for path in uses:
        name = _at(tables, path)
        if isinstance(name, str) and name not in profiles:
            yield problem(
                path,
                "is not the name of a profile",
                value=shown(name),
                allowed=", ".join(profiles),
                suggestion=nearest(name, profiles),
            )


def _rules(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    has_asns = _at(tables, ("geo", "asn_database")) is not None
    for path in (("rules",), ("start", "rules")):
        rules = [
            (position, rule["when"])
            for position, rule in _items(tables, path)
            if isinstance(rule.get("when"), dict)
        ]
        whens, covered_by = dict(rules), dict(_unreached(rules))
        for position, when in rules:
            if position in covered_by:
                earlier = covered_by[position]
                text = f"is never reached; {written((*path, earlier))} matches every request"
                text += " that it matches" if whens[earlier] else ""
                yield problem((*path, position), text, severity="warning")
            for key, text in _never_true(when, has_asns=has_asns):
                yield problem((*path, position, "when", key), text, severity="warning")


def _unreached(rules: list[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, int]]:
    """The positions of rules that have all conditions of an earlier one, each with that of the
    first such rule. ``rules`` are positions and conditions."""
    first: dict[tuple[str, ...], dict[tuple[str, ...], int]] = {}
    for position, when in rules:
        values = {key: _in_any_order(when[key]) for key in sorted(when)}
        found = [
            known[given]
            for keys, known in first.items()
            if values.keys() >= set(keys) and (given := tuple(values[key] for key in keys)) in known
        ]
        if found:
            yield position, min(found)
        else:
            first.setdefault(tuple(values), {})[tuple(values.values())] = position


def _in_any_order(value: object) -> str:
    return repr(sorted(map(repr, value)) if isinstance(value, list) else value)


def _never_true(when: Mapping[str, Any], *, has_asns: bool) -> Iterator[tuple[str, str]]:
    """The conditions that no request meets, each with the reason."""
    if "asn" in when and not has_asns:
        yield "asn", "is never true; geo.asn_database is not set"
    if when.get("speed_below_kbps") == MIN_KBPS:
        yield "speed_below_kbps", f"is never true; no speed is below {MIN_KBPS} kbit/s"
    if when.get("speed_above_kbps") == MAX_KBPS:
        yield "speed_above_kbps", f"is never true; no speed is above {MAX_KBPS} kbit/s"
    countries, continents = when.get("country"), when.get("continent")
    if isinstance(countries, list) and isinstance(continents, list) and countries and continents:
        homes = [continent_of(str(code).upper()) for code in countries]
        if not any(home is None or home in continents for home in homes):
            text = (
                "is probably never true together with continent; none of these countries is there"
            )
            yield "country", text


def _edges(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    yield from _example_edges(tables, problem)
    yield from _same_edges(tables, problem)
    edges = [edge for _, edge in _items(tables, ("edges",))]
    if all(edge.get("fallback", False) is False for edge in edges) and edges:
        text = "has no edge with fallback = true; players in unknown places get any edge"
        yield problem(("edges",), text, severity="warning")


def _same_edges(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    first: dict[tuple[str, str], int] = {}
    for position, edge in _items(tables, ("edges",)):
        url = edge.get("url")
        if not isinstance(url, str):
            continue
        earlier = first.setdefault((url.rstrip("/"), repr(edge.get("dns"))), position)
        if earlier != position:
            text = f"is also {written(('edges', earlier, 'url'))}; two edges that are one "
            text += "fail together, and their capacity is that of one"
            yield problem(("edges", position, "url"), text, value=shown(url), severity="warning")


def _example_edges(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    """The shipped edges are examples: no real manifest has its media there."""
    kind = _at(tables, ("source", "kind"))
    if kind not in _LOCATION_OF:
        return
    examples = {edge["url"].rstrip("/"): edge["id"] for edge in read_defaults()["edges"]}
    listed = _items(tables, ("edges",))
    found = [
        position
        for position, edge in listed
        if isinstance(edge.get("url"), str) and edge["url"].rstrip("/") in examples
    ]
    why = f'; source.kind is "{kind}"'
    if found and len(found) == len(listed):
        text = f"are the shipped examples, which have no media{why}"
        yield problem(("edges",), text, allowed="your own [[edges]]")
        return
    for position in found:
        text = f"is a shipped example, which has no media{why}"
        yield problem(("edges", position, "url"), text, allowed="the URL of your own edge")


def _bit_rates(given: Any, path: KeyPath, problem: _ProblemOf) -> Iterator[ConfigProblem]:  # noqa: ANN401
    """Bit rates that were probably written in another unit, wherever they stand."""
    if isinstance(given, dict):
        for key, value in given.items():
            is_rate = key.endswith("bitrate_kbps") or key == "bandwidth_kbps"
            if is_rate and isinstance(value, int) and value >= _HIGHEST_KBPS:
                text = f"is {value // 1000:,} Mbit/s; the unit is kbit/s"
                yield problem((*path, key), text, value=shown(value), severity="warning")
            yield from _bit_rates(value, (*path, key), problem)
    elif isinstance(given, list):
        for position, item in enumerate(given):
            yield from _bit_rates(item, (*path, position), problem)


def _templates(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    path = ("source", "dash")
    given = _at(tables, path)
    if given is not None and given == _at(tables, ("source", "hls")):
        text = "is the same as source.hls; one file cannot be both"
        yield problem(path, text, value=shown(given), allowed="another path")


def _proxies(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    path = ("server", "trusted_proxies")
    networks = _at(tables, path)
    for position, network in enumerate(networks if isinstance(networks, list) else ()):
        if isinstance(network, str) and network.endswith("/0"):
            text = "lets every client claim any address"
            yield problem((*path, position), text, value=shown(network), severity="warning")


def _events(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    path = ("events", "enabled")
    if _at(tables, path) is True and _at(tables, ("store", "url")) == "memory":
        yield problem(path, 'writes nothing; store.url is "memory"', severity="warning")


def _public_url(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    """What is switched on without the URL that it needs."""
    if _at(tables, ("server", "public_url")) is not None:
        return
    for path, why in (
        (("steering", "inline"), "a data: URI cannot lead on to a path"),
        (("dash", "class_manifests"), "what caches keep may not depend on the Host of a request"),
    ):
        if _at(tables, path) is True:
            text = f"needs server.public_url; {why}"
            allowed = "false, or server.public_url as well"
            yield problem(path, text, value="true", allowed=allowed)


def _otlp(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    for key in ("endpoint", "traces_endpoint"):
        path = ("otlp", key)
        given = _at(tables, path)
        if isinstance(given, str) and not _is_installed(_OTLP_EXTRA):
            text = 'needs the extra "otlp" of the package (docs/metrics.md): pip install ".[otlp]"'
            yield problem(path, text, value=shown(given))


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent is there
        return False


def _keys(tables: Mapping[str, Any], path: KeyPath, problem: _ProblemOf) -> Iterator[ConfigProblem]:
    ring = _items(tables, path)
    active = [position for position, key in ring if key.get("status", "active") == "active"]
    if ring and not active:
        yield problem(path, "has no key whose status is active")
    for position in active[1:]:
        first = written((*path, active[0]))
        yield problem((*path, position, "status"), f"is active, and so is {first}; only one signs")


def _cookies(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    """Signatures of edges in cookies: players must take them from the gateway, and each edge needs
    its own."""
    url = _at(tables, ("server", "public_url"))
    host = "" if not isinstance(url, str) else url.partition("://")[2].partition("/")[0]
    first: dict[tuple[str, str, str], str] = {}
    if any(_at(edge, ("signing", "cookie_domain")) for _, edge in _items(tables, ("edges",))):
        yield from _cookie_answers(tables, problem)
    for position, edge in _items(tables, ("edges",)):
        where = ("edges", position, "signing", "cookie_domain")
        domain, edge_url = _at(tables, where), edge.get("url")
        if not isinstance(domain, str) or not isinstance(edge_url, str):
            continue
        if not f".{host.partition(':')[0]}".endswith(f".{domain}"):
            text = f"is no parent of server.public_url ({host or 'which is not set'})"
            allowed = "a parent domain of the edge and of the gateway, else players drop the cookie"
            yield problem(where, text, value=shown(domain), allowed=allowed)
        path = edge_url.partition("://")[2].partition("/")[2].rstrip("/")
        scheme = str(_at(tables, ("edges", position, "signing", "scheme")))
        other = first.setdefault((scheme, domain, path), written(where[:2]))
        if other != written(where[:2]):
            text = f"is that of {other} as well; a player keeps the cookies of one of them"
            yield problem(where, text, value=shown(domain), severity="warning")


def _cookie_answers(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    """Which answers cannot set cookies?"""
    origins = _at(tables, ("server", "cors_origins"))
    if isinstance(origins, list) and "*" in origins:
        text = "keeps web pages from taking the cookies of signed edges"
        allowed = "the origins of the pages, one by one"
        path = ("server", "cors_origins")
        yield problem(path, text, value=shown(origins), allowed=allowed, severity="warning")
    if _at(tables, ("dash", "class_manifests")) is True:
        text = "is not possible with edges whose signatures are cookies: caches keep these answers"
        allowed = 'false, or carrier = "path"'
        yield problem(("dash", "class_manifests"), text, value="true", allowed=allowed)


def _lifetimes(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    """Signatures that end before a film does."""
    steers = _at(tables, ("steering", "enabled")) is not False
    who = "players of MPDs, and those that do not steer," if steers else "players"
    for position, _ in _items(tables, ("edges",)):
        path = ("edges", position, "signing", "lifetime_s")
        given = _at(tables, path)
        if isinstance(given, int) and given < _LONG_FILM_S:
            text = f"is short: {who} cannot play for longer without a new manifest"
            yield problem(path, text, value=shown(given), severity="warning")


def _duplicates(
    tables: Mapping[str, Any], path: KeyPath, key: str, problem: _ProblemOf
) -> Iterator[ConfigProblem]:
    first: dict[str, int] = {}
    for position, item in _items(tables, path):
        name = item.get(key)
        if not isinstance(name, str):
            continue
        if name in first:
            earlier = written((*path, first[name], key))
            yield problem((*path, position, key), f"is also {earlier}", value=shown(name))
        first.setdefault(name, position)


def _items(tables: Mapping[str, Any], path: KeyPath) -> list[tuple[int, dict[str, Any]]]:
    """The tables in a list, with their positions."""
    found = _at(tables, path)
    numbered = enumerate(found if isinstance(found, list) else ())
    return [(position, item) for position, item in numbered if isinstance(item, dict)]


def _at(tables: Mapping[str, Any], path: KeyPath) -> Any:  # noqa: ANN401
    """The value at ``path``; None when there is none."""
    found: Any = tables
    for part in path:
        if isinstance(part, int):
            found = found[part]
        elif isinstance(found, dict):
            found = found.get(part)
        else:
            return None
    return found
