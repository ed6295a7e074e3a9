"""Supervised tasks: started again, logged, counted, and shown while they fail."""

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from gateway.observe import metrics, tasks
from gateway.observe.tasks import failing, supervise
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
