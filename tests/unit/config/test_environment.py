"""Environment variables override the file: ``GATEWAY_SERVER__PORT=8081``."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

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
        "SERVER__TRUSTED_PROXIES",
        "10.0.0.0/8",
        (
            'server.trusted_proxies: "10.0.0.0/8" is text, not JSON; '
            "allowed: a list; each item: an IPv4 or IPv6 network, such as 10.0.0.0/8"
        ),
    ),
    ("PROFILES__WIFI", "720p", 'profiles.wifi: "720p" is text, not JSON; allowed: a table'),
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


# ── values from files ───────────────────────────────────────────────────────────────────────────

IN_FILES = [
    ("text", "SERVER__HOST", "0.0.0.0\n", "server.host", "0.0.0.0"),
    ("a Windows line end", "SERVER__HOST", "::\r\n", "server.host", "::"),
    ("no line end", "SERVER__PORT", "81", "server.port", 81),
    ("a byte order mark", "SERVER__PORT", "\ufeff81\r\n", "server.port", 81),
    ("a list", "SERVER__TRUSTED_PROXIES", '["::1"]\n', "server.trusted_proxies", ("::1",)),
    ("a secret", "STORE__URL", "redis://:pw@h\n", "store.url", "redis://:pw@h"),
    ("an item's key", "EDGES__0__WEIGHT", "7\n", "edges.0.weight", 7),
    (
        "several line ends",
        "ORIGIN__BEARER_TOKEN",
        "t0ken\n\n",
        "origin.bearer_token",
        "t0ken",
    ),
]


@pytest.mark.parametrize(
    ("name", "content", "key", "expected"),
    [row[1:] for row in IN_FILES],
    ids=[r[0] for r in IN_FILES],
)
def test_a_variable_may_name_a_file(
    tmp_path: Path, name: str, content: str, key: str, expected: object
) -> None:
    """Any key's; a line end is no part of the value."""
    file = tmp_path / "secret"
    environ = {f"GATEWAY_{name}_FILE": str(file)}
    file.write_bytes(content.encode())
    loaded = load(None, environ)
    found: Any = loaded.settings
    for part in key.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    assert expected == (found.get_secret_value() if isinstance(found, SecretStr) else found)
    assert f"GATEWAY_{name}_FILE" in loaded.from_environment.values()


def test_a_key_that_ends_with_file_is_itself(tmp_path: Path) -> None:
    """``origin.ca_file`` is the path of a file, not of a file that holds a path."""
    with pytest.raises(ConfigError, match=r"origin\.ca_file: .* does not exist"):
        load(None, {"GATEWAY_ORIGIN__CA_FILE": str(tmp_path / "ca.pem")})
    (tmp_path / "key").write_text("k" * 32, "utf-8")
    (tmp_path / "gateway.toml").write_text('[[keys.ring]]\nid = "a"\n', "utf-8")
    environ = {"GATEWAY_KEYS__RING__0__SECRET_FILE": str(tmp_path / "key")}
    assert "k" * 32 == load(tmp_path / "gateway.toml", environ).settings.keys.ring[0].secret_text


def test_a_profile_may_come_from_a_file(tmp_path: Path) -> None:
    """A known one and a new one; a table in the variable makes a profile of that name."""
    (tmp_path / "p").write_text('{"max_height": 77}', "utf-8")
    environ = {
        "GATEWAY_PROFILES__WIFI_FILE": str(tmp_path / "p"),
        "GATEWAY_PROFILES__NEW_FILE": str(tmp_path / "p"),
        "GATEWAY_PROFILES__OF_FILE": '{"max_height": 78}',
    }
    profiles = load(None, environ).settings.profiles
    assert [77, 77, 78] == [profiles[name].max_height for name in ("wifi", "new", "of_file")]


def test_an_item_of_a_list_that_is_not_there_is_one_problem() -> None:
    """It makes no table of what is a list."""
    with pytest.raises(ConfigError) as caught:
        load(None, {"GATEWAY_KEYS__RING__0__ID": "a"})
    (problem,) = caught.value.problems
    assert "names an item that is not in the list" == problem.problem


FAULTY_FILES: list[tuple[str, bytes | None, str]] = [
    ("missing", None, "names a file that does not exist: "),
    ("empty", b"\n", "names a file that is empty: "),
    ("too large", b"S3cr3tPw" * 10_000, "names a file of more than 65536 bytes: "),
    ("not UTF-8", b"S3cr3tPw\xff", "names a file that is not UTF-8: "),
    ("not a URL of a store", b"redis:/:S3cr3tPw@h", "(hidden) does not start with redis://"),
]


@pytest.mark.parametrize(
    ("data", "expected"), [row[1:] for row in FAULTY_FILES], ids=[r[0] for r in FAULTY_FILES]
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, data: bytes | None, expected: str
) -> None:
    """With the variable, the key and the reason, and never with what is in it."""
    file = tmp_path / "secret"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(None, {"GATEWAY_STORE__URL_FILE": str(file)})
    text = str(caught.value)
    assert text.startswith(f"environment GATEWAY_STORE__URL_FILE: store.url: {expected}")
    assert "S3cr3tPw" not in text
    if expected.endswith(": "):
        assert f'"{file}"' in text


@pytest.mark.parametrize(
    "name",
    [
        "SERVER__PORT",
        "SERVER__HOST",
        "GEO__DATABASE",
        "POLICY__DEFAULT_PROFILE",
        "LOG__LEVEL",
        "RULES",
    ],
)
def test_what_a_file_holds_is_not_told_of_any_key(tmp_path: Path, name: str) -> None:
    """A secret's file may be named for the wrong key."""
    file = tmp_path / "secret"
    file.write_text("S3cr3t Pw\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(None, {f"GATEWAY_{name}_FILE": str(file)})
    assert "S3cr3t" not in str(caught.value)
    assert "(hidden)" in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"GATEWAY_STORE__URL_FILE": "/f", "GATEWAY_STORE__URL": "memory"},
            "store.url: is set, and so is GATEWAY_STORE__URL; only one of them is allowed",
        ),
        (
            {"GATEWAY_STORE__URL_FILE": "redis://:S3cr3tPw@h"},
            "store.url: is not the absolute path of a file that holds the value",
        ),
        ({"GATEWAY_STORE__URL_FILE": "/"}, 'store.url: names a file that is not a file: "/"'),
        ({"GATEWAY_STORE__URL_FILE": "/a\0b"}, "store.url: names a file that "),
        ({"GATEWAY_STORE__URI_FILE": "/f"}, "sets no known key"),
        ({"GATEWAY__FILE": "/f"}, "sets no known key"),
    ],
)
def test_a_variable_that_names_no_file_is_refused(environ: dict[str, str], expected: str) -> None:
    """Two variables for a key, no path, a folder, an unknown key."""
    with pytest.raises(ConfigError) as caught:
        load(None, environ)
    assert expected in str(caught.value)
    assert "S3cr3tPw" not in str(caught.value)


def test_keys_that_the_file_sets_in_vain_are_known(tmp_path: Path) -> None:
    """Those that the environment sets to another value, also inside of lists."""
    path = tmp_path / "g.toml"
    edge = 'id = "a"\nurl = "https://a.example/"\nfallback = true\nweight = 5\n'
    path.write_text(f'[server]\nhost = "::1"\nport = 1\n[[edges]]\n{edge}', "utf-8")
    environ = {
        "GATEWAY_SERVER__HOST": "0.0.0.0",
        "GATEWAY_SERVER__PORT": "1",
        "GATEWAY_SERVER__WORKERS": "2",
        "GATEWAY_EDGES__0__WEIGHT": "6",
    }
    loaded = load(path, environ)
    assert ("edges[0].weight", "server.host") == loaded.overridden
    assert {
        "server.host": "GATEWAY_SERVER__HOST",
        "server.port": "GATEWAY_SERVER__PORT",
        "server.workers": "GATEWAY_SERVER__WORKERS",
        "edges[0].weight": "GATEWAY_EDGES__0__WEIGHT",
    } == loaded.from_environment
