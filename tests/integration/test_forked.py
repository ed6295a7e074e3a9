"""A gateway that tests fork begins in the state of one that is started, and so do its workers."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.forked import forks, gateway_command

MODULE = "tests.integration.states"


def test_a_fork_is_as_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, environment, folder, file descriptors, signals, metrics, and what is done at the
    end. All of a worker, too, which is spawned."""
    found = forks()
    assert found is not None
    monkeypatch.chdir(tmp_path)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "ONLY": "here"}
    started, commanded = (
        subprocess.run(
            [*words, "a word"], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        for words in ([sys.executable, "-m", MODULE], gateway_command(MODULE))
    )
    forked = found.start(MODULE, ["a word"], environ, 0)
    assert forked.stderr is not None
    with forked.stderr as stderr:
        lines = stderr.read().splitlines()
    assert [7, "at exit"] == [started.returncode, started.stderr.splitlines()[-1]]
    assert [7, "at exit"] == [forked.wait(30), lines[-1]]
    assert [7, "at exit"] == [commanded.returncode, commanded.stderr.splitlines()[-1]]
    expected = json.loads(started.stderr.splitlines()[0])
    for line in (lines[0], commanded.stderr.splitlines()[0]):
        told = json.loads(line)
        assert expected["own"] == told["own"]
        assert expected["worker"] == told["worker"]
    assert not expected["own"]["metrics are shared"]
    assert expected["worker"]["metrics are shared"]


SCRIPT = """
import signal, sys, time
print(sys.stdin.read(), flush=True)
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(5))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGUSR1, 5), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_command_is_the_process_that_it_stands_for(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """Its standard streams and its signals; and both end alike."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    with subprocess.Popen(
        gateway_command(str(script)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("typed")
        process.stdin.close()
        assert ["typed\n", "ready\n"] == [process.stdout.readline() for _ in range(2)]
        process.send_signal(number)
        assert "" == process.stdout.read(), "the process holds its end of the pipe until it ends"
        assert code == process.wait(10)
