"""One small MPD for each rule of the filter. ``dash_driver.py`` describes a case."""

import re

import pytest

from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.rung import Constraints
from manifests.dash.reading import parse
from tests.conformance.dash_driver import CASES, Case, codes, filtered, fitted


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """A test for each of the cases, by name."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


FAULTS = {
    "E10-period-without-video": ["empty-element"],
    "E15-namespaces": ["prefix"],
}
SERVED = [case for case in CASES if case.expected is not None]


@each(CASES)
def test_a_case_is_named_after_its_rule(case: Case) -> None:
    """The name starts with the id of the rule, and the case expects bytes or an error."""
    assert re.fullmatch(rf"{re.escape(case.rule)}-[a-z0-9-]+", case.name)
    assert (case.expected is None) == (case.status != 200)


@each(CASES)
def test_the_source_is_a_good_one(case: Case) -> None:
    """No case shows two things: its MPD has no fault but those that are part of what it shows."""
    found = [fault.short_name for fault in parse(case.source, case.name).faults]
    assert FAULTS.get(case.name, []) == found


@each(SERVED)
def test_fit_and_filter_give_the_expected_bytes(case: Case) -> None:
    """The output is byte for byte the expected MPD."""
    assert (case.expected or b"").decode() == filtered(case.source, case.limits).decode()


@each(SERVED)
def test_filtering_again_changes_nothing(case: Case) -> None:
    """The expected MPD, used as a source, gives itself."""
    assert case.expected is not None
    assert case.expected.decode() == filtered(case.expected, case.limits).decode()


@each(SERVED)
def test_keeping_everything_changes_nothing(case: Case) -> None:
    """E15: without limits, nothing goes."""
    assert case.source == filtered(case.source, Constraints(untouched=True))


@each([case for case in CASES if case.rungs is not None])
def test_rungs_are_counted(case: Case) -> None:
    """How many different rungs the player gets."""
    assert case.rungs == fitted(parse(case.source), case.limits).rungs


@each([case for case in CASES if case.reasons is not None])
def test_reasons_name_what_was_done(case: Case) -> None:
    """The codes of the reasons, in their order."""
    assert case.reasons == codes(fitted(parse(case.source), case.limits))


@each([case for case in CASES if case.status == 406])
def test_nothing_to_play(case: Case) -> None:
    """The codecs that the request names are never given up in all Periods."""
    with pytest.raises(NothingToPlayError):
        filtered(case.source, case.limits)
