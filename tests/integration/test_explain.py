"""``gateway explain``: the decision and every step's reason, without a running gateway."""

import re
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store.connection.keys import EDGE_DRAINS, EDGE_OVERRIDES, PROBE
from tests.integration.running import running_gateway
from tests.integration.viewers import until
from tests.unit.store.servers import valkey

IPHONE = "AppleCoreMedia/1.0.0.21F79 (iPhone; U; CPU OS 17_5 like Mac OS X; en_us)"
INDIA = "14.139.34.1"

CATALOGUE = {
    "good": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nlow.m3u8\n",
    "faulty": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-VERSION:3\n"
    "#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nlow.m3u8\n",
    "broken": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000\n",
    "token": '#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM="token"\n'
    "#EXT-X-STREAM-INF:BANDWIDTH=900000\nlow.m3u8?t={$token}\n",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A catalogue on disk, and a Redis that does not exist, which explain does not need."""
    for asset, text in CATALOGUE.items():
        (tmp_path / "catalogue" / asset).mkdir(parents=True)
        (tmp_path / "catalogue" / asset / "master.m3u8").write_text(text, "utf-8")
    path = tmp_path / "gateway.toml"
    path.write_text(
        '[source]\nkind = "directory"\nroot = "catalogue"\n[store]\nurl = "redis://192.0.2.1/0"\n'
        '[[edges]]\nid = "e"\nurl = "https://e.example/"\nfallback = true\n',
        "utf-8",
    )
    return path


def explain(*arguments: str) -> Result:
    """Run ``gateway explain`` to its end."""
    return CliRunner().invoke(main, ["explain", *arguments])


def rows(text: str) -> dict[str, str]:
    """The lines of the summary."""
    names = "asset|device|place|speed|profile|edge|then"
    return dict(re.findall(rf"^({names}) +(.+)$", text, re.MULTILINE))


CASES = [
    (
        ["film", "--user-agent", IPHONE, "--ip", INDIA, "--speed", "900"],
        {"device": "phone, iOS", "place": "IN / AS", "speed": "900 kbit/s (query)"},
        ("mobile_2g", "ap-southeast-1"),
    ),
    (
        ["film", "--user-agent", IPHONE, "--ip", INDIA, "--header", "CMCD-Request: mtp=2100"],
        {"speed": "2100 kbit/s (cmcd)"},
        ("mobile_3g", "ap-southeast-1"),
    ),
    (
        ["film", "--ip", "2001:db8::1", "--query", "?clientBandwidthHint=30"],
        {"device": "unknown, OS unknown", "place": "? / ?", "speed": "30000 kbit/s (query)"},
        ("fiber", "global"),
    ),
    (
        ["a/b/c", "--ip", "129.240.2.6", "--header", "User-Agent: curl/8", "--session", "s 1"],
        {"asset": "a/b/c", "place": "NO / EU", "speed": "unknown"},
        ("wifi", "eu-west-1"),
    ),
]


@pytest.mark.parametrize(("arguments", "expected", "choice"), CASES)
def test_a_decision_is_explained(
    arguments: list[str], expected: dict[str, str], choice: tuple[str, str]
) -> None:
    """The output has device, place, speed, profile, edge, and a reason for each step."""
    ended = explain(*arguments)
    found = rows(ended.stdout)
    steps = re.findall(r"^  ([a-z]+): .+ \[[a-z0-9-]+\]$", ended.stdout, re.MULTILINE)
    assert (0, "") == (ended.exit_code, ended.stderr)
    assert expected == {name: found[name] for name in expected}
    assert choice == (found["profile"].split()[0], found["edge"].split()[0])
    assert {"address", "place", "device", "network", "profile", "ladder", "edge"} <= set(steps)


def test_who_signs_for_the_edge(config: Path) -> None:
    """The scheme, the key and the end of what is signed now; neither secret nor signature."""
    secret = "0123456789abcdef0123456789abcdef"
    with config.open("a") as file:
        file.write(
            "[edges.signing]\nscheme = 'nginx'\nlifetime_s = 7200\nstep_s = 3600\n"
            f"keys = [{{ id = '2026-11', secret = '{secret}' }}]\n"
        )
    before = time.time()
    result = explain("good", "--ip", INDIA, "--config", str(config))
    assert 0 == result.exit_code, result.output
    (until,) = re.findall(
        r"^signed +nginx, key 2026-11, in the path, until (\S+)$", result.output, re.MULTILINE
    )
    left_s = datetime.fromisoformat(until).timestamp() - before
    assert 7200 <= left_s <= 7200 + 3600 + 60
    assert secret not in result.output


SIGNED = re.compile(r"/~\d+~[\w-]{22}/")


@pytest.mark.parametrize("shows", [False, True])
def test_signatures_are_not_shown_unasked(config: Path, shows: bool) -> None:
    """Neither in the ladder nor in the manifest: whoever reads a terminal could play with them."""
    with config.open("a") as file:
        file.write(
            "[edges.signing]\nscheme = 'nginx'\nlifetime_s = 7200\nstep_s = 3600\n"
            "keys = [{ id = '2026-11', secret = '0123456789abcdef0123456789abcdef' }]\n"
        )
    more = ["--show-signatures"] if shows else []
    result = explain("good", "--ip", INDIA, "--config", str(config), "--manifest", *more)
    ladder, _, manifest = result.stdout.partition("#EXTM3U")
    assert manifest
    for part in (ladder, manifest):
        assert shows is (SIGNED.search(part) is not None)
        assert shows is ("/REDACTED/" not in part)
    assert shows is ("--show-signatures prints them" not in ladder)
    uris = re.findall(r"^https\S+", manifest, re.MULTILINE)
    assert uris
    assert all(uri in ladder for uri in uris)


def test_the_playlist_itself() -> None:
    """``--manifest`` prints what the player would get, after the reasons."""
    ended = explain("film", "--ip", INDIA, "--manifest")
    assert "\n#EXTM3U\n" in ended.stdout
    assert "https://ap-southeast-1.cdn.example.com/film/240p/playlist.m3u8" in ended.stdout


def test_faults_of_a_source_that_is_served(config: Path) -> None:
    """Each fault is listed with its line and clause; a good source has no such part."""
    faulty = explain("faulty", "--ip", INDIA, "--config", str(config))
    good = explain("good", "--ip", INDIA, "--config", str(config))
    assert (0, 0) == (faulty.exit_code, good.exit_code)
    part = faulty.stdout.partition("faults of the source\n")[2]
    assert "line 3: RFC 8216bis 4.4.1.2: #EXT-X-VERSION is given twice" in part
    assert "faults" not in good.stdout


def test_no_text_of_a_source_controls_the_terminal(config: Path) -> None:
    """Nor does it forge a line: what is not printable is escaped."""
    forged = "&#10;  edge: forged [forged]&#x9b;31m"
    text = (
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet mimeType="video/mp4">'
        f'<Representation id="{forged}" bandwidth="1000" codecs="avc1{forged}"/>'
        f'<Representation id="{forged}" bandwidth="2000"/></AdaptationSet></Period></MPD>'
    )
    root = config.parent / "catalogue"
    (root / "good" / "manifest.mpd").write_text(text, "utf-8")
    config.write_text(
        config.read_text("utf-8").replace(
            'root = "catalogue"', 'root = "catalogue"\ndash = "{asset}/manifest.mpd"'
        ),
        "utf-8",
    )
    ended = explain("good.mpd", "--ip", INDIA, "--config", str(config))
    assert 0 == ended.exit_code, ended.stderr
    assert "\\n  edge: forged [forged]\\x9b31m" in ended.stdout
    assert "\x9b" not in ended.stdout
    assert not re.search("^  edge: forged", ended.stdout, re.MULTILINE)


ERRORS = [
    (["../x", "--ip", INDIA], "404"),
    (["film", "--ip", "nonsense"], "--ip"),
    (["film", "--ip", INDIA, "--header", "no colon"], "--header"),
    (["film", "--ip", INDIA, "--header", "X: \u20ac"], "Latin-1"),
    (["film", "--ip", INDIA, "--query", "max_resolution=1p"], "max_resolution"),
    (["film", "--ip", INDIA, "--query", "codecs=vp9"], "406"),
    (["film", "--ip", INDIA, "--session", "x" * 65], "session"),
]


@pytest.mark.parametrize(("arguments", "words"), ERRORS, ids=lambda value: str(value)[:30])
def test_a_question_that_has_no_answer(arguments: list[str], words: str) -> None:
    """Exit 1, one line on stderr that says why, nothing on stdout."""
    ended = explain(*arguments)
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert 1 == len(ended.stderr.splitlines())
    assert ended.stderr.startswith("error: ")
    assert words in ended.stderr


@pytest.mark.parametrize(
    ("asset", "words"),
    [
        ("nothing", ["404"]),
        ("broken", ["502", "broken/master.m3u8", "RFC 8216bis 4.4.6.2"]),
        ("token", ["token"]),
    ],
)
def test_a_source_that_has_no_answer(config: Path, asset: str, words: list[str]) -> None:
    """The problem that the player would get."""
    ended = explain(asset, "--ip", INDIA, "--config", str(config))
    assert 1 == ended.exit_code
    assert [] == [word for word in words if word not in ended.stderr]


def test_a_parameter_that_the_source_asks_for(config: Path) -> None:
    """``--query`` supplies it."""
    ended = explain(
        "token", "--ip", INDIA, "--query", "token=abc", "--config", str(config), "--manifest"
    )
    assert 0 == ended.exit_code
    assert "low.m3u8?t=abc" in ended.stdout


def test_what_shapes_the_answer_does_not_shape_the_explanation() -> None:
    """Headers and parameters that only change the form of the answer, and the suffix ``.m3u8``, are
    ignored."""
    plain = explain("film", "--ip", INDIA)
    copied = [
        *("--header", "Accept-Encoding: gzip", "--header", "If-None-Match: *"),
        *("--header", "Origin: https://player.example", "--header", "Host: gateway.example"),
        *("--header", "Range: bytes=0-1", "--query", "fields=edges"),
    ]
    assert plain.output == explain("film.m3u8", "--ip", INDIA, *copied).output
    assert 0 == plain.exit_code


EDGES = """
[[edges]]
id = "near"
url = "https://near.example/"
continents = ["AS"]
capacity_mbps = 100

[[edges]]
id = "other"
url = "https://other.example/"
continents = ["AS"]
capacity_mbps = 100
fallback = true
"""


def test_what_the_gateways_know_is_asked_of_redis(tmp_path: Path) -> None:
    """States of edges, leases and the session's memory, as the running gateways see them."""
    with valkey(tmp_path) as server:
        config = tmp_path / "gateway.toml"
        config.write_text(f'[store]\nurl = "{server.url}"\ntimeout_ms = 500\n{EDGES}', "utf-8")
        drained = CliRunner().invoke(main, ["edge", "drain", "near", "--config", str(config)])
        assert 0 == drained.exit_code, drained.output
        with running_gateway(config, environ={"GATEWAY_SERVER__PORT": "0"}) as gateway:
            url = f"{gateway.url}/v1/play/film.m3u8?session=s1&speed=3000"
            answer = httpx.get(url, headers={"User-Agent": IPHONE, "X-Forwarded-For": INDIA})
            assert 200 == answer.status_code
            asked = ("film", "--ip", INDIA, "--user-agent", IPHONE, "--config", str(config))
            # The gateway writes the session's record after its answer.
            until(lambda: "[edge-held]" in explain(*asked, "--session", "s1").output)
            found = explain(*asked, "--session", "s1")
        assert 0 == found.exit_code, found.output
        assert "store     read; 2 edges, 1 of them not fully up" in found.output
        assert "near is draining (drained by an operator)" in found.output
        assert "3000 kbit/s (session)" == rows(found.output)["speed"]
        assert "[edge-held]" in found.output
        assert re.search(r"lease: 1\.2 Mbit/s on other, 1% of its capacity used", found.output)
        offline = explain(*asked, "--session", "s1", "--offline")
        assert "store     not read; edges count as up" in offline.output
        assert "unknown" == rows(offline.output)["speed"]


def test_it_leaves_redis_as_it_was(tmp_path: Path) -> None:
    """A question with ``--manifest`` takes no lease, shares no decision, writes no event, and
    removes no entry that another version may have written."""
    with valkey(tmp_path) as server:
        config = tmp_path / "gateway.toml"
        config.write_text(
            f'[events]\nenabled = true\n[store]\nurl = "{server.url}"\ntimeout_ms = 500\n{EDGES}'
        )
        server.command("HSET", EDGE_OVERRIDES, "of-later", "a version")
        server.command("HSET", EDGE_DRAINS, "near", "a version")
        asked = ("film", "--ip", INDIA, "--user-agent", IPHONE, "--session", "s1", "--manifest")
        found = explain(*asked, "--config", str(config))
        assert 0 == found.exit_code, found.output
        assert "#EXTM3U" in found.output
        assert "lease: 1.2 Mbit/s" in found.output
        keys = server.command("KEYS", "*")
        assert isinstance(keys, list)
        assert {EDGE_OVERRIDES, EDGE_DRAINS} == {key for key in keys if key != PROBE}


def test_a_redis_that_is_not_there_is_told(config: Path) -> None:
    """The decision is still shown, with a line that says what was not read."""
    found = explain("good", "--ip", INDIA, "--config", str(config))
    assert 0 == found.exit_code
    told = r"^store +cannot be read \(\w+\); edges count as up$"
    assert re.search(told, found.output, re.MULTILINE)
