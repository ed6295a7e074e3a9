"""Rules and their clauses."""

import re
from pathlib import Path

import pytest

from manifests.fault import MAX_TEXT, Fault, ManifestError
from manifests.standards import RULES

METRICS_PAGE = Path("docs/metrics.md")


def test_short_names_are_distinct_and_kebab_case() -> None:
    """A metric's label stands for one rule."""
    names = [rule.short_name for rule in RULES.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


def test_messages_name_the_clause() -> None:
    """What an operator reads: place, clause, problem."""
    fault = Fault(3, "A3.4", "BANDWIDTH is given twice")
    assert "line 3: RFC 8216bis 4.2: BANDWIDTH is given twice" == str(fault)
    assert "duplicate-attribute" == fault.short_name
    error = ManifestError("film/master.m3u8", 7, "A6.2", "BANDWIDTH is missing")
    assert "film/master.m3u8, line 7: RFC 8216bis 4.4.6.2: BANDWIDTH is missing" == str(error)
    assert ("RFC 8216bis 4.4.6.2", "bandwidth") == (error.clause, error.short_name)
    error = ManifestError("film/master.m3u8", None, "F13", "too large")
    assert "film/master.m3u8: limit of this gateway: too large" == str(error)


def test_long_messages_are_cut() -> None:
    """A line of a hostile source may be as long as the whole of it."""
    fault = Fault(3, "A3.4", "x" * (MAX_TEXT + 1))
    error = ManifestError("film/master.m3u8", 3, "A3.4", "x" * (MAX_TEXT + 1))
    assert fault.text == error.problem == "x" * MAX_TEXT + "…"


def test_messages_stay_on_one_line() -> None:
    """An attribute of an MPD may hold line ends and other control characters, as references."""
    fault = Fault(3, "E9", 'the id "a\n\x85\u2028é b" has white space', "MPD/{a\u200e}b[1]")
    assert fault.text == 'the id "a\ufffd\ufffd\ufffdé b" has white space'
    assert fault.path == "MPD/{a\ufffd}b[1]"
    error = ManifestError("film.mpd", 3, "E1", 'the type is "\r\x1b[1m"', "MPD\n")
    assert "film.mpd, MPD\ufffd, line 3: 23009-1 5.3.1: the type is" in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize("rule", RULES)
def test_the_metrics_page_lists_every_short_name_of_a_fault(rule: str) -> None:
    """``docs/metrics.md`` lists the values of the label ``rule``."""
    # Manifest errors only.
    refused = {"A1.7", "A1.8", "A5.5", "A6.2", "F13"}
    page = METRICS_PAGE.read_text("utf-8")
    row = next(line for line in page.splitlines() if "gateway_playlist_faults_total" in line)
    listed = re.findall("[a-z0-9-]+", row.split("|")[2].partition("(")[2])
    assert (rule not in refused) == (RULES[rule].short_name in listed)
