"""The replay of recorded traces, on traces that are made up here."""

import json
from pathlib import Path

import pytest

from tests.benchmark.bench_estimator import ESTIMATORS, main, score
from tests.benchmark.traces import Trace, read_traces


def steady(folder: Path, *speeds: int) -> list[Trace]:
    """A file of traces of ten minutes, each with one speed."""
    lines = [
        json.dumps({"name": f"{kbps} {index}", "points": [[1000, kbps, 20]] * 600})
        for kbps in speeds
        for index in range(4)
    ]
    (folder / "steady.jsonl").write_text("\n".join(lines))
    return list(read_traces(folder))


def test_reports_are_means_of_the_trace(tmp_path: Path) -> None:
    """A report is the mean before its time, and ``held`` the mean after it."""
    points = [[5000, 1000, 20], [5000, 3000, 20], [20_000, 800, 20]]
    (tmp_path / "one.jsonl").write_text(json.dumps({"name": "one", "points": points}))
    [trace] = read_traces(tmp_path)
    reports = [(report.time_s, report.kbps, report.held_kbps) for report in trace.reports(10)]
    assert [(10, 2000, 800), (20, 800, 800)] == reports


def test_on_a_steady_network_every_estimate_is_right(tmp_path: Path) -> None:
    """The score of a steady network is perfect; without an estimate it is not."""
    traces = steady(tmp_path, 500, 8000)
    errors = {
        name: sum(score(estimator, traces, 10, wrong=0).rung["steady"])
        for name, estimator in ESTIMATORS.items()
    }
    assert 0 < errors.pop("no estimate")
    assert {0.0} == set(errors.values())


def test_wrong_reports_hurt_the_gateway_least(tmp_path: Path) -> None:
    """On a steady network, one wrong report in ten hardly matters to a median."""
    traces = steady(tmp_path, 500, 8000)
    errors = {
        name: sum(score(estimator, traces, 10, wrong=0.1).rung["steady"])
        for name, estimator in ESTIMATORS.items()
    }
    assert errors["gateway"] < errors["last sample"] / 2
    assert errors["gateway"] < errors["EWMA 0.3"] / 2


@pytest.mark.parametrize(
    "lines",
    [
        ['{"name": "short", "points": [[5000, 1000, 20]]}'],
        ['{"name": "empty", "points": []}'],
        ['{"points": [[60000, 0], [0, 9000], [60000, 1e9]]}', ""],
        ['{"name": "one", "points": [[25000, 800, 20]]}'],
    ],
)
def test_unusual_traces(
    tmp_path: Path, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Short traces, gaps, no latency: whatever can be replayed is."""
    (tmp_path / "odd.jsonl").write_text("\n".join(lines))
    assert 0 == main([str(tmp_path)])
    assert 4 == capsys.readouterr().out.count("| gateway ")


def test_the_tables_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One table for each interval and share of wrong reports, and one for the confidence."""
    steady(tmp_path, 500, 800, 3000, 8000)
    assert 0 == main([str(tmp_path)])
    printed = capsys.readouterr().out
    assert 4 == printed.count("| gateway ")
    assert "| confidence |" in printed
    assert 1 == main([str(tmp_path / "nothing")])
