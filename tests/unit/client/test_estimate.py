"""One estimate from all that measured a session's speed."""

import math
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from gateway.client.estimate import (
    CLOCK_SKEW_S,
    MAX_BYTES,
    MAX_SAMPLES,
    Sample,
    SampleSource,
    SessionEstimate,
)
from tests.unit.client.estimating import CONFIG, NOW, remembered

T = int(NOW)


def speed_of(estimate: SessionEstimate, now_s: float = NOW) -> int | None:
    """The estimate in kbit/s."""
    found = estimate.at(now_s, CONFIG)
    return found and found.kbps


def held(*samples: tuple[int, SampleSource, int]) -> SessionEstimate:
    """Samples as (seconds before now, source, kbit/s), in any order."""
    estimate = SessionEstimate()
    for age_s, source, kbps in samples:
        estimate = estimate.updated(kbps, source, NOW, CONFIG, NOW - age_s)
    return estimate


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ([], None),
        ([5000], 5000),
        ([5000, 500_000], 6250),
        ([5000, 50], 50),
        ([5000, 5100, 500_000], 6375),
        ([5000, 5100, 50], 2500),
        ([5000, 5100, 6300], 6300),
        ([5000, 5100, 2600], 2600),
        ([5000, 500_000, 5100], 5100),
        ([500_000, 5000, 5100], 5100),
        ([5000, 5000, 5000, 5000, 500_000], 6250),
        ([5000, 5000, 5000, 5000, 50], 2500),
        ([5000, 5000, 5000, 700, 800], 800),
        ([700, 700, 700, 5000, 5100], 5100),
        ([10_000_000] * 3, 10_000_000),
        ([9_000_000, 9_000_000, 10_000_000], 10_000_000),
        ([1, 1, 1], 1),
        ([*[9_000_000] * 3, *[4000] * MAX_SAMPLES], 4000),
    ],
)
def test_one_outlier_cannot_swing_the_estimate(speeds: list[float], expected: int | None) -> None:
    """The newest sample counts within 1.25 and 1/2 of the median. Among three or more samples, one
    outlier never decides the median, but two that agree do."""
    assert expected == speed_of(remembered(*speeds))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        # One that is wrong, long after the others, moves the median to its neighbour at most.
        ([(160, "cmcd", 5000), (130, "cmcd", 5200), (0, "cmcd", 5_000_000)], 6500),
        ([(260, "cmcd", 5000), (230, "cmcd", 5200), (0, "cmcd", 5)], 2500),
        # After a very long pause, the new one counts alone.
        ([(1060, "cmcd", 5000), (1030, "cmcd", 5200), (0, "cmcd", 900)], 900),
        ([(1060, "cmcd", 5000), (1030, "cmcd", 5200), (0, "cmcd", 90_000)], 90_000),
        # Of two, the lower one; unless one of them is very old.
        ([(240, "cmcd", 900), (0, "cmcd", 90_000)], 1125),
        ([(600, "cmcd", 900), (0, "cmcd", 90_000)], 90_000),
        # What several sources say is one estimate.
        ([(30, "query", 5000), (20, "steering", 5200), (10, "probe", 5100)], 5100),
        # What several sources measure at the same time has a fixed order.
        ([(20, "probe", 9000), (20, "query", 5000), (20, "cmcd", 5100)], 5000),
    ],
)
def test_weights(samples: list[tuple[int, SampleSource, int]], expected: int) -> None:
    """Newer samples weigh more, by order and by age; no single one outweighs all others."""
    assert expected == speed_of(held(*samples))


def test_a_flood_of_reports_is_one_sample() -> None:
    """A player that reports often in a short time is heard once, and its lowest report counts."""
    estimate = remembered(5000, 5100, 5000, age_s=10)
    for index in range(1000):
        estimate = estimate.updated(9_000_000 - index, "cmcd", NOW + index / 1000, CONFIG)
    assert 4 == len(estimate.samples)
    assert Sample(T, "cmcd", 9_000_000 - 999) == estimate.samples[-1]
    assert 5100 * CONFIG.rise_factor == speed_of(estimate)


def test_the_order_of_arrival_does_not_matter() -> None:
    """Reports of other workers arrive late or twice; the estimate is the same."""
    samples: list[tuple[int, SampleSource, int]] = [
        (0, "cmcd", 900),
        (3, "cmcd", 700),
        (9, "probe", 4000),
        (9, "steering", 3000),
        (4000, "query", 10),
        (3500, "query", 20),
    ]
    expected = held(*samples)
    for order in permutations(samples):
        assert expected == held(*order)
    twice = held(*samples, *samples)
    assert expected == twice == expected.merged(held(*samples[3:]), CONFIG)


@pytest.mark.parametrize("absurd", [0, -1, 0.9, 1e9, math.nan, math.inf])
def test_an_absurd_sample_is_not_remembered(absurd: float) -> None:
    """An implausible speed does not change the estimate."""
    assert remembered(5000) == remembered(5000).updated(absurd, "query", NOW, CONFIG)


def test_only_the_newest_samples_are_kept() -> None:
    """The number of samples is bounded."""
    speeds = range(1000, 1000 + 2 * MAX_SAMPLES)
    expected = list(speeds)[-MAX_SAMPLES:]
    assert expected == [sample.kbps for sample in remembered(*speeds).samples]


@pytest.mark.parametrize(
    ("age_s", "speeds"),
    [
        (CONFIG.forget_s, [3000, 9000]),
        (CONFIG.forget_s + CONFIG.spacing_s, [9000]),
        (-CLOCK_SKEW_S, [3000, 9000]),
        (-CLOCK_SKEW_S - 1, [9000]),
    ],
)
def test_forgotten_samples_and_those_from_the_future_are_dropped(
    age_s: float, speeds: list[int]
) -> None:
    """Samples that are too old, or that a wrong clock dated in the future, are dropped."""
    updated = remembered(3000, age_s=age_s).updated(9000, "cmcd", NOW, CONFIG)
    assert sorted(speeds) == sorted(sample.kbps for sample in updated.samples)


@pytest.mark.parametrize(
    ("measured_s", "time_s"),
    [
        (None, T),
        (NOW - 7.5, T - 8),
        (NOW + 3600, T),
        (math.nan, T),
        (math.inf, T),
        (-5.0, 0),
        (-math.inf, 0),
    ],
)
def test_the_time_of_a_report_is_not_believed_into_the_future(
    measured_s: float | None, time_s: int
) -> None:
    """A player's clock may be wrong: a report cannot have been measured after it arrived."""
    estimate = SessionEstimate().updated(3000, "cmcd", NOW, CONFIG, measured_s)
    assert [Sample(time_s, "cmcd", 3000)] == list(estimate.samples)


@pytest.mark.parametrize(
    ("estimate", "age_s", "confidence"),
    [
        (remembered(1000), 0, 0.5),
        (remembered(1000, age_s=7), 7, 0.49),
        (remembered(1000, age_s=-7), 0, 0.5),
        (remembered(1000, age_s=120), 120, 0.33),
        (remembered(1000, age_s=600), 600, 0.03),
        (remembered(1000, 1100), 0, 0.63),
        (remembered(*[1000] * MAX_SAMPLES), 0, 0.75),
        (remembered(*[1000] * MAX_SAMPLES, age_s=300), 300, 0.35),
        (remembered(1000, 9000), 0, 0.25),
        (remembered(100, 9000, 1000), 0, 0.32),
        (remembered(1000, source="probe"), 0, 0.33),
        (remembered(1000, age_s=-CLOCK_SKEW_S - 1), None, None),
        (SessionEstimate(), None, None),
    ],
)
def test_age_and_confidence(
    estimate: SessionEstimate, age_s: float | None, confidence: float | None
) -> None:
    """Confidence grows with samples that agree; age and contradiction lower it."""
    found = estimate.at(NOW, CONFIG)
    actual = (None, None) if found is None else (found.age_s, round(found.confidence, 2))
    assert (age_s, confidence) == actual


def test_the_stored_form() -> None:
    """Format, newest time; then source, speed and age of each sample. Other versions read it."""
    estimate = SessionEstimate((Sample(1, "query", 8), Sample(258, "probe", 65_536)))
    expected = "02 00000102 00 000008 0101 03 010000 0000"
    assert expected.replace(" ", "") == estimate.to_bytes().hex()
    assert "0200000000" == SessionEstimate().to_bytes().hex()


def test_it_is_small() -> None:
    """A full estimate has 53 bytes, so that it fits into a URL as well."""
    full = remembered(*[10_000_000] * MAX_SAMPLES)
    assert MAX_BYTES == len(full.to_bytes()) == 53


@pytest.mark.parametrize(
    "estimate",
    [
        SessionEstimate(),
        remembered(1, 8, 2000, 10_000_000),
        remembered(*range(1, MAX_SAMPLES + 1), source="steering"),
        held((0, "cmcd", 3), (0, "probe", 3), (0, "query", 4), (3600, "steering", 1)),
        held((0, "cmcd", 3)).merged(remembered(7, age_s=-60), CONFIG),
        remembered(1, 2, apart_s=43_200).updated(
            3, "query", NOW, replace(CONFIG, forget_s=43_200, spacing_s=60)
        ),
    ],
)
def test_what_was_stored_comes_back(estimate: SessionEstimate) -> None:
    """What was written can be read back unchanged."""
    assert estimate == SessionEstimate.from_bytes(estimate.to_bytes())


def test_the_format_before_is_read() -> None:
    """Records that the previous version wrote: speed and time of each sample, no source."""
    stored = "01 00000008 0000000000000001 00010000 0000000000000002 00010000 0000000000000002"
    expected = SessionEstimate((Sample(1, "cmcd", 8), Sample(2, "cmcd", 65_536)))
    assert expected == SessionEstimate.from_bytes(bytes.fromhex(stored))


HEAD = bytes.fromhex("02 00000102")
ONE = bytes.fromhex("00 000008 0000")
OLDER = bytes.fromhex("00 000008 0001")
TABLE: list[Any] = [
    b"",
    b"\x02",
    b"\x03" + (HEAD + ONE)[1:],
    b"garbage",
    HEAD,  # a time without a sample
    HEAD + ONE[:-1],
    HEAD + ONE + b"x",
    HEAD + OLDER,  # the newest is older than it says
    HEAD + ONE + OLDER,  # out of order
    HEAD + ONE + ONE,  # the same sample twice
    HEAD + b"\x04" + ONE[1:],  # no such source
    HEAD + bytes.fromhex("00 000000 0000"),  # 0 kbit/s
    HEAD + bytes.fromhex("00 989681 0000"),  # 10,000,001 kbit/s
    HEAD + bytes.fromhex("00 000008 0103") + ONE,  # before 1970
    HEAD + b"".join(ONE[:-1] + bytes([8 - age]) for age in range(MAX_SAMPLES + 1)),
    b"\x01" + b"\x00" * 11,
    b"\x01" + b"\x00" * 12,
    b"\x01" + b"\xff" * 12,
    b"\x01" + bytes.fromhex("00000008 0000000100000000"),  # after 2106
    b"\x01" + bytes.fromhex("00000008 0000000000000001 00000008 0000000000010001"),  # too far apart
    b"\x01" + b"\x00\x00\x00\x08" + b"\x00" * 8 * 9,
]


@pytest.mark.parametrize("data", TABLE)
def test_garbage_is_no_estimate(data: bytes) -> None:
    """Other formats, cut data, values out of range, wrong order, too many samples give None."""
    assert SessionEstimate.from_bytes(data) is None


@pytest.mark.parametrize(
    ("samples", "source"),
    [
        ([(30, "cmcd", 5000), (20, "cmcd", 5100), (10, "probe", 5200)], "probe"),
        ([(30, "cmcd", 5000), (20, "cmcd", 5100), (10, "probe", 900)], "cmcd"),
        ([(30, "probe", 5000), (20, "probe", 5100), (10, "query", 900_000)], "probe"),
        ([(30, "probe", 5000), (20, "steering", 5100), (10, "query", 5200)], "query"),
    ],
)
def test_what_decided(samples: list[tuple[int, SampleSource, int]], source: str) -> None:
    """The newest sample where it counts as it is, else the one that is the median."""
    found = held(*samples).at(NOW, CONFIG)
    assert found is not None
    assert source == found.source


@pytest.mark.parametrize("count", range(12))
def test_samples_may_come_together(count: int) -> None:
    """As if they came one after the other: in any order of time, implausible and future ones
    too."""
    taken = [(1000.0 + 7 * n, NOW - (n * 37) % 100) for n in range(count)]
    taken += [(0.0, NOW), (math.nan, NOW), (3000.0, NOW + 500)][: count % 4]
    before = SessionEstimate().updated(5000, "query", NOW - 200, CONFIG)
    one_by_one = before
    for kbps, measured_s in taken:
        one_by_one = one_by_one.updated(kbps, "cmcd", NOW, CONFIG, measured_s)
    assert one_by_one == before.updated_together(taken, "cmcd", NOW, CONFIG)


def test_a_second_sample_of_the_same_second() -> None:
    """The lowest counts; one that is not lower changes nothing, so nothing is written."""
    before = held((10, "cmcd", 5000), (0, "cmcd", 4000))
    assert before is before.updated(4000, "cmcd", NOW, CONFIG)
    assert before is before.updated(9000, "cmcd", NOW, CONFIG)
    assert held((10, "cmcd", 5000), (0, "cmcd", 700)) == before.updated(700, "cmcd", NOW, CONFIG)
    assert before != before.updated(9000, "probe", NOW, CONFIG)
