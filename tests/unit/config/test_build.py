"""The policy that a configuration describes, and its version."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.client.device import DeviceRule
from gateway.client.facts import DeviceKind
from gateway.config.build import signing_keys_of
from gateway.config.load import load
from gateway.config.restart import hold_back
from gateway.decision import Policy
from gateway.edge.edge import Edge
from gateway.policy.profile import Profile
from gateway.policy.rules import Rule, TimeWindow, When
from gateway.policy.start import NO_START_RULES, StartRule, StartRules
from gateway.trust.keys import SigningKey
from manifests.codecs import CodecFamily, VideoRange

REPOSITORY = Path(__file__).parents[3]

WHOLE = """
[policy]
default_profile = "p"
time_zone = "Asia/Kolkata"
[profiles.p]
max_bitrate_kbps = 1
max_height = 2
max_frame_rate = 29.97
codecs = ["avc", "dolby-vision"]
video_range = ["SDR", "PQ"]
start_bitrate_kbps = 1
min_rungs = 4
headroom = 0.5
device_limits = false
[[rules]]
name = "all of it"
profile = "p"
[rules.when]
device = ["tv", "car"]
os = ["iOS"]
player = ["ExoPlayer"]
country = ["in", "NO"]
continent = ["AS"]
asn = [1]
speed_below_kbps = 9
speed_at_least_kbps = 2
speed_above_kbps = 1
speed_known = true
save_data = false
asset_prefix = ["kids/", "a"]
time_of_day = ["22:00-06:30", "12:00-24:00"]
[[start.rules]]
bitrate_kbps = 5
[start.rules.when]
country = ["ke"]
continent = ["AF"]
asn = [2]
device = ["car"]
save_data = true
ect = ["slow-2g", "3g"]
[[start.rules]]
bitrate_kbps = 6
when = {}
[[edges]]
id = "a"
url = "https://a.example/v"
latitude = 1
longitude = -2.5
countries = ["no"]
continents = ["EU"]
weight = 3
fallback = true
"""


def policy(folder: Path, toml: str) -> Policy:
    """The policy of a file with ``toml`` in it."""
    path = folder / "g.toml"
    path.write_text(toml)
    return load(path, {"GATEWAY_GEO__ASN_DATABASE": str(path)}).policy


def test_every_key_arrives_in_the_policy(tmp_path: Path) -> None:
    """Names are case-folded, codes in upper case, times in minutes, and the URL ends with a
    slash."""
    found = policy(tmp_path, WHOLE)
    profile = Profile(
        name="p",
        max_bitrate_kbps=1,
        max_height=2,
        max_frame_rate=29.97,
        codecs=frozenset({CodecFamily.AVC, CodecFamily.DOLBY_VISION}),
        video_range=frozenset({VideoRange.SDR, VideoRange.PQ}),
        start_bitrate_kbps=1,
        min_rungs=4,
        headroom=0.5,
        device_limits=False,
    )
    when = When(
        device=frozenset({"tv", "car"}),
        os=frozenset({"ios"}),
        player=frozenset({"exoplayer"}),
        country=frozenset({"IN", "NO"}),
        continent=frozenset({"AS"}),
        asn=frozenset({1}),
        speed_below_kbps=9,
        speed_at_least_kbps=2,
        speed_above_kbps=1,
        speed_known=True,
        save_data=False,
        asset_prefix=("kids/", "a"),
        time_of_day=(TimeWindow(1320, 390), TimeWindow(720, 1440)),
    )
    edge = Edge(
        id="a",
        url="https://a.example/v/",
        latitude=1,
        longitude=-2.5,
        countries=frozenset({"NO"}),
        continents=frozenset({"EU"}),
        weight=3,
        fallback=True,
    )
    assert profile == found.profiles["p"]
    assert (Rule(when, "p", "all of it"),) == found.rules
    slow = When(
        country=frozenset({"KE"}),
        continent=frozenset({"AF"}),
        asn=frozenset({2}),
        device=frozenset({"car"}),
        save_data=True,
        ect=frozenset({"slow-2g", "3g"}),
    )
    assert StartRules((StartRule(slow, 5), StartRule(When(), 6))) == found.start
    assert (edge,) == found.edges
    assert (found.default_profile, found.time_zone) == ("p", "Asia/Kolkata")


def test_start_rules_that_are_off_are_no_rules(tmp_path: Path) -> None:
    """One key switches all of them off."""
    assert NO_START_RULES == policy(tmp_path, "start.enabled = false").start
    assert NO_START_RULES == policy(tmp_path, "start.rules = []").start
    assert NO_START_RULES != policy(tmp_path, "").start


def test_what_is_left_out_sets_no_condition(tmp_path: Path) -> None:
    """An empty ``when`` has no conditions, and a rule without a name has an empty one."""
    found = policy(tmp_path, "[[rules]]\nwhen = {}\nprofile = 'wifi'")
    assert (Rule(When(), "wifi", ""),) == found.rules


def test_a_device_rule_has_the_classifiers_own_keys(tmp_path: Path) -> None:
    """``DeviceRule(**dict(rule))`` builds the rule."""
    toml = """
    [[devices]]
    name = "box"
    match = "AcmeBox/[0-9]+"
    kind = "tv"
    os = "AcmeOS"
    player = "ExoPlayer"
    model = "AcmeBox 4"
    max_height = 1080
    max_frame_rate = 50
    codecs = ["hevc"]
    video_ranges = ["HLG"]
    """
    path = tmp_path / "g.toml"
    path.write_text(toml)
    expected = DeviceRule(
        name="box",
        match="AcmeBox/[0-9]+",
        kind=DeviceKind.TV,
        os="AcmeOS",
        player="ExoPlayer",
        model="AcmeBox 4",
        max_height=1080,
        max_frame_rate=50,
        codecs=frozenset({CodecFamily.HEVC}),
        video_ranges=frozenset({VideoRange.HLG}),
    )
    assert [expected] == [DeviceRule(**dict(rule)) for rule in load(path, {}).settings.devices]


SAME = [
    ("the order of what has no order", "country = ['IN', 'NO']", "country = ['NO', 'IN']"),
    ("case of names that are folded to one", "country = ['IN']", "country = ['in']"),
]
DIFFERENT = [
    ("a rule", "[[rules]]\nwhen = {}\nprofile = 'wifi'"),
    ("a profile", "profiles.wifi.max_height = 1"),
    ("start rules", "start.enabled = false"),
    ("an edge", "[[edges]]\nid = 'a'\nurl = 'https://a'\nfallback = true"),
    ("the default profile", "policy.default_profile = 'fiber'"),
    ("the time zone", "policy.time_zone = 'Europe/Oslo'"),
    ("the ladder", "ladder.path = 'x/{name}'"),
    ("the source", "source.hls = '{asset}.m3u8'"),
    ("a device rule", "[[devices]]\nname = 'x'\nmatch = 'x'\nkind = 'tv'"),
]


@pytest.mark.parametrize(("one", "other"), [row[1:] for row in SAME], ids=[r[0] for r in SAME])
def test_the_version_is_the_same_for_the_same_policy(tmp_path: Path, one: str, other: str) -> None:
    """The version is the same for equal values, however they were written."""
    rule = "[[rules]]\nwhen = {{ {} }}\nprofile = 'wifi'"
    versions = {policy(tmp_path, rule.format(each)).version for each in (one, other)}
    assert len(versions) == 1


def test_the_version_is_the_same_in_every_worker() -> None:
    """The version does not depend on the order of sets, because workers share decisions by it."""
    program = "from gateway.config.load import load; print(load(None, {}).policy.version)"
    versions = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    assert {load(None, {}).policy.version} == versions


@pytest.mark.parametrize("toml", [row[1] for row in DIFFERENT], ids=[row[0] for row in DIFFERENT])
def test_the_version_changes_with_whatever_a_decision_depends_on(tmp_path: Path, toml: str) -> None:
    """Another policy has another version, so that its cached decisions are not used."""
    assert load(None, {}).policy.version != policy(tmp_path, toml).version


def test_the_version_does_not_change_with_anything_else(tmp_path: Path) -> None:
    """The version has 16 digits and does not depend on the port, the store or the log format."""
    toml = (
        "server.port = 1\nstore.url = 'memory'\nlog.format = 'console'\nlimits.max_url_bytes = 999"
    )
    assert load(None, {}).policy.version == policy(tmp_path, toml).version
    assert len(load(None, {}).policy.version) == 16


def test_keys_that_need_a_restart_keep_their_running_values(tmp_path: Path) -> None:
    """They are named, all other keys take effect, and the version is that of the running values."""
    path = tmp_path / "g.toml"
    running = load(None, {})
    path.write_text(
        "server = {port = 1, manifest_max_age_s = 60}\nstore.url = 'memory'\n"
        "source.hls = '{asset}.m3u8'\nprofiles.wifi.max_height = 1"
    )
    new, waiting = hold_back(running, load(path, {}))
    assert waiting == ("server.port", "store.url", "source.hls")
    assert (new.settings.server.port, new.settings.server.manifest_max_age_s) == (8080, 60)
    assert running.settings.store == new.settings.store
    assert new.policy.profiles["wifi"].max_height == 1
    path.write_text("profiles.wifi.max_height = 1")
    only_hot, nothing = hold_back(running, load(path, {}))
    assert nothing == ()
    assert only_hot.policy.version == new.policy.version


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
def test_signing_keys_come_from_the_config_and_from_files(tmp_path: Path, line_end: str) -> None:
    """A file's line end is no part of the secret, and no message shows a secret."""
    (tmp_path / "secret").write_bytes(b"f" * 32 + line_end.encode())
    path = tmp_path / "g.toml"
    path.write_text(
        f'[[keys.ring]]\nid = "a"\nsecret = "{"s" * 32}"\n'
        '[[keys.ring]]\nid = "b"\nsecret_file = "secret"\nstatus = "verify-only"\n'
    )
    settings = load(path, {}).settings
    expected = (SigningKey("a", b"s" * 32), SigningKey("b", b"f" * 32, "verify-only"))
    assert expected == signing_keys_of(settings)
    shown = f"{settings!r}{settings.model_dump_json()}{signing_keys_of(settings)!r}"
    assert "ssss" not in shown
    assert "ffff" not in shown
