"""Supervised tasks: started again, logged, counted, and shown while they fail."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.observe import metrics, tasks
from gateway.observe.tasks import failing, in_time, supervise
from tests.unit.store.servers import until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short pauses, and no recovery. No test may leave a task that counts as failing."""
    monkeypatch.setattr(tasks, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(tasks, "STEADY_S", 600.0)
    yield
    assert {} == failing()


def failures(name: str) -> float:
    """How often tasks of this name have failed."""
    found: float = metrics.TASK_FAILURES.labels(name)._value.get()
    return found


async def stop(*supervised: asyncio.Task[None]) -> None:
    """Cancel tasks and wait for their ends."""
    for task in supervised:
        task.cancel()
    await asyncio.gather(*supervised, return_exceptions=True)


class Work:
    """Work that fails as often as it is told."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.starts: list[float] = []
        self.ended = 0

    async def run(self) -> None:
        """Fail, or run until cancelled."""
        self.starts.append(asyncio.get_running_loop().time())
        try:
            if self.errors:
                raise self.errors.pop(0)
            await asyncio.Event().wait()
        finally:
            self.ended += 1


async def test_a_task_that_raises_starts_again() -> None:
    """It is logged with its traceback, counted, and named, even when it has started again."""
    work = Work(OverflowError("int too large"))
    before = failures("t1")
    with capture_logs() as logs:
        task = supervise("t1", work.run)
        await until(lambda: failing() == {"t1": "OverflowError: int too large"})
        await until(lambda: len(work.starts) == 2)
        assert "t1" in failing()
        await stop(task)
    assert 1 == failures("t1") - before
    (failed,) = logs
    assert ("background_task_failed", "t1") == (failed["event"], failed["task"])
    assert isinstance(failed["exc_info"], OverflowError)
    assert failed["exc_info"].__traceback__ is not None


async def test_a_task_that_runs_steadily_has_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no longer named, and the log says so."""
    monkeypatch.setattr(tasks, "STEADY_S", 0.05)
    work = Work(OSError("x"))
    with capture_logs() as logs:
        task = supervise("t7", work.run)
        await until(lambda: len(work.starts) == 2 and not failing())
        assert 1 == work.ended
        await stop(task)
    assert ["background_task_failed", "background_task_recovered"] == [one["event"] for one in logs]
    assert "t7" == logs[1]["task"]


async def test_what_counts_as_a_failure() -> None:
    """A group of errors shows its first one; a task that something else cancels has failed, too; a
    task that returns has not."""
    group = ExceptionGroup("several", [ExceptionGroup("inner", [KeyError("x")]), OSError()])
    for error, shown in (
        (group, "KeyError: 'x'"),
        (asyncio.CancelledError(), "CancelledError: cancelled"),
        (ValueError("y" * 1000), "ValueError: " + "y" * 188),
    ):
        task = supervise("t2", Work(error).run)
        await until(lambda: bool(failing()))
        assert {"t2": shown} == failing()
        await stop(task)

    async def once() -> None:
        pass

    before = failures("t2")
    await supervise("t2", once)
    assert before == failures("t2")


async def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is about twice as long as the last, up to a bound."""
    monkeypatch.setattr(tasks, "MAX_PAUSE_S", 0.08)
    work = Work(*(OSError(str(at)) for at in range(6)))
    task = supervise("t3", work.run)
    await until(lambda: len(work.starts) == 7)
    pauses = [later - earlier for earlier, later in zip(work.starts, work.starts[1:], strict=False)]
    least = [0.008, 0.016, 0.032, 0.064, 0.064, 0.064]
    assert all(pause >= low * 0.9 for pause, low in zip(pauses, least, strict=True)), pauses
    await stop(task)


async def test_tasks_of_one_name_share_a_line() -> None:
    """A thousand probes that fail alike are one traceback, and one name in /readyz."""
    before = failures("t4")
    with capture_logs() as logs:
        running = [supervise("t4", Work(OSError("no route")).run) for _ in range(1000)]
        await until(lambda: 1000 == failures("t4") - before)
        assert {"t4": "OSError: no route"} == failing()
        await stop(*running)
    assert 1 == sum(line["event"] == "background_task_failed" for line in logs)


async def test_a_cancelled_task_cleans_up() -> None:
    """Its owner waits for that; a failure to clean up is logged."""

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            raise OSError("cannot release")

    work = Work()
    running = [supervise("t5", work.run), supervise("t6", stubborn)]
    await until(lambda: bool(work.starts))
    with capture_logs() as logs:
        await stop(*running)
    assert 1 == work.ended
    assert [("background_task_not_stopped", "t6")] == [(one["event"], one["task"]) for one in logs]
    assert all(task.cancelled() for task in running)


async def test_a_step_that_hangs_is_named_until_it_ends() -> None:
    """It is logged, counted and shown; one that ends in time is not."""
    ended = asyncio.Event()

    async def hangs() -> None:
        with in_time("t8", 60.0):
            await asyncio.sleep(0)
        with in_time("t8", 0.01):
            await ended.wait()
        await asyncio.Event().wait()

    before = failures("t8")
    with capture_logs() as logs:
        task = supervise("t8", hangs)
        await until(lambda: bool(failing()))
        assert {"t8": "a step has not ended after 0.01 s"} == failing()
        assert {"t8": 1} == metrics.failing_tasks()
        ended.set()
        await until(lambda: not failing())
        assert {} == metrics.failing_tasks()
        await stop(task)
    assert 1 == failures("t8") - before
    assert ["background_task_hangs", "background_task_recovered"] == [one["event"] for one in logs]


async def test_a_hanging_step_that_is_cancelled_is_forgotten() -> None:
    """It has not recovered."""

    async def hangs() -> None:
        with in_time("t9", 0.01):
            await asyncio.Event().wait()

    with capture_logs() as logs:
        task = supervise("t9", hangs)
        await until(lambda: bool(failing()))
        await stop(task)
    assert {} == metrics.failing_tasks()
    assert ["background_task_hangs"] == [one["event"] for one in logs]


def test_failing_tasks_of_all_workers(tmp_path: Path) -> None:
    """Each worker names those of the others, until the parent says that a worker has ended."""
    code = (
        "import sys; from gateway.observe import metrics, tasks; "
        "tasks._failed(object(), 't10', OSError('x')); print(metrics.failing_tasks(), flush=True); "
        "sys.stdin.read()"
    )
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    other = subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    while b"{'t10': 1}" not in (line := other.stdout.readline()):
        assert line, "it ended"
    ask = (
        "import sys; from gateway.observe import metrics; print(metrics.failing_tasks()); "
        f"metrics.forget_worker({other.pid}); print(metrics.failing_tasks())"
    )
    found = subprocess.run(
        [sys.executable, "-c", ask], env=environ, capture_output=True, check=True, text=True
    )
    other.communicate()
    assert "{'t10': 1}\n{}\n" == found.stdout
