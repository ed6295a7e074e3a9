"""What several processes use together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from prometheus_client.process_collector import PROCESS_COLLECTOR

from gateway.observe.processes import CountsCollector, ProcessesCollector

BURN = """
import os, time
if os.fork() == 0:  # a worker that has used up a third of a second
    while time.process_time() < 0.3: pass
    os._exit(0)
print(os.getpid(), flush=True)
if os.fork() == 0:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(40)]
    while True: pass
input()
os.waitpid(-1, 0)
print("waited", flush=True)
input()
"""


def values(parent: int) -> dict[str, float]:
    """Every value by its name."""
    families = ProcessesCollector(parent).collect()
    return {sample.name: sample.value for each in families for sample in each.samples}


def test_a_parent_with_children() -> None:
    """CPU never falls, though a child ends and is waited for; descriptors are of one process."""
    command = [sys.executable, "-c", BURN]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, process_group=0) as parent:
        try:
            assert parent.stdin is not None
            assert parent.stdout is not None
            assert int(parent.stdout.readline()) == parent.pid
            began, seen = time.time(), [values(parent.pid)]
            while seen[-1]["process_open_fds"] < 40:
                seen.append(values(parent.pid))
            while seen[-1]["process_cpu_seconds_total"] < 0.6:
                seen.append(values(parent.pid))
            print(file=parent.stdin, flush=True)
            assert parent.stdout.readline() == "waited\n"
            seen.append(values(parent.pid))
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
    spent = [each["process_cpu_seconds_total"] for each in seen]
    assert spent == sorted(spent)
    last = seen[-1]
    assert last["process_open_fds"] < last["process_max_fds"]
    assert abs(last["process_start_time_seconds"] - began) < 10
    assert last["process_resident_memory_bytes"] < last["process_virtual_memory_bytes"]


def test_the_names_are_those_of_one_process() -> None:
    """A dashboard does not care how many workers there are."""
    families = [(each.name, each.type) for each in ProcessesCollector(os.getpid()).collect()]
    assert set(families) == {(each.name, each.type) for each in PROCESS_COLLECTOR.collect()}


def test_where_there_is_no_proc(tmp_path: Path) -> None:
    """No metrics, and no error."""
    assert not [*ProcessesCollector(os.getpid(), tmp_path).collect()]


COUNT = """
from prometheus_client import Counter
Counter("asked", "Questions.").inc(3)
"""


def test_a_worker_begins_a_file(tmp_path: Path) -> None:
    """A file that has no size yet holds nothing; the counts of the others are there."""
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", COUNT], env=environ, check=True)
    (tmp_path / "counter_1.db").touch()
    [found] = CountsCollector(tmp_path).collect()
    assert {"asked_total": 3.0} == {sample.name: sample.value for sample in found.samples}
