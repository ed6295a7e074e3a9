"""The audience of the load test and the benchmark is the one that they promise."""

import random
from collections import Counter
from ipaddress import ip_address
from itertools import islice

import pytest

from geodata.lookup import EMBEDDED, GeoLookup
from tests.load.devices import devices
from tests.load.population import SEED, TITLES, USER_AGENTS, PlayRequest, Population

COUNT = 20_000


@pytest.fixture(scope="module")
def requests() -> list[PlayRequest]:
    """What the audience asks for first."""
    audience = Population()
    return [audience.next_request() for _ in range(COUNT)]


def header(request: PlayRequest, name: str) -> str | None:
    """The value of a request's header."""
    return dict(request.headers).get(name)


def session(request: PlayRequest) -> str | None:
    """The session that a request names, wherever it does."""
    text = f"{request.query} {header(request, 'CMCD-Session')}"
    found = [word for word in text.replace("%22", " ").replace('"', " ").split() if "-0" in word]
    return found[0].removeprefix("session=").rpartition("session=")[2] if found else None


def test_equal_seeds_ask_the_same(requests: list[PlayRequest]) -> None:
    """Figures of two runs can be compared; another seed asks something else."""
    again, other = Population(), Population(SEED + 1)
    assert requests[:500] == [again.next_request() for _ in range(500)]
    assert requests[:500] != [other.next_request() for _ in range(500)]


def test_user_agents() -> None:
    """As many as promised, all different, and every class among them."""
    found = devices(USER_AGENTS, random.Random(SEED))
    assert USER_AGENTS == len({dict(device.headers)["User-Agent"] for device in found})
    seen = Counter(device.kind for device in found)
    assert {"phone": 900, "desktop": 520, "tv": 380, "tablet": 140, "console": 60} == seen


def test_places(requests: list[PlayRequest]) -> None:
    """Every inhabited continent, both address families, and some that nobody can place."""
    lookup = GeoLookup(EMBEDDED, None, None)
    addresses = [ip_address(header(request, "X-Forwarded-For") or "") for request in requests]
    seen = Counter(lookup.place(address).continent for address in addresses)
    for continent in ("AF", "AS", "EU", "NA", "OC", "SA", None):
        assert seen[continent] > COUNT // 100, continent
    assert {4, 6} == {address.version for address in addresses}


def test_titles(requests: list[PlayRequest]) -> None:
    """Zipf: the first title twice as often as the second, ten times as often as the tenth."""
    seen = Counter(request.path for request in requests)
    assert TITLES == len(seen)
    ranked = [seen[f"/v1/play/film/{rank:03}"] for rank in (1, 2, 10)]
    assert ranked[0] / ranked[1] == pytest.approx(2, rel=0.15)
    assert ranked[0] / ranked[2] == pytest.approx(10, rel=0.15)


@pytest.mark.parametrize(
    ("name", "share"), [("cmcd", 1 / 3), ("speed", 1 / 3), ("gzip", 1 / 2), ("returning", 1 / 3)]
)
def test_shares(requests: list[PlayRequest], name: str, share: float) -> None:
    """The mix in the docstring of ``population.py``."""
    known: set[str] = set()
    seen = Counter[str]()
    for request in islice(requests, 2_000, None):  # after the first sessions have begun
        seen["cmcd"] += "CMCD=" in request.query or header(request, "CMCD-Request") is not None
        seen["speed"] += "speed=" in request.query
        seen["gzip"] += header(request, "Accept-Encoding") == "gzip"
    for number, request in enumerate(requests):
        who = session(request)
        if who is not None:
            seen["returning"] += number >= 2_000 and who in known
            known.add(who)
    assert seen[name] / (COUNT - 2_000) == pytest.approx(share, abs=0.03)


def test_targets() -> None:
    """The extension goes before the query."""
    request = PlayRequest("/v1/play/film/001", "speed=900", ())
    assert "/v1/play/film/001.m3u8?speed=900" == request.target()
    assert "/v1/play/film/001?speed=900" == request.target("")
    assert "/v1/play/film/001.m3u8" == PlayRequest("/v1/play/film/001", "", ()).target()
