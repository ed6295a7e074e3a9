"""Which speed is used, and what is stored for a session."""

import math
from typing import Any

import pytest

from gateway.client.estimate import CLOCK_SKEW_S, FORGOTTEN_S, MAX_SAMPLES, Sample, SessionEstimate
from gateway.client.facts import Throughput
from gateway.client.throughput import FRESH_S, choose_throughput, with_measurement

NOW = 1_800_000_000.0
NOTHING: dict[str, Any] = {
    "query_kbps": None,
    "hint_mbps": None,
    "cmcd_mtp_kbps": None,
    "session": None,
    "downlink_mbps": None,
    "ect": None,
    "now_s": NOW,
}


def remembered(*speeds: float, age_s: float = 0) -> SessionEstimate:
    """A session with these samples, a second apart, the last one ``age_s`` ago."""
    estimate = SessionEstimate()
    for index, kbps in enumerate(speeds):
        estimate = estimate.updated(kbps, NOW - age_s - len(speeds) + 1 + index)
    return estimate


FRESH = remembered(3000, age_s=10)
STALE = remembered(3000, age_s=FRESH_S + 1)


@pytest.mark.parametrize(
    ("given", "speed", "codes"),
    [
        ({}, None, ["speed-unknown"]),
        ({"query_kbps": 2100.4}, (2100.4, "query", 0), ["speed-query"]),
        ({"hint_mbps": 7.5}, (7500, "query", 0), ["speed-query"]),
        ({"cmcd_mtp_kbps": 13.06}, (13.06, "cmcd", 0), ["speed-cmcd"]),
        ({"session": FRESH}, (3000, "session", 10), ["speed-session"]),
        ({"session": remembered(3000, age_s=FRESH_S)}, (3000, "session", FRESH_S), None),
        ({"session": STALE}, (3000, "session", FRESH_S + 1), ["speed-session-stale"]),
        ({"session": SessionEstimate()}, None, ["speed-unknown"]),
        ({"session": remembered(3000, age_s=FORGOTTEN_S + 1)}, None, ["speed-unknown"]),
        ({"session": remembered(3000, age_s=-CLOCK_SKEW_S)}, (3000, "session", 0), None),
        ({"session": remembered(3000, age_s=-CLOCK_SKEW_S - 1)}, None, ["speed-unknown"]),
        ({"downlink_mbps": 1.55, "ect": "4g"}, (1550, "hints", 0), ["speed-hints"]),
        ({"downlink_mbps": 9.975}, (9975, "hints", 0), ["speed-hints"]),
        ({"downlink_mbps": 10.0}, None, ["downlink-capped", "speed-unknown"]),
        ({"downlink_mbps": 10.0, "ect": "3g"}, None, ["downlink-capped", "speed-unknown"]),
        ({"downlink_mbps": math.inf}, None, ["downlink-capped", "speed-unknown"]),
        ({"downlink_mbps": 0.0, "ect": "2g"}, (70, "hints", 0), ["speed-absurd", "speed-hints"]),
        ({"ect": "slow-2g"}, (50, "hints", 0), ["speed-hints"]),
        ({"ect": "2g"}, (70, "hints", 0), ["speed-hints"]),
        ({"ect": "3g"}, (700, "hints", 0), ["speed-hints"]),
        ({"ect": "4g"}, None, ["speed-unknown"]),
        ({"ect": "5g"}, None, ["speed-unknown"]),
        ({"prior_kbps": 6000}, (6000, "prior", 0), ["speed-prior"]),
    ],
)
def test_each_source_speaks_its_own_unit(
    given: dict[str, Any], speed: tuple[float, str, float] | None, codes: list[str] | None
) -> None:
    """Every source alone: its value in kbit/s, its name, its age (F2, D3.3)."""
    chosen, reasons = choose_throughput(**(NOTHING | given))
    assert (Throughput(*speed) if speed else None) == chosen  # type: ignore[arg-type]
    assert (codes or ["speed-session"]) == [reason.code for reason in reasons]


ORDER: list[tuple[dict[str, Any], str]] = [
    ({"query_kbps": 1000}, "1000 query"),
    ({"hint_mbps": 2}, "2000 query"),
    ({"cmcd_mtp_kbps": 3000}, "3000 cmcd"),
    ({"session": remembered(4000)}, "4000 session"),
    ({"downlink_mbps": 5}, "5000 hints"),
    ({"ect": "3g"}, "700 hints"),
    ({"session": remembered(7000, age_s=FRESH_S + 1)}, "7000 session"),
    ({"prior_kbps": 8000}, "8000 prior"),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_order_of_precedence(first: int) -> None:
    """The first source in the documented order is used, even if all later ones are present."""
    given = dict(NOTHING)
    for source, _ in reversed(ORDER[first:]):
        given |= source
    chosen, _ = choose_throughput(**given)
    assert chosen is not None
    assert ORDER[first][1] == f"{chosen.kbps} {chosen.source}"


@pytest.mark.parametrize("absurd", [0, -5, 0.9, 10_000_001, 99_999_999_999, math.nan, math.inf])
@pytest.mark.parametrize("source", ["query_kbps", "cmcd_mtp_kbps", "prior_kbps"])
def test_an_absurd_speed_is_ignored_with_a_reason(source: str, absurd: float) -> None:
    """An implausible speed is ignored, and the next source is used."""
    chosen, reasons = choose_throughput(**(NOTHING | {"downlink_mbps": 5.0, source: absurd}))
    assert Throughput(5000, "hints") == chosen
    assert ("speed-absurd" in [reason.code for reason in reasons]) is (source != "prior_kbps")


@pytest.mark.parametrize("absurd", [0.0009, 10_001, 1e308, -math.inf, math.nan])
def test_an_absurd_hint_is_ignored(absurd: float) -> None:
    """The limits apply to values in Mbit/s as well."""
    expected = (None, ["speed-absurd", "speed-unknown"])
    chosen, reasons = choose_throughput(**(NOTHING | {"hint_mbps": absurd}))
    assert expected == (chosen, [reason.code for reason in reasons])


@pytest.mark.parametrize(("kbps", "expected"), [(8, 8), (10_000_000, 10_000_000)])
def test_the_bounds_are_usable(kbps: float, expected: int) -> None:
    """8 kbit/s and 10 Gbit/s are plausible speeds."""
    chosen, _ = choose_throughput(**(NOTHING | {"query_kbps": kbps}))
    assert Throughput(expected, "query") == chosen


@pytest.mark.parametrize(
    ("chosen", "speeds"),
    [
        (None, None),
        (Throughput(9000, "query"), [3000, 9000]),
        (Throughput(9000, "cmcd"), [3000, 9000]),
        (Throughput(9000, "session"), None),
        (Throughput(9000, "hints"), None),
        (Throughput(9000, "prior"), None),
    ],
)
def test_only_the_players_own_measurement_is_remembered(
    chosen: Throughput | None, speeds: list[int] | None
) -> None:
    """Only measurements of the request are added to the session."""
    updated = with_measurement(remembered(3000), chosen, NOW)
    assert speeds == (updated and [sample.kbps for sample in updated.samples])


def test_a_first_measurement_starts_a_session() -> None:
    """The estimate of a new session starts with this sample."""
    expected = SessionEstimate((Sample(2100, int(NOW)),))
    assert expected == with_measurement(None, Throughput(2100, "query"), NOW)


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ([], 0),
        ([5000], 5000),
        ([5000, 500_000], 5000),
        ([5000, 50], 50),
        ([5000, 5100, 500_000], 5100),
        ([5000, 5100, 50], 5000),
        ([5000, 500_000, 5100], 5100),
        ([500_000, 5000, 5100], 5100),
        ([5000, 5000, 5000, 5000, 500_000], 5000),
        ([5000, 5000, 5000, 5000, 50], 5000),
        ([5000, 5000, 5000, 700, 800], 800),
        ([700, 700, 700, 5000, 5100], 5000),
        ([1, 2, 9_000_000, 9_000_000, 9_000_000, 4000, 4000, 4000], 4000),
    ],
)
def test_one_outlier_cannot_swing_the_estimate(speeds: list[float], expected: int) -> None:
    """Among three or more samples, one outlier never decides, but two that agree do."""
    assert expected == remembered(*speeds).kbps()


@pytest.mark.parametrize("absurd", [0, -1, 0.9, 1e9, math.nan, math.inf])
def test_an_absurd_sample_is_not_remembered(absurd: float) -> None:
    """An implausible speed does not change the estimate."""
    assert remembered(5000) == remembered(5000).updated(absurd, NOW)


def test_only_the_last_samples_are_kept() -> None:
    """The number of samples is bounded."""
    speeds = range(1000, 1000 + 2 * MAX_SAMPLES)
    expected = list(speeds)[-MAX_SAMPLES:]
    assert expected == [sample.kbps for sample in remembered(*speeds).samples]


@pytest.mark.parametrize(
    ("age_s", "speeds"),
    [(FORGOTTEN_S, [3000, 9000]), (FORGOTTEN_S + 1, [9000]), (-CLOCK_SKEW_S - 1, [9000])],
)
def test_forgotten_samples_and_those_from_the_future_are_dropped(
    age_s: float, speeds: list[int]
) -> None:
    """Samples that are too old or in the future are dropped."""
    updated = remembered(3000, age_s=age_s).updated(9000, NOW)
    assert speeds == [sample.kbps for sample in updated.samples]


def test_samples_stay_in_order_when_clocks_differ() -> None:
    """Times never go back when another gateway's clock is a little ahead."""
    updated = remembered(3000, age_s=-5).updated(9000, NOW)
    assert [Sample(3000, int(NOW) + 5), Sample(9000, int(NOW) + 5)] == list(updated.samples)


@pytest.mark.parametrize(
    ("estimate", "age_s"),
    [
        (remembered(1000, age_s=7), 7),
        (remembered(1000, age_s=-7), 0),
        (SessionEstimate(), math.inf),
    ],
)
def test_the_age_is_that_of_the_last_sample(estimate: SessionEstimate, age_s: float) -> None:
    """The age is never negative; without samples it is infinite."""
    assert age_s == estimate.age_s(NOW)


def test_the_stored_form() -> None:
    """A format byte, then the speed and time of each sample; other versions must read it."""
    stored = SessionEstimate((Sample(8, 1), Sample(65_536, 2))).to_bytes()
    assert "01 00000008 0000000000000001 00010000 0000000000000002".replace(" ", "") == stored.hex()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02",
        b"garbage",
        b"\x01" + b"\x00" * 11,
        b"\x01" + b"\x00" * 12,
        b"\x01" + b"\xff" * 12,
        b"\x02" + SessionEstimate((Sample(8, 1),)).to_bytes()[1:],
        SessionEstimate((Sample(8, 1),)).to_bytes() + b"x",
        SessionEstimate((Sample(8, 2), Sample(8, 1))).to_bytes(),
        SessionEstimate((Sample(8, 1),) * (MAX_SAMPLES + 1)).to_bytes(),
    ],
)
def test_garbage_in_the_store_is_no_session(data: bytes) -> None:
    """Other formats, cut data, implausible speeds, wrong order and too many samples give None."""
    assert SessionEstimate.from_bytes(data) is None


@pytest.mark.parametrize("estimate", [SessionEstimate(), FRESH, remembered(1, 8, 2000, 10_000_000)])
def test_what_was_stored_comes_back(estimate: SessionEstimate) -> None:
    """What was written can be read back unchanged."""
    assert estimate == SessionEstimate.from_bytes(estimate.to_bytes())
