"""What the quality-of-experience benchmark makes of its runs."""

import json
import re
from pathlib import Path

import pytest

from tests.benchmark import bench_qoe
from tests.benchmark.bench_qoe import STATES, chosen, main, medians, missed, recorded
from tests.benchmark.traces import read_traces


def row(
    state: str, startup_ms: float | None, first_kbps: float | None, run: int = 0
) -> dict[str, object]:
    """A run over 4 Mbit/s."""
    figures = {"stalled_s": 0.0, "mean_kbps": 2000.0, "switches": 1}
    key = {"network": "4", "state": state, "run": run, "seconds": 60.0}
    return {**key, "startup_ms": startup_ms, "first_kbps": first_kbps, **figures}


GOOD = {
    "ascending": (420, 287),
    "descending": (4000, 6897),
    "2 Mbit/s first": (1684, 2894),
    "known": (1700, 2894),
    "prior": (1650, 2894),
    "unknown": (600, 617),
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"known": (1900, 2894)}, ["known: 1900 ms, but an order that starts as high needs 1684"]),
        ({"prior": (300, 617)}, ["prior: starts on 617, not on 2800"]),
        ({"unknown": (900, 1458)}, ["unknown: 900 ms is more than 2 times 420 ms"]),
        ({"known": (4000, 6897)}, []),  # as soon as the order that starts as high
    ],
)
def test_a_cell_that_misses_its_goal_is_told(
    changed: dict[str, tuple[int, int]], said: list[str]
) -> None:
    """Each goal by itself."""
    cells = medians([row(state, *cell) for state, cell in (GOOD | changed).items()])
    assert [f"4 Mbit/s, {text}" for text in said] == missed(cells, ["4"])


def test_a_run_without_a_picture_counts_as_late() -> None:
    """It is not left out of the median."""
    runs = [row("known", 100, 287), row("known", None, None, 1), row("known", None, None, 2)]
    assert 60_000 == medians(runs)["4", "known"]["startup_ms"]


def test_runs_that_are_there_are_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all runs in the results file, the table and the picture need no browser."""
    monkeypatch.setattr(bench_qoe, "_run", None)
    results, svg = tmp_path / "qoe.jsonl", tmp_path / "qoe.svg"
    rows = [row(state, *cell) for state, cell in GOOD.items()]
    results.write_text("".join(json.dumps(each) + "\n" for each in rows))
    options = ["--only", "network=4", "--runs", "1", "--results", str(results), "--svg", str(svg)]
    assert 0 == main(options)
    printed = capsys.readouterr().out
    assert "| 4 | 420 → 287; 0.0, 2000, 1 | 4000 → 6897; 0.0, 2000, 1 |" in printed
    titles = re.findall(r"<title>(.*?)</title>", svg.read_text())
    assert [f"{state}: {GOOD[state][0]} ms" for state in STATES] == titles


@pytest.mark.parametrize("only", ["place=4", "network=4,place=5"])
def test_an_unknown_filter_is_refused(only: str) -> None:
    """With its name, and what is allowed."""
    with pytest.raises(SystemExit, match="place: only network and state are known"):
        main(["--only", only])


def test_a_filter_that_leaves_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """An exit code of 2, and one line."""
    assert 2 == main(["--only", "network=5"])
    assert "--only network=5 leaves nothing to run" in capsys.readouterr().err


def test_ten_traces_are_chosen_from_all_families(tmp_path: Path) -> None:
    """Of those long enough, on the side on which nothing was tuned, and the same ones each time."""
    for family in ("a", "b", "c"):
        lines = [
            {"name": f"{family}{number}", "points": [[1000, 900]] * (80 if number % 2 else 20)}
            for number in range(40)
        ]
        (tmp_path / f"{family}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = chosen(tmp_path, 60)
    assert [3, 3, 4] == sorted(sum(trace.family == family for trace in found) for family in "abc")
    assert all(not trace.tuning and trace.ends_s[-1] >= 70 for trace in found)
    assert found == chosen(tmp_path, 60)


def test_a_trace_is_replayed_second_by_second(tmp_path: Path) -> None:
    """What its viewer knows is the mean of the ten seconds before."""
    points = [[10_000, 800], [1000, 2000], [500, 1000], [500, 3000], [60_000, 500]]
    (tmp_path / "x.jsonl").write_text(json.dumps({"name": "one", "points": points}))
    (trace,) = read_traces(tmp_path)
    name, shaped, known = recorded(trace, 3)
    assert ("x one", 800) == (name, known)
    assert [(1.0, 2000), (1.0, 2000), (1.0, 500), (1.0, 500)] == [(s, round(k)) for s, k in shaped]
