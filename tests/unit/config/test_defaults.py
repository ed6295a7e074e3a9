"""What ships: the truth table of the README, ladder and edges; and the texts that explain it."""

import itertools
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway.client.facts import DeviceKind
from gateway.config.json_schema import schema_json
from gateway.config.key_schema import ROOT, KeySchema, find_key, restart_keys
from gateway.config.load import load
from gateway.config.read import merged, parse_toml, read_defaults
from gateway.config.reference import render
from gateway.policy.rules import Subject

REPOSITORY = Path(__file__).parents[3]
SOUTH_ASIA = ("IN", "BD", "PK")
OTHERS = [kind.value for kind in DeviceKind if kind is not DeviceKind.PHONE]

# device, country, speed in kbit/s (None: unknown), profile: both sides of every bound.
TRUTH = [
    *((("phone",), (*SOUTH_ASIA, "US", None), speed, "mobile_2g") for speed in (0, 999)),
    *((("phone",), (*SOUTH_ASIA, "US", None), speed, "mobile_3g") for speed in (1000, 2999)),
    *((("phone",), (*SOUTH_ASIA, "US", None), s, "mobile_4g") for s in (3000, 50_000, None)),
    *((OTHERS, SOUTH_ASIA, speed, "wifi") for speed in (5001, 20_000, 20_001)),
    *((OTHERS, SOUTH_ASIA, speed, "mobile_4g") for speed in (0, 5000, None)),
    *((OTHERS, ("US", "LK", None), speed, "fiber") for speed in (20_001, 1_000_000)),
    *((OTHERS, ("US", "LK", None), speed, "wifi") for speed in (0, 5001, 20_000, None)),
]


@pytest.mark.parametrize(("devices", "countries", "speed", "expected"), TRUTH)
def test_the_truth_table(
    devices: list[str], countries: list[str | None], speed: int | None, expected: str
) -> None:
    """Every cell of the README's table, just below and just above each of its bounds."""
    policy = load(None, {}).policy
    for device, country in itertools.product(devices, countries):
        subject = Subject("a", device, country=country, speed_kbps=speed)
        assert expected == policy.rule_list.first_match(subject, policy.default_profile).profile


def test_the_caps_of_the_shipped_profiles() -> None:
    """kbit/s and height, as the README has them; nothing else is limited."""
    profiles = load(None, {}).policy.profiles
    assert {name: (each.max_bitrate_kbps, each.max_height) for name, each in profiles.items()} == {
        "mobile_2g": (200, 240),
        "mobile_3g": (500, 360),
        "mobile_4g": (1200, 720),
        "wifi": (2500, 1080),
        "fiber": (8000, 2160),
    }
    for profile in profiles.values():
        assert (
            profile.codecs,
            profile.video_range,
            profile.max_frame_rate,
            profile.min_rungs,
            profile.device_limits,
        ) == (None, None, None, 1, True)


def test_the_shipped_ladder() -> None:
    """Heights, kbit/s and names of the shipped ladder."""
    ladder = load(None, {}).settings.ladder
    assert [(rung.name, rung.height, rung.bandwidth_kbps) for rung in ladder.rungs] == [
        ("240p", 240, 200),
        ("360p", 360, 500),
        ("720p", 720, 1200),
        ("1080p", 1080, 2500),
        ("4k", 2160, 8000),
    ]


def test_the_shipped_edges() -> None:
    """The continents of each edge; all edges except the global one have coordinates."""
    edges = load(None, {}).policy.edges
    assert {
        "us-east-1": {"NA"},
        "eu-west-1": {"EU", "AF"},
        "ap-southeast-1": {"AS"},
        "sa-east-1": {"SA"},
        "ap-southeast-2": {"OC"},
        "global": {"AN"},
    } == {edge.id: edge.continents for edge in edges}
    assert [edge.id for edge in edges if edge.fallback] == ["global"]
    assert [edge.id for edge in edges if edge.latitude is None] == ["global"]
    assert [f"https://{edge.id}.cdn.example.com/" for edge in edges] == [edge.url for edge in edges]


def test_nothing_that_ships_is_warned_of() -> None:
    """The shipped values have no warnings, and come from no file."""
    loaded = load(None, {})
    assert (loaded.warnings, loaded.origins, loaded.path) == ((), {}, None)


def test_the_example_holds_the_shipped_values() -> None:
    """``gateway.toml`` is a copy of ``gateway/config/defaults.toml``."""
    example = (REPOSITORY / "gateway.toml").read_bytes()
    assert (REPOSITORY / "gateway/config/defaults.toml").read_bytes() == example
    loaded = load(REPOSITORY / "gateway.toml", {})
    assert (load(None, {}).settings, ()) == (loaded.settings, loaded.warnings)


LISTS = {"tls", "renewal", "rungs", "ring", "rules", "keys", "jwks", "protect", "oidc", "services"}
"""Keys that are lists of tables, which the example has as comments or below it."""


def test_the_example_explains_every_key() -> None:
    """Each key is below a comment or, in lists and profiles, in the list above them."""
    text = (REPOSITORY / "gateway.toml").read_text(encoding="utf-8")
    for section, schema in ROOT.keys.items():
        below = text.partition(f"# ── [{section}")[2] or text.partition(f"# ── [[{section}")[2]
        part = below.partition("# ── [")[0]
        for key in schema.keys or _item_keys(schema):
            if schema.keys and key not in LISTS:
                explained = re.search(rf"^# .+\n(# )?{key} = ", part, re.MULTILINE)
            else:
                explained = re.search(rf"^# .*\b{key}\b", part, re.MULTILINE)
            assert explained, f"{section}.{key}"


def _item_keys(schema: KeySchema) -> tuple[str, ...]:
    assert schema.items is not None
    return tuple(schema.items.keys)


def test_every_key_is_documented_in_the_schema() -> None:
    """Each key has a description; keys without a shipped value have an example."""
    schema = schema_json()
    for name, table in schema["$defs"].items():
        for key, value in table.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"
            assert "default" in value or "examples" in value or "$ref" in value, f"{name}.{key}"


def test_the_schema_accepts_the_example_and_refuses_mistakes() -> None:
    """An empty file is valid; unknown keys and invalid values are not."""
    schema = schema_json()
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.validator_for(schema)
    example: dict[str, Any] = read_defaults()
    assert validator.is_valid(example)
    assert validator.is_valid({})
    assert validator.is_valid({"profiles": {"x": {"device_limits": False}}})
    for wrong in (
        {"server": {"prot": 1}},
        {"server": {"port": 70_000}},
        {"rules": [{"when": {"device": ["fone"]}, "profile": "x"}]},
        {"edges": [{"id": "a"}]},
    ):
        assert not validator.is_valid(merged(example, wrong)), wrong


def test_the_schema_carries_the_shipped_values() -> None:
    """Editors can show the shipped values, and no section is required."""
    schema = schema_json()
    assert "required" not in schema
    assert schema["$defs"]["ServerSettings"]["properties"]["port"]["default"] == 8080
    assert read_defaults()["rules"] == schema["properties"]["rules"]["default"]


def test_the_reference_is_up_to_date(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``python -m gateway.config.reference > docs/config.md``."""
    monkeypatch.delitem(sys.modules, "gateway.config.reference")
    runpy.run_module("gateway.config.reference", run_name="__main__")
    assert (REPOSITORY / "docs/config.md").read_text(encoding="utf-8") == capsys.readouterr().out


def test_the_reference_has_every_key() -> None:
    """One row for each key, with what is allowed and the shipped value."""
    page = render()
    assert "| `port` | TCP port to listen on; 0 takes any free one. *(restart)* | " in page
    assert "| `8080` |" in page
    for heading in ("[server]", "[[edges]]", "[profiles.NAME]", "[[rules]] when = { … }"):
        assert f"\n## `{heading}`" in page


def test_the_schema_knows_what_stands_at_a_path() -> None:
    """The schema of values, items of lists, and tables of names; None beyond them."""
    for path, expected in (
        (("server", "port"), "a whole number from 0 (any free port) to 65535"),
        (("rules", 0, "when"), "a table"),
        (("profiles", "x", "min_rungs"), "a whole number from 1 to 100"),
        (("server", "port", "x"), None),
        (("server", "port", "x", "y"), None),
        (("server", "x"), None),
    ):
        found = find_key(path)
        assert expected == (None if found is None else found.allowed)


def test_the_keys_that_need_a_restart() -> None:
    """Whole sections and single keys; keys that decisions depend on need no restart."""
    keys = {f"{section}.{key}" for section, key in restart_keys()}
    assert {"server.host", "server.port", "server.workers", "store.url", "geo.database"} <= keys
    assert {"source.kind", "log.level", "limits.local_cache_bytes"} <= keys
    assert not {"server.trusted_proxies", "policy.default_profile", "limits.max_url_bytes"} & keys


def test_tables_are_laid_over_each_other_key_by_key() -> None:
    """Tables merge; anything else replaces what was there."""
    below = parse_toml(b"a = {x = 1, y = [1, 2]}\nb = 1\nc = {d = 1}", "below")
    above = parse_toml(b"a = {y = [3]}\nb = {z = 1}\nc = 2", "above")
    assert merged(below, above) == {"a": {"x": 1, "y": [3]}, "b": {"z": 1}, "c": 2}
