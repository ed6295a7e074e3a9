"""Which speed is used, and what is stored for a session."""

import math
from dataclasses import replace
from typing import Any

import pytest

from gateway.client.estimate import CLOCK_SKEW_S, SampleSource, SessionEstimate
from gateway.client.facts import Throughput
from gateway.client.throughput import (
    MIN_PROBE_BYTES,
    Measurement,
    assume_prior,
    choose_throughput,
    probe_kbps,
    steering_kbps,
    with_hint,
    with_measurement,
)
from tests.unit.client.estimating import CONFIG, NOW, remembered

NOTHING: dict[str, Any] = {
    "query_kbps": None,
    "hint_mbps": None,
    "cmcd_mtp_kbps": None,
    "session": None,
    "downlink_mbps": None,
    "ect": None,
    "now_s": NOW,
    "config": CONFIG,
}
FRESH = remembered(3000, age_s=10)
STALE = remembered(3000, age_s=301)


def chosen_of(given: dict[str, Any]) -> tuple[str | None, list[str]]:
    """The speed that is used with its source, and the codes of the reasons."""
    chosen = choose_throughput(**(NOTHING | given))
    speed = chosen.speed
    found = None if speed is None else f"{speed.kbps:g} {speed.source}"
    return found, [reason.code for reason in chosen.reasons]


@pytest.mark.parametrize(
    ("given", "speed", "codes"),
    [
        ({}, None, ["speed-unknown"]),
        ({"query_kbps": 2100.4}, (2100.4, "query", 0), ["speed-query"]),
        ({"hint_mbps": 7.5}, (7500, "query", 0), ["speed-query"]),
        ({"cmcd_mtp_kbps": 13.06}, (13.06, "cmcd", 0), ["speed-cmcd"]),
        ({"session": FRESH}, (3000, "session", 10), ["speed-session"]),
        ({"session": remembered(3000, age_s=299)}, (3000, "session", 299), None),
        ({"session": STALE}, (3000, "session", 301), ["speed-session-stale"]),
        ({"session": remembered(3000, source="probe")}, (3000, "probe", 0), None),
        ({"session": remembered(3000, source="steering")}, (3000, "steering", 0), None),
        ({"session": remembered(3000, source="query")}, (3000, "session", 0), None),
        ({"session": SessionEstimate()}, None, ["speed-unknown"]),
        ({"session": remembered(3000, age_s=CONFIG.forget_s + 1)}, None, ["speed-unknown"]),
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
    ],
)
def test_each_source_speaks_its_own_unit(
    given: dict[str, Any], speed: tuple[float, str, float] | None, codes: list[str] | None
) -> None:
    """Every source alone: its value in kbit/s, its name, its age (F2, D3.3)."""
    chosen = choose_throughput(**(NOTHING | given))
    found = chosen.speed and (chosen.speed.kbps, chosen.speed.source, chosen.speed.age_s)
    assert (speed, codes or ["speed-session"]) == (
        found,
        [reason.code for reason in chosen.reasons],
    )


ORDER: list[tuple[dict[str, Any], str]] = [
    ({"query_kbps": 1000}, "1000 query"),
    ({"hint_mbps": 2}, "2000 query"),
    ({"cmcd_mtp_kbps": 3000}, "3000 cmcd"),
    ({"session": remembered(4000)}, "4000 session"),
    ({"downlink_mbps": 5}, "5000 hints"),
    ({"ect": "3g"}, "700 hints"),
    ({"session": remembered(7000, age_s=301)}, "7000 session"),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_order_of_precedence(first: int) -> None:
    """The first source in the documented order is used, even if all later ones are present."""
    given = dict(NOTHING)
    for source, _ in reversed(ORDER[first:]):
        given |= source
    assert ORDER[first][1] == chosen_of(given)[0]


@pytest.mark.parametrize("absurd", [0, -5, 0.9, 10_000_001, 99_999_999_999, math.nan, math.inf])
@pytest.mark.parametrize("source", ["query_kbps", "cmcd_mtp_kbps"])
def test_an_absurd_speed_is_ignored_with_a_reason(source: str, absurd: float) -> None:
    """An implausible speed is ignored, and the next source is used."""
    chosen, codes = chosen_of({"downlink_mbps": 5.0, source: absurd})
    assert "5000 hints" == chosen
    assert "speed-absurd" in codes


@pytest.mark.parametrize("absurd", [0.0009, 10_001, 1e308, -math.inf, math.nan])
def test_an_absurd_hint_is_ignored(absurd: float) -> None:
    """The limits apply to values in Mbit/s as well."""
    assert (None, ["speed-absurd", "speed-unknown"]) == chosen_of({"hint_mbps": absurd})


@pytest.mark.parametrize(("kbps", "expected"), [(8, 8), (10_000_000, 10_000_000)])
def test_the_bounds_are_usable(kbps: float, expected: int) -> None:
    """8 kbit/s and 10 Gbit/s are plausible speeds."""
    chosen = choose_throughput(**(NOTHING | {"query_kbps": kbps}))
    assert Throughput(expected, "query") == chosen.speed


STEADY = remembered(5000, 5100, 4900, 5000)


@pytest.mark.parametrize(
    ("session", "mtp", "speed", "codes"),
    [
        (STEADY, 9000, "9000 cmcd", ["speed-cmcd"]),
        (STEADY, 500, "500 cmcd", ["speed-cmcd"]),
        (STEADY, 50_000, "50000 cmcd", ["speed-cmcd"]),
        (STEADY, 50_001, "5000 session", ["speed-cmcd", "speed-contradicted", "speed-session"]),
        (STEADY, 499, "5000 session", ["speed-cmcd", "speed-contradicted", "speed-session"]),
        (STEADY, 5_000_000, "5000 session", ["speed-cmcd", "speed-contradicted", "speed-session"]),
        (remembered(5000), 5_000_000, "5e+06 cmcd", ["speed-cmcd"]),
        (remembered(50, 5000, 9000), 5_000_000, "5e+06 cmcd", ["speed-cmcd"]),
        (remembered(5000, 5100, 5000, 5000, age_s=400), 5_000_000, "5e+06 cmcd", ["speed-cmcd"]),
    ],
)
def test_a_lie_of_one_report_is_not_believed(
    session: SessionEstimate, mtp: float, speed: str, codes: list[str]
) -> None:
    """A session that has measured steadily and recently does not believe one report that is more
    than ten times off. A session that knows little believes it."""
    assert (speed, codes) == chosen_of({"session": session, "cmcd_mtp_kbps": mtp})


def test_two_reports_that_agree_are_believed() -> None:
    """A network can really become a hundred times faster: the second report is believed."""
    session: SessionEstimate | None = STEADY
    speeds = []
    for step in (1, 2):
        now_s = NOW + 10 * step
        chosen = choose_throughput(
            **(NOTHING | {"session": session, "cmcd_mtp_kbps": 500_000.0, "now_s": now_s})
        )
        session = with_measurement(session, chosen.measured, now_s, CONFIG)
        speeds.append(chosen.speed and chosen.speed.kbps)
    assert [5000, 500_000] == speeds


@pytest.mark.parametrize(
    ("given", "measured"),
    [
        ({"query_kbps": 9000.0, "cmcd_mtp_kbps": 1.0}, Measurement("query", 9000)),
        ({"hint_mbps": 9.0}, Measurement("query", 9000)),
        ({"query_kbps": 0.0, "cmcd_mtp_kbps": 800.0}, Measurement("cmcd", 800)),
        ({"session": STEADY, "cmcd_mtp_kbps": 9e6}, Measurement("cmcd", 9e6)),
        ({"session": STEADY}, None),
        ({"downlink_mbps": 5.0}, None),
        ({}, None),
    ],
)
def test_only_the_players_own_measurement_is_remembered(
    given: dict[str, Any], measured: Measurement | None
) -> None:
    """What the player measured is added to the session, believed or not; nothing else is."""
    chosen = choose_throughput(**(NOTHING | given))
    assert measured == chosen.measured
    updated = with_measurement(remembered(3000, age_s=60), chosen.measured, NOW, CONFIG)
    kept = updated and [(sample.kbps, sample.source) for sample in updated.samples]
    assert kept == (measured and [(3000, "cmcd"), (measured.kbps, measured.source)])


@pytest.mark.parametrize(
    ("bits_per_s", "kbps"),
    [(5_140_000, 5140), (999, None), (0, None), (-1, None), (math.nan, None), (1e99, None)],
)
def test_steering_counts_in_bits(bits_per_s: float, kbps: float | None) -> None:
    """A steering request states bit/s, everything else kbit/s (D3.3)."""
    assert kbps == steering_kbps(bits_per_s)


@pytest.mark.parametrize(
    ("size", "duration_ms", "kbps"),
    [
        (250_000, 400, 5000),
        (MIN_PROBE_BYTES, 100, 4000),
        (MIN_PROBE_BYTES - 1, 100, None),
        (MIN_PROBE_BYTES, 0.9, None),
        (MIN_PROBE_BYTES, 0, None),
        (MIN_PROBE_BYTES, -5, None),
        (MIN_PROBE_BYTES, math.nan, None),
        (MIN_PROBE_BYTES, math.inf, None),
        (10**12, 1, None),
        (-1, 100, None),
    ],
)
def test_a_probe_is_bytes_over_time(size: int, duration_ms: float, kbps: float | None) -> None:
    """A probe that is too short, or took no time, says nothing."""
    assert kbps == probe_kbps(size, duration_ms)


def test_a_prior_is_what_is_left() -> None:
    """Where nothing is known of the player, the prior of its network is used, and says so."""
    chosen = choose_throughput(**NOTHING)
    assume_prior(chosen, 6103)
    assert Throughput(6103, "prior") == chosen.speed
    assert ["speed-unknown", "speed-prior"] == [reason.code for reason in chosen.reasons]
    assert chosen.measured is None


def test_hints_are_kept_while_nothing_was_measured() -> None:
    """The newest of them; the same one not again before it has aged."""
    chosen = choose_throughput(**{**NOTHING, "downlink_mbps": 1.5})
    assert Measurement("hints", 1500) == chosen.hinted
    assert chosen.measured is None
    first = with_hint(None, chosen.hinted, NOW, CONFIG)
    assert first == remembered(1500, source="hints")
    assert None is with_hint(first, chosen.hinted, NOW + CONFIG.half_life_s - 1, CONFIG)
    again = with_hint(first, chosen.hinted, NOW + CONFIG.half_life_s, CONFIG)
    assert again == remembered(1500, source="hints", age_s=-CONFIG.half_life_s)
    other = with_hint(first, Measurement("hints", 400), NOW + 1, CONFIG)
    assert other is not None
    assert [400] == [sample.kbps for sample in other.samples]
    assert None is with_hint(remembered(3000), chosen.hinted, NOW, CONFIG)
    assert None is with_hint(first, None, NOW, CONFIG)
    last = remembered(3000, 2000, age_s=CONFIG.forget_s)
    assert None is with_hint(last, chosen.hinted, NOW, CONFIG)
    assert first == with_hint(
        remembered(3000, 2000, age_s=CONFIG.forget_s + 1), chosen.hinted, NOW, CONFIG
    )


@pytest.mark.parametrize("hint_confidence", [0.0, 0.15, 0.6, 1.0])
def test_a_remembered_hint_is_no_surer_than_a_hint(hint_confidence: float) -> None:
    """So what the browser says now is used instead, whatever the config says."""
    config = replace(CONFIG, hint_confidence=hint_confidence)
    known = remembered(1500, source="hints").at(NOW, config)
    assert known is None or known.confidence <= hint_confidence


@pytest.mark.parametrize("source", ["query", "cmcd", "steering", "probe"])
def test_a_first_measurement_starts_a_session(source: SampleSource) -> None:
    """The estimate of a new session starts with this sample."""
    found = with_measurement(None, Measurement(source, 2100), NOW, CONFIG)
    assert remembered(2100, source=source) == found
