"""The benchmark computes what it says: requests, ratios, verdicts, quantiles, slopes, shares."""

import json
import math
import random
import tomllib
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.config.load import load
from geodata.lookup import EMBEDDED
from manifests.hls.multivariant import parse
from tests.benchmark import (
    bench_ratios,
    contestants,
    editing,
    memory,
    opponent,
    profile,
    scale,
    tail,
)
from tests.benchmark.agreement import agreement, decision_of, taken_apart
from tests.benchmark.audience import MIXES, Audience, prefix_of
from tests.benchmark.bench import decisions_by_cache
from tests.benchmark.bench_process import Memory
from tests.benchmark.bench_ratios import Ratio, Run
from tests.benchmark.contestants import Ground
from tests.benchmark.guard import BASELINE, compare
from tests.benchmark.real_players import RealPlayers


def run(rate: float, cpu_us: float) -> Run:
    """A measurement of which two figures matter."""
    return Run(rate, cpu_us, 0.0, 1.0, 0.3, 1.0, 2.0)


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that is half as fast in one round changes nothing."""
    rounds = [
        {"bare": run(1000 * slow, 40 / slow), "real": run(200 * slow, 200 / slow)}
        for slow in (1.0, 0.5, 0.9)
    ]
    found = bench_ratios.ratios(rounds)
    assert {"real: CPU to bare"} == found.keys()
    headline = found["real: CPU to bare"]
    assert pytest.approx(5.0) == headline.value
    assert (False, False) == (headline.met, headline.broken)


@pytest.mark.parametrize(
    ("name", "before", "now", "good"),
    [
        ("the same", Ratio(5), Ratio(5), True),
        ("a little more", Ratio(5), Ratio(5.7), True),
        ("too much", Ratio(5), Ratio(5.8), False),
        ("less", Ratio(5), Ratio(2), True),
        ("within its bound", Ratio(6), Ratio(6.2, bound=6.2), True),
        ("above its bound", Ratio(6), Ratio(6.21, bound=6.2), False),
    ],
)
def test_the_guard(name: str, before: Ratio, now: Ratio, good: bool) -> None:
    """15 % more is too much, and so is more than the bound."""
    lines, found = compare({"x": before}, {"x": now})
    assert good == found
    assert ("<-" in lines[0]) is not good


def test_a_bound_without_a_baseline() -> None:
    """A ratio that is new to the baseline must keep to its bound, too."""
    lines, good = compare({"x": Ratio(5)}, {"x": Ratio(5), "y": Ratio(7, bound=6.2)})
    assert not good
    assert "above its bound" in lines[1]


def test_bounds_reach_the_guard() -> None:
    """The file between the benchmark and the guard keeps them."""
    found = {"x": Ratio(7, goal=4.5, bound=6.2), "y": Ratio(2)}
    text = json.dumps({"ratios": bench_ratios.as_json(found)})
    assert {"x": Ratio(7, bound=6.2), "y": Ratio(2)} == bench_ratios.from_json(text)


def test_the_guard_compares_something() -> None:
    """Nothing in common is no success; what was not measured is told of."""
    lines, good = compare({"x": Ratio(1)}, {"y": Ratio(1)})
    assert not good
    assert "not measured" in lines[0]


def test_the_baseline_has_every_question() -> None:
    """Whatever the benchmark asks is guarded."""
    before = bench_ratios.from_json(BASELINE.read_text())
    asked = {question.name for question in bench_ratios.QUESTIONS}
    assert asked | editing.RATIOS.keys() == before.keys()


def test_decisions_by_cache() -> None:
    """All labels together, as the gateway's own metrics write them."""
    text = """# TYPE gateway_decisions_total counter
gateway_decisions_total{cache="local",device="tv",profile="wifi"} 6.0
gateway_decisions_total{cache="local",device="phone",profile="wifi"} 3.0
gateway_decisions_total{cache="off",device="tv",profile="wifi"} 1.0
gateway_decisions_created{cache="off",device="tv",profile="wifi"} 1.7e+09
"""
    assert {"local": 0.9, "off": 0.1} == decisions_by_cache(text)


def test_cold_requests_share_nothing() -> None:
    """No User-Agent, prefix, asset or session comes twice."""
    requests = [text.decode("latin-1") for text in Audience().cold(400)]
    heads = [dict(line.split(": ", 1) for line in text.split("\r\n")[1:-2]) for text in requests]
    assert 400 == len({head["User-Agent"] for head in heads})
    assert 400 == len({prefix_of(head["X-Forwarded-For"]) for head in heads})
    assert 400 == len({text.split(" ")[1].partition("?")[0] for text in requests})
    named = [text for text in requests if "session=" in text or "sid" in text]
    assert len(named) == sum("cold-" in text for text in named) > 100


def test_audiences_repeat() -> None:
    """Equal seeds ask the same."""
    one, other = Audience(), Audience()
    for mix in MIXES:
        assert one.of(mix, 20) == other.of(mix, 20)


def test_real_players() -> None:
    """Four devices, half of them with gzip, 200 titles, all speeds, and no address twice, each of
    which can be routed."""
    requests = RealPlayers().requests(8_000)
    taken = [taken_apart(request) for request in requests]
    assert 4 == len({headers["User-Agent"] for _, headers in taken})
    coded = sum(headers["Accept-Encoding"].startswith("gzip") for _, headers in taken)
    assert coded / 8_000 == pytest.approx(0.5, abs=0.03)
    assert 200 == len({target.partition("?")[0] for target, _ in taken})
    speeds = sorted(int(target.partition("?speed=")[2]) for target, _ in taken)
    assert 300 <= speeds[0] < 310
    assert 39_000 < speeds[-1] <= 40_000
    assert speeds[4_000] == pytest.approx(math.sqrt(300 * 40_000), rel=0.1)
    addresses = {IPv4Address(headers["X-Forwarded-For"]) for _, headers in taken}
    assert 8_000 == len(addresses) == len(set(requests))
    assert all(each.is_global and not each.is_multicast for each in addresses)
    assert len({int(each) >> 24 for each in addresses}) > 200


def test_titles_of_real_players() -> None:
    """As many as asked for, at the paths that are given."""
    requests = RealPlayers(titles=3, path=scale.by_number).requests(100)
    found = {taken_apart(request)[0].partition("?")[0] for request in requests}
    assert {f"/v1/play/00000{number}.m3u8" for number in range(3)} == found


def test_prefixes() -> None:
    """A /24, and a /48."""
    assert prefix_of("192.0.2.1") == prefix_of("192.0.2.200") != prefix_of("192.0.3.1")
    assert prefix_of("2001:db8:1::1") == prefix_of("2001:db8:1:f::1") != prefix_of("2001:db8:2::1")


def test_open_loop_times() -> None:
    """Requests are due at the rate that was asked for, in order, and irregularly."""
    due = tail.due_times(500, 5_000)
    assert due == sorted(due)
    assert due[-1] == pytest.approx(10.0, rel=0.05)
    gaps = [after - before for before, after in pairwise(due)]
    assert sum(gap > 2 / 500 for gap in gaps) / len(gaps) == pytest.approx(0.135, abs=0.02)


def test_quantiles() -> None:
    """The value that a share of them does not exceed."""
    values = random.Random(1).sample(range(1000), 1000)
    assert [500, 990, 999] == [tail.quantile(values, share) for share in (0.5, 0.99, 1.0)]


def test_growth() -> None:
    """The slope counts the last half: memory that fills up first and then stays is flat."""
    filling = [(at, Memory(100 + min(at, 300), 0, 0, 0), 0) for at in range(0, 601, 10)]
    growing = [(at, Memory(100 + at / 60, 0, 0, 0), 0) for at in range(0, 601, 10)]
    assert pytest.approx(0.0) == memory.growth_mib_per_h([(float(a), b, c) for a, b, c in filling])
    assert pytest.approx(60.0) == memory.growth_mib_per_h([(float(a), b, c) for a, b, c in growing])


def test_shares_of_a_profile() -> None:
    """Recursion counts once, other threads do not; a library's time is the caller's module's."""
    loop = "main (a.py:1);Runner.run (asyncio/runners.py:86)"
    found = profile.shares(
        [
            f"{loop};f (f.py:1);h (gateway/a.py:7);g (g.py:1) 3",
            f"{loop};h (gateway/a.py:7);f (f.py:1) 1",
            f"{loop};f (f.py:1);f (f.py:1) 1",
            f"{loop} 5",
            "Thread._bootstrap (threading.py:1);wait (threading.py:2) 70",
        ]
    )
    assert 10 == found.samples
    assert {"g (g.py:1)": 0.3, "f (f.py:1)": 0.2, profile.NATIVE: 0.5} == found.own
    whole = {"f (f.py:1)": 0.5, "h (gateway/a.py:7)": 0.4, "g (g.py:1)": 0.3}
    assert whole | {profile.NATIVE: 0.5} == found.whole
    assert {"gateway/a.py": 0.4, "f.py": 0.1, profile.NATIVE: 0.5} == found.modules


def test_the_large_playlist() -> None:
    """30 variants, 60 renditions, and not one fault."""
    found = parse(editing.playlist(), editing.PATH)
    assert (30, 60) == (len(found.variants), editing.playlist().count(b"#EXT-X-MEDIA:"))
    assert () == tuple(found.faults)


@pytest.mark.parametrize("text", [scale.edges(10), scale.rules(10), scale.rules(1_000)])
def test_configs_of_the_scale(text: str, tmp_path: Path) -> None:
    """They are valid, and hold as many as they say."""
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    policy = load(file, {}).policy
    given = tomllib.loads(text)
    assert [len(given.get("edges", policy.edges)), len(given.get("rules", policy.rules))] == [
        len(policy.edges),
        len(policy.rules),
    ]
    assert 10 in (len(policy.edges), len(policy.rules)) or 1_000 == len(policy.rules)


def test_the_catalogue_of_the_scale(tmp_path: Path) -> None:
    """So many playlists by number."""
    scale.catalogue(tmp_path / "root", 7)
    assert 7 == len(list((tmp_path / "root").glob("*.m3u8")))


def test_the_members_of_a_decision() -> None:
    """Names and values, quoted or not, without parameters."""
    header = 'profile=wifi, device=tv, country="US", speed=2100;src=cmcd, edge="a-b", rungs=4'
    expected = {"profile": "wifi", "device": "tv", "country": "US", "edge": "a-b", "rungs": "4"}
    found = decision_of(header)
    assert expected == {name: found[name] for name in expected}


def test_the_opponent_does_the_same_work(tmp_path: Path) -> None:
    """nginx decides as the gateway does but for few odd devices. (Edges differ here: the embedded
    database knows countries, and the gateway spreads their viewers.)"""
    if (why := opponent.missing()) is not None:
        pytest.skip(why)
    ground = Ground(tmp_path, EMBEDDED)
    requests = Audience().new(300)
    with (
        contestants.nginx(ground) as theirs,
        contestants.gateway(ground.config_file()) as ours,
    ):
        found = agreement(theirs.port, ours.port, requests)
    assert min(found.shares[name] for name in ("device", "country", "profile", "rungs")) > 0.95
