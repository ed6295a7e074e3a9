"""Environment variables override the file: ``GATEWAY_SERVER__PORT=8081``."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import load
from gateway.config.problem import ConfigError

FILE = """
[server]
port = 8000
[profiles.Kids_TV]
max_height = 576
[[edges]]
id = "a"
url = "https://a.example/"
fallback = true
"""

EDGES = '[{"id": "b", "url": "https://b.example/x", "fallback": true}]'

SETTINGS: list[tuple[str, dict[str, str], str, Any]] = [
    ("a number", {"SERVER__PORT": "8081"}, "server.port", 8081),
    ("an address of IPv6", {"SERVER__HOST": "::"}, "server.host", "::"),
    ("text as it is", {"SERVER__HOST": "0.0.0.0"}, "server.host", "0.0.0.0"),
    (
        "text that looks like something else",
        {"POLICY__DEFAULT_PROFILE": "true"},
        "policy.default_profile",
        "true",
    ),
    ("a word out of a few", {"LOG__FORMAT": "console"}, "log.format", "console"),
    (
        "a list, as TOML",
        {"SERVER__TRUSTED_PROXIES": "['::1/128']"},
        "server.trusted_proxies",
        ("::1/128",),
    ),
    (
        "a list, as JSON",
        {"SERVER__TRUSTED_PROXIES": '["::1/128"]'},
        "server.trusted_proxies",
        ("::1/128",),
    ),
    ("a share", {"PROFILES__WIFI__HEADROOM": "0.5"}, "profiles.wifi.headroom", 0.5),
    (
        "a shipped profile",
        {"PROFILES__MOBILE_2G__MAX_HEIGHT": "144"},
        "profiles.mobile_2g.max_height",
        144,
    ),
    (
        "a profile with capitals",
        {"PROFILES__KIDS_TV__MAX_HEIGHT": "480"},
        "profiles.Kids_TV.max_height",
        480,
    ),
    ("a new profile", {"PROFILES__X1__MAX_HEIGHT": "480"}, "profiles.x1.max_height", 480),
    ("no limit, as JSON", {"PROFILES__WIFI__MAX_HEIGHT": "null"}, "profiles.wifi.max_height", None),
    ("a whole section, as TOML", {"SERVER": "{port = 1, workers = 2}"}, "server.port", 1),
    (
        "a whole section, as JSON",
        {"PROFILES__WIFI": '{"max_height": 1}'},
        "profiles.wifi.max_height",
        1,
    ),
    ("the parts after the whole", {"SERVER": "{port = 1}", "SERVER__PORT": "2"}, "server.port", 2),
    ("a list of tables", {"EDGES": EDGES}, "edges.0.url", "https://b.example/x/"),
    ("a part of an item", {"EDGES__0__WEIGHT": "7"}, "edges.0.weight", 7),
    ("a part of a new item", {"EDGES": EDGES, "EDGES__0__WEIGHT": "7"}, "edges.0.weight", 7),
    (
        "an item of a list",
        {"SERVER__TRUSTED_PROXIES__0": "::1/128"},
        "server.trusted_proxies.0",
        "::1/128",
    ),
    ("a secret", {"STORE__URL": "redis://:pw@h"}, "store.url", "redis://:pw@h"),
    (
        "a variable of Kubernetes",
        {"PORT": "tcp://10.0.0.1:80", "SERVICE_HOST": "10.0.0.1"},
        "server.port",
        8000,
    ),
    (
        "more variables of Kubernetes",
        {"REDIS_PORT_6379_TCP_ADDR": "10.0.0.1", "PORT_80_TCP": "x", "SERVICE_PORT_HTTP": "80"},
        "server.port",
        8000,
    ),
]


@pytest.mark.parametrize(
    ("given", "key", "expected"), [row[1:] for row in SETTINGS], ids=[row[0] for row in SETTINGS]
)
def test_a_variable_sets_its_key(
    tmp_path: Path, given: dict[str, str], key: str, expected: object
) -> None:
    """Text as it is and other values as TOML or JSON override the file."""
    environ = {f"GATEWAY_{name}": value for name, value in given.items()}
    if key == "policy.default_profile":
        environ["GATEWAY_PROFILES__TRUE__MAX_HEIGHT"] = "1"
    path = tmp_path / "g.toml"
    path.write_text(FILE)
    found: Any = load(path, {"HOME": "/", **environ}).settings
    for part in key.split("."):
        if part.isdecimal():
            found = found[int(part)]
        else:
            found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert expected == (found.get_secret_value() if key == "store.url" else found)


PORT = "allowed: a whole number from 0 (any free port) to 65535"
REFUSALS = [
    ("SERVER__PROT", "1", 'sets no known key (did you mean "GATEWAY_SERVER__PORT"?)'),
    ("SERVR__PORT", "1", 'sets no known key (did you mean "GATEWAY_SERVER__PORT"?)'),
    ("EDGES__0__WIEGHT", "1", 'sets no known key (did you mean "GATEWAY_EDGES__0__WEIGHT"?)'),
    ("EDGES__X__WEIGHT", "1", "sets no known key"),
    ("EDGES__²", "1", "sets no known key"),
    ("SERVER__PORT__MORE", "1", "sets no known key"),
    ("SERVER__PORT__MORE__MORE", "1", "sets no known key"),
    ("PORT", "8081", 'sets no known key (did you mean "GATEWAY_SERVER__PORT"?)'),
    ("", "8081", "sets no known key"),
    ("EDGES__7__WEIGHT", "1", "edges[7].weight: names an item that is not in the list"),
    (
        "SERVER__TRUSTED_PROXIES__1",
        "::1",
        "server.trusted_proxies[1]: names an item that is not in the list",
    ),
    ("SERVER__PORT", "eighty", f'server.port: "eighty" is text; {PORT}'),
    ("SERVER__PORT", "1\nb = 2", f'server.port: "1\\nb = 2" is text; {PORT}'),
    ("SERVER__PORT", "[" * 5000, f'server.port: "{"[" * 78}… is text; {PORT}'),
    (
        "STORE__URL",
        "rediss//:pw@h",
        (
            "store.url: (hidden) does not start with redis://, rediss:// or unix://; "
            "allowed: embedded, memory, "
            "or a URL that starts with redis://, rediss:// or unix://"
        ),
    ),
]


@pytest.mark.parametrize(("name", "value", "expected"), REFUSALS)
def test_a_bad_variable_is_named(tmp_path: Path, name: str, value: str, expected: str) -> None:
    """Unknown keys, missing items and invalid values, each with the name of the variable."""
    path = tmp_path / "g.toml"
    path.write_text(FILE)
    with pytest.raises(ConfigError) as caught:
        load(path, {f"GATEWAY_{name}": value})
    assert f"environment GATEWAY_{name}: {expected}" == str(caught.value)


def test_a_variable_does_not_hide_what_the_file_has_wrong(tmp_path: Path) -> None:
    """A key below a value that is not a table is reported."""
    path = tmp_path / "g.toml"
    path.write_text("server = 3\nedges = [4]\nprofiles = 5\nrules = 6")
    environ = {
        "GATEWAY_SERVER__PORT": "1",
        "GATEWAY_EDGES__0__WEIGHT": "1",
        "GATEWAY_PROFILES__WIFI__MAX_HEIGHT": "1",
        "GATEWAY_RULES__0": "1",
    }
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    assert [(problem.path, problem.source) for problem in caught.value.problems] == [
        ("rules[0]", "environment GATEWAY_RULES__0"),
        ("server", "g.toml"),
        ("profiles", "g.toml"),
        ("rules", "g.toml"),
        ("edges[0]", "g.toml"),
    ]
