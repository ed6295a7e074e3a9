"""Periods are fitted one by one, and what only one rung serves stays served."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.ladder.expected import expected_kbps
from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints, Rung, rung_count
from gateway.play.hls.ladder import rungs_of
from manifests.codecs import CodecFamily
from tests.unit.ladder.sources import AVC, HEVC, playlist, variant

FILM = [variant("240", 200, "426x240"), variant("720", 1200, "1280x720")]
SPOT = [variant("360", 500, "640x360"), variant("1080", 3000, "1920x1080")]

NONE = "no rung that is left has at most"
LOWEST = "the one of the lowest bit rate is kept:"


def title(*periods: Sequence[str]) -> list[Rung]:
    """The rungs of a title with these ladders, one for each Period."""
    found: list[Rung] = []
    for period, ladder in enumerate(periods):
        rungs = rungs_of(playlist(*ladder))
        found += [
            replace(rung, index=len(found) + at, period=period) for at, rung in enumerate(rungs)
        ]
    return found


@pytest.mark.parametrize(
    ("limits", "kept", "reasons"),
    [
        (Constraints(untouched=True), (0, 1, 2, 3, 4, 5), []),
        (
            Constraints(max_height=720),
            (1, 0, 2, 5, 4),
            ["in Period 2: at most 720p: 1 of 2 rungs removed"],
        ),
        (
            Constraints(max_bandwidth=400_000),
            (0, 2, 4),
            [
                "in Periods 1, 3: at most 400 kbit/s: 1 of 2 rungs removed",
                f"in Period 2: {NONE} 400 kbit/s; {LOWEST} 360p at 500 kbit/s",
            ],
        ),
        (
            Constraints(max_bandwidth=199_000),
            (0, 2, 4),
            [
                f"in Periods 1, 3: {NONE} 199 kbit/s; {LOWEST} 240p at 200 kbit/s",
                f"in Period 2: {NONE} 199 kbit/s; {LOWEST} 360p at 500 kbit/s",
            ],
        ),
    ],
)
def test_every_period_is_fitted(
    limits: Constraints, kept: tuple[int, ...], reasons: list[str]
) -> None:
    """E10: the same limits for every Period, and none is left without a rung."""
    found = fit_all(title(FILM, SPOT, FILM), limits)
    assert kept == found.kept
    assert reasons == [one.text for one in found.reasons if one.step != "start"]


def test_a_reason_for_all_periods_names_none() -> None:
    """One start and one removal are said once, whatever the number of Periods."""
    found = fit_all(title(FILM, FILM, FILM), Constraints(max_height=240))
    assert ["caps", "start-within-speed"] == [reason.code for reason in found.reasons]
    assert "at most 240p: 1 of 2 rungs removed" == found.reasons[0].text
    assert (0, 2, 4) == found.kept


def test_a_reason_given_twice_in_one_period_names_it() -> None:
    """Two rungs that read alike are added; the other Period has neither."""
    twins = [variant(f"{kbps}", kbps, "640x360") for kbps in (300, 500, 501)]
    rungs = [
        replace(rung, bandwidth=500_400) if rung.bandwidth == 501_000 else rung
        for rung in title(twins, FILM)
    ]
    found = fit_all(rungs, Constraints(max_bandwidth=300_000, min_rungs=3))
    added = [reason.text for reason in found.reasons if reason.code == "min-rungs-added"]
    assert [
        "in Period 1: added because min_rungs is 3: 360p at 500 kbit/s",
        "in Period 2: added because min_rungs is 3: 720p at 1200 kbit/s",
    ] == added


def test_many_periods_are_counted() -> None:
    """A reason stays short when a title has very many Periods."""
    found = fit_all(title(FILM, *[SPOT] * 9), Constraints(max_height=720))
    assert "in Periods 2, 3, 4 and 6 more: at most 720p" in found.reasons[0].text


def test_another_period_changes_nothing() -> None:
    """E10: a refresh brings a Period whose frame rate fits; what stayed of the others stays."""
    fast = [variant(name, kbps, more="FRAME-RATE=50") for name, kbps in (("a", 200), ("b", 900))]
    slow = [variant("c", 300, more="FRAME-RATE=25")]
    limits = Constraints(max_frame_rate=30.0)
    before, after = fit_all(title(fast), limits), fit_all(title(fast, slow), limits)
    assert set(after.kept) == {*before.kept, 2}


def test_codecs_that_a_period_lacks() -> None:
    """The codecs that a request names are given up in a Period that lacks them, not everywhere."""
    hevc = [variant("h", 900, codecs=HEVC)]
    limits = Constraints(wanted_codecs=frozenset({CodecFamily.AVC}))
    found = fit_all(title([variant("a", 300, codecs=AVC), *hevc], hevc), limits)
    assert {0, 2} == set(found.kept)
    assert {"codecs-asked", "codecs-asked-relaxed"} <= {reason.code for reason in found.reasons}
    with pytest.raises(NothingToPlayError, match="avc"):
        fit_all(title(hevc, hevc), limits)


def test_rungs_are_those_of_one_period() -> None:
    """The count is that of the Period with the most: nobody sees those of all at once."""
    rungs = title(FILM, [*FILM, *SPOT])
    assert fit_all(rungs, Constraints()).rungs == rung_count(rungs) == len([*FILM, *SPOT])


def serving(*names: str) -> list[Rung]:
    """A ladder of 200, 400, … kbit/s whose rungs serve what is named, in this order."""
    ladder = [variant(str(at), 200 * (at + 1)) for at in range(len(names))]
    return [
        replace(rung, serves=frozenset(name.split()))
        for rung, name in zip(rungs_of(playlist(*ladder)), names, strict=True)
    ]


@pytest.mark.parametrize(
    ("serves", "kept"),
    [
        (("", "", ""), {0}),
        (("main", "main", "main"), {0}),
        (("main", "sign", "sign"), {0, 1}),  # the lowest of what is missing
        (("main", "sign events", "events"), {0, 1}),  # one entry for both
        (("main", "events", "sign events"), {0, 1, 2}),
        (("sign main", "sign", "main"), {0}),
    ],
)
def test_what_only_some_rungs_serve(serves: tuple[str, ...], kept: set[int]) -> None:
    """E6, E17: the cap leaves 200 kbit/s, and the lowest of whatever else is served."""
    found = fit_all(serving(*serves), Constraints(max_bandwidth=200_000))
    assert kept == set(found.kept)
    codes = [reason.code for reason in found.reasons]
    assert (len(kept) > 1) == ("only-rungs-added" in codes)


def test_what_cannot_be_played_is_not_served() -> None:
    """A camera in codecs that the request excludes is gone with them."""
    main, sign = title([variant("a", 200, codecs=AVC), variant("h", 400, codecs=HEVC)])
    found = fit_all(
        [main, replace(sign, serves=frozenset({"sign"}))],
        Constraints(wanted_codecs=frozenset({CodecFamily.AVC})),
    )
    assert (0,) == found.kept


def test_names_in_reasons_are_short_and_printable() -> None:
    """What a source says of itself reaches logs and Redis quoted."""
    main, other = serving("", "")
    odd = replace(other, serves=frozenset({"role \u2028\n" + "x" * 200}))
    [reason] = [
        one
        for one in fit_all([main, odd], Constraints(max_bandwidth=200_000)).reasons
        if one.code == "only-rungs-added"
    ]
    assert reason.text.isprintable()
    assert "'role \\u2028\\n" in reason.text
    assert len(reason.text) < 200


def test_a_live_title_may_have_no_rung_yet() -> None:
    """E1: nothing stays of nothing, and that is no error."""
    found = fit_all((), Constraints(max_height=240))
    assert ((), 0) == (found.kept, found.rungs)
    assert ["no-rungs"] == [reason.code for reason in found.reasons]
    assert 1 == expected_kbps((), 5000.0, 0.8)


def test_many_reasons_are_counted() -> None:
    """As are the reasons, where very many Periods differ."""
    spots = [[variant("a", 300 + at, "640x360")] for at in range(60)]
    found = fit_all(title(FILM, *spots), Constraints(max_bandwidth=100_000))
    assert "11 more reasons, for other Periods" == found.reasons[50].text
    assert "start" == found.reasons[-1].step


def test_many_names_are_counted() -> None:
    """What many entries alone serve is one reason."""
    names = [f"camera-{at:02}" for at in range(9)]
    found = fit_all(serving(*names), Constraints(max_bandwidth=200_000))
    [text] = [reason.text for reason in found.reasons if reason.code == "only-rungs-added"]
    assert "only ones with 'camera-01', 'camera-02', 'camera-03' and 5 more: no stated" in text
