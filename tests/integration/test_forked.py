"""A gateway that tests fork begins in the state of one that is started, and so do its workers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.forked import forks

MODULE = "tests.integration.states"


def test_a_fork_is_as_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, environment, folder, file descriptors, signals, metrics, and what is done at the
    end. All of a worker, too, which is spawned."""
    found = forks()
    assert found is not None
    monkeypatch.chdir(tmp_path)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "ONLY": "here"}
    started = subprocess.run(
        [sys.executable, "-m", MODULE, "a word"],
        env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    forked = found.start(MODULE, ["a word"], environ, 0)
    assert forked.stderr is not None
    with forked.stderr as stderr:
        lines = stderr.read().splitlines()
    assert [7, "at exit"] == [started.returncode, started.stderr.splitlines()[-1]]
    assert [7, "at exit"] == [forked.wait(30), lines[-1]]
    expected, told = json.loads(started.stderr.splitlines()[0]), json.loads(lines[0])
    assert expected["own"] == told["own"]
    assert expected["worker"] == told["worker"]
    assert not expected["own"]["metrics are shared"]
    assert expected["worker"]["metrics are shared"]
