"""What other viewers of a network measure, without showing any of them."""

import math
import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest

from gateway.client.address import viewer_prefix
from gateway.client.prior import (
    MAX_BYTES,
    SLOTS,
    STEP,
    PriorSketch,
    is_network,
    network_name,
    published,
    read_published,
    rounded,
    viewer_slot,
)
from gateway.config.build import prior_config_of
from gateway.config.load import load
from geodata.place import Place

CONFIG = prior_config_of(load(environ={}).settings)
ORANGE = Place("found", "FR", "EU", asn=3215)
NO_ASN = Place("found", "FR", "EU")
NOW = 1_800_000_000


def prefix(address: str) -> str:
    """The prefix of a viewer's address."""
    return viewer_prefix(ip_address(address))


def sketch(*speeds: int) -> PriorSketch:
    """One viewer for each speed."""
    return PriorSketch().with_viewers(dict(enumerate(speeds)))


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ((ORANGE, "90.1.2.3", "phone"), (ORANGE, "2.3.4.5", "phone"), True),
        ((ORANGE, "90.1.2.3", "phone"), (ORANGE, "90.1.2.3", "tv"), False),
        (
            (ORANGE, "90.1.2.3", "phone"),
            (ORANGE._replace(country="BE"), "90.1.2.3", "phone"),
            False,
        ),
        ((ORANGE, "90.1.2.3", "phone"), (ORANGE._replace(asn=3216), "90.1.2.3", "phone"), False),
        ((ORANGE, "90.1.2.3", "phone"), (NO_ASN, "90.1.2.3", "phone"), False),
        ((NO_ASN, "90.1.2.3", "phone"), (NO_ASN, "90.1.200.3", "phone"), True),
        ((NO_ASN, "90.1.2.3", "phone"), (NO_ASN, "90.2.2.3", "phone"), False),
        ((NO_ASN, "2001:db8:1::1", "tv"), (NO_ASN, "2001:db8:2::1", "tv"), True),
        ((NO_ASN, "2001:db8::1", "tv"), (NO_ASN, "2001:db8:2::1", "tv"), True),
        ((NO_ASN, "2001:db8:1::1", "tv"), (NO_ASN, "2001:db9:1::1", "tv"), False),
        ((NO_ASN, "90.1.2.3", "phone"), (Place("unknown"), "90.1.2.3", "phone"), False),
    ],
)
def test_a_network(one: tuple[Place, str, str], two: tuple[Place, str, str], *, same: bool) -> None:
    """A network is an AS (or a prefix), a country and a class of devices."""
    names = [network_name(place, prefix(address), device) for place, address, device in (one, two)]
    assert same is (names[0] == names[1])
    assert all(map(is_network, names))


@pytest.mark.parametrize(
    ("place", "address", "expected"),
    [
        (ORANGE, "90.1.2.3", "3215 FR phone"),
        (ORANGE._replace(asn=2**32 - 1), "90.1.2.3", "4294967295 FR phone"),
        (NO_ASN, "90.1.2.3", "xd2d584b1 FR phone"),
        (Place("unknown"), "203.113.2.3", "x5ca29ff0 None phone"),
        (NO_ASN, "2001:db8:1::1", "x3d137222 FR phone"),
    ],
)
def test_the_name_of_a_network(place: Place, address: str, expected: str) -> None:
    """It names nobody, and has nothing of an address."""
    assert expected == network_name(place, prefix(address), "phone")


@pytest.mark.parametrize(
    "name", ["", "window", "3215", "3215 FR phone ", "3215 FR pho\u00f1e", "x FR tv"]
)
def test_what_is_no_network(name: str) -> None:
    """Redis may hold anything."""
    assert not is_network(name)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("90.1.2.3", "90.1.2.250", True),
        ("90.1.2.3", "90.1.3.3", False),
        ("2001:db8:1:100::1", "2001:db8:1:ffff::2", True),
        ("2001:db8:1::1", "2001:db8:1:ffff::2", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
        ("2001:db8::1", "2001:db8:0:ff00::1", True),
    ],
)
def test_a_viewer_is_a_household(one: str, two: str, *, same: bool) -> None:
    """All addresses of a household have one slot. (These have different ones otherwise.)"""
    slots = viewer_slot(prefix(one)), viewer_slot(prefix(two))
    assert same is (slots[0] == slots[1])
    assert all(0 <= slot < SLOTS for slot in slots)


def test_a_viewer_counts_once() -> None:
    """Whatever a viewer measures later, and through whichever worker, it is one of the crowd."""
    crowd = sketch(*[5000] * 40)
    assert 40 == crowd.population
    assert crowd is crowd.with_viewers(dict.fromkeys(range(40), 90000))
    more = crowd.with_viewers({0: 90_000, 40: 6000})
    assert 41 == more.population
    assert 5000 == round(more.centroids[0][0])
    assert 6000 == round(more.centroids[-1][0])


def test_viewers_who_share_a_slot_are_one() -> None:
    """The population is never larger than the number of viewers, and has a bound."""
    prefixes = {prefix(f"10.{one}.{two}.0") for one in range(10) for two in range(100)}
    speeds = {viewer_slot(text): 3000 for text in prefixes}
    full = PriorSketch().with_viewers(speeds)
    assert full.population == len(speeds) <= SLOTS < len(prefixes)
    assert SLOTS * 0.9 < full.population
    assert len(full.to_bytes()) <= MAX_BYTES


@pytest.mark.parametrize(
    ("viewers", "expected"),
    [
        ([5000] * (CONFIG.min_viewers - 1), None),
        ([5000] * CONFIG.min_viewers, 4814),
        ([4038] * CONFIG.min_viewers, 3851),
        ([1000] * 20 + [9000] * 40, 807),
        ([1000] * 14 + [9000] * 46, 7523),
        ([1] * 60, 1),
        ([10_000_000] * 60, 9_495_567),
    ],
)
def test_a_low_quantile_of_enough_viewers(viewers: list[int], expected: int | None) -> None:
    """Too few viewers have no prior. Else it is a power of 1.25 not above the 25th percentile."""
    assert expected == sketch(*map(rounded, viewers)).prior_kbps(CONFIG)


def test_one_viewer_does_not_show() -> None:
    """Where speeds are spread, whatever one viewer measures moves the prior by a step at most."""
    others = [2000 + 100 * (index % 20) for index in range(CONFIG.min_viewers - 1)]
    found = {sketch(*others, mine).prior_kbps(CONFIG) for mine in (1, 500, 2400, 90_000, 10**7)}
    known = sorted(kbps for kbps in found if kbps is not None)
    assert len(known) == len(found) <= 2
    assert known[-1] / known[0] < STEP * 1.01


def test_without_a_minimum_nothing_is_still_nothing() -> None:
    """No viewers have no prior, whatever the config."""
    assert PriorSketch().prior_kbps(replace(CONFIG, min_viewers=0)) is None


def test_workers_may_add_in_any_order() -> None:
    """The sketch that results has the same viewers, and nearly the same quantile."""
    speeds = {slot: rounded(500 * 1.02**slot) for slot in range(200)}
    parts = [{s: k for s, k in speeds.items() if s % 3 == part} for part in range(3)]
    at_once, by_parts, backwards = PriorSketch().with_viewers(speeds), PriorSketch(), PriorSketch()
    for part in parts:
        by_parts = by_parts.with_viewers(part)
    for part in reversed(parts):
        backwards = backwards.with_viewers(part)
    assert at_once.viewers == by_parts.viewers == backwards.viewers
    quantiles = [one.prior_kbps(CONFIG) or 0 for one in (at_once, by_parts, backwards)]
    exact = sorted(speeds.values())[50]
    assert all(exact / STEP**2 < kbps <= exact * 1.05 for kbps in quantiles)


@pytest.mark.parametrize(
    ("kbps", "expected"), [(1, 1), (0.4, 1), (94.9, 95), (5149, 5100), (10_000_000, 10_000_000)]
)
def test_speeds_are_rounded(kbps: float, expected: int) -> None:
    """Two digits say enough of a speed."""
    assert expected == rounded(kbps)


@pytest.mark.parametrize(
    "stored", [PriorSketch(), sketch(3000), sketch(*range(1000, 20_000, 100)), sketch(1, 10**7)]
)
def test_what_was_stored_comes_back(stored: PriorSketch) -> None:
    """A sketch can be written and read back, and is small."""
    assert stored == PriorSketch.from_bytes(stored.to_bytes())
    assert len(stored.to_bytes()) <= 33 + 6 * 32


def test_the_stored_form() -> None:
    """Format, 256 bits, and for each centroid its mean and its viewers."""
    expected = b"\x01" + b"\0" * 31 + b"\x05" + struct.pack(">fHfH", 800, 1, 3000, 1)
    assert expected == PriorSketch().with_viewers({0: 3000, 2: 800}).to_bytes()


BITS = b"\x01" + b"\0" * 31 + b"\x03"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        BITS[:-1],
        BITS,  # two viewers, and no speed
        b"\x02" + BITS[1:] + struct.pack(">fH", 3000, 2),
        BITS + struct.pack(">fH", 3000, 1),
        BITS + struct.pack(">fH", 3000, 3),
        BITS + struct.pack(">fH", 3000, 2) + b"x",
        BITS + struct.pack(">fHfH", 3000, 2, 4000, 0),
        BITS + struct.pack(">fHfH", 3000, 1, 2000, 1),
        BITS + struct.pack(">fH", math.nan, 2),
        BITS + struct.pack(">fH", math.inf, 2),
        BITS + struct.pack(">fH", 0.0, 2),
        BITS + struct.pack(">fH", -3000.0, 2),
        BITS + struct.pack(">fHfH", 3000, 1, math.nan, 1),
        BITS + struct.pack(">fH", 3000, 1) * 100,
    ],
)
def test_garbage_is_no_sketch(data: bytes) -> None:
    """Other formats, cut data, speeds out of range, and counts that do not fit give None."""
    assert PriorSketch.from_bytes(data) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (published(5000, NOW), 5000),
        (published(5000, NOW - CONFIG.keep_s), 5000),
        (published(5000, NOW - CONFIG.keep_s - 1), None),
        (published(5000, NOW + CONFIG.window_s), 5000),
        (published(5000, NOW + CONFIG.window_s + 1), None),
        (published(0, NOW), None),
        (published(10_000_001, NOW), None),
        (b"", None),
        (published(5000, NOW) + b"x", None),
    ],
)
def test_a_published_prior(data: bytes, expected: int | None) -> None:
    """A prior expires, and garbage is none."""
    assert expected == read_published(data, NOW, CONFIG)
