"""Start rules: the first that holds counts, whatever it is about."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.policy.rules import Subject, When
from gateway.policy.start import NO_START_RULES, StartRule, StartRules

SUBJECT = Subject("film", "tv", country="KE", continent="AF", asn=64_500, save_data=True, ect="3g")
NOBODY = Subject("film", "desktop")


@pytest.mark.parametrize(
    ("when", "of_subject", "of_nobody"),
    [
        ({}, True, True),
        ({"country": frozenset({"KE", "TN"})}, True, False),
        ({"country": frozenset({"TN"})}, False, False),
        ({"continent": frozenset({"AF"})}, True, False),
        ({"asn": frozenset({64_500})}, True, False),
        ({"device": frozenset({"tv"})}, True, False),
        ({"save_data": True}, True, False),
        ({"save_data": False}, False, True),
        ({"ect": frozenset({"2g", "3g"})}, True, False),
        ({"ect": frozenset({"4g"})}, False, False),
        ({"country": frozenset({"KE"}), "device": frozenset({"phone"})}, False, False),
    ],
)
def test_each_condition(when: dict[str, Any], of_subject: bool, of_nobody: bool) -> None:
    """What is unknown matches no list."""
    rules = StartRules((StartRule(When(**when), 900),))
    assert (of_subject, of_nobody) == tuple(
        rules.first_match(subject) == 0 for subject in (SUBJECT, NOBODY)
    )


def test_the_first_rule_counts() -> None:
    """A rule about a network before the one about its country is an exception to it."""
    rules = StartRules(
        (
            StartRule(When(asn=frozenset({64_500})), 3000),
            StartRule(When(country=frozenset({"KE"})), 900),
        )
    )
    assert 0 == rules.first_match(SUBJECT)
    assert 1 == rules.first_match(replace(SUBJECT, asn=None))
    assert rules.first_match(NOBODY) is None


def test_no_rules() -> None:
    """Rules that are switched off match nobody."""
    assert NO_START_RULES.first_match(SUBJECT) is None
