"""The table as people see it, and the same as JSON."""

import json
from dataclasses import replace

from gateway.commands.stats.report import Report
from gateway.commands.stats.window import Tally

REPORT = Report(
    group="stats.1",
    window_s=60,
    events=30,
    shares={"edge": (Tally("eu", 20, 2 / 3), Tally("us", 10, 1 / 3)), "country": ()},
    lag=4,
    pending=2,
    lost=7,
    dead_letters=1,
)


def test_the_table() -> None:
    """Line by line. What has no figures yet has no heading."""
    assert REPORT.to_text() == (
        "last 60 s: 30 events, 0.5/s   lost 7, waiting 4, not acknowledged 2, dead letters 1\n"
        "\n"
        "edge\n"
        "  eu                             20   66.7%  █████████████\n"
        "  us                             10   33.3%  ███████\n"
    )


def test_unknown_figures_and_trouble_are_shown() -> None:
    """A shared group has no count of lost events; a store that is gone is named."""
    text = replace(REPORT, lost=None, lag=None, trouble="lost").to_text()
    assert "lost ?, waiting ?," in text
    assert "\nthe store cannot be reached now: lost\n" in text


def test_the_top_ten_and_the_rest() -> None:
    """Many countries do not fill the screen."""
    many = tuple(Tally(f"C{number:02}", 5, 0.05) for number in range(20))
    lines = replace(REPORT, shares={"country": many}).to_text().splitlines()
    assert "  C09                             5    5.0%  █" == lines[-2]
    assert "  10 more                        50   50.0%" == lines[-1]


def test_control_characters_are_escaped() -> None:
    """Control characters in events are escaped."""
    text = replace(REPORT, shares={"edge": (Tally("\x1b[2Jx", 1, 1.0),)}).to_text()
    assert "\x1b" not in text
    assert r"\x1b[2Jx" in text


def test_json() -> None:
    """One line with everything."""
    line = REPORT.to_json()
    assert "\n" not in line
    assert json.loads(line) == {
        "group": "stats.1",
        "window_s": 60,
        "events": 30,
        "per_second": 0.5,
        "lag": 4,
        "pending": 2,
        "lost": 7,
        "dead_letters": 1,
        "trouble": None,
        "shares": {
            "edge": [
                {"name": "eu", "count": 20, "share": 0.6667},
                {"name": "us", "count": 10, "share": 0.3333},
            ],
            "country": [],
        },
    }
