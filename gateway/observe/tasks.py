"""Do the background tasks run? One that fails is started again, after a pause that grows.

A task fails when it raises, or when anything but its owner cancels it. A failure is logged with its
traceback, counted by the task's name, and shown in ``/readyz`` until the task has run steadily
again. So is a task that hangs in a step with a limit (:func:`in_time`). Like metrics, the failing
tasks are those of the whole process.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from random import SystemRandom
from typing import Any

import structlog

from gateway.observe import metrics

FIRST_PAUSE_S = 0.25
MAX_PAUSE_S = 30.0
STEADY_S = 10.0
"""A task that has run for this many seconds no longer counts as failing."""
MAX_REASON_CHARS = 200
HANGING_S = 30.0
"""A step of a task that takes longer, such as reading a file, hangs."""

log = structlog.get_logger()
_random = SystemRandom()

_failing: dict[object, tuple[str, str]] = {}
"""The name of each failing task, and why it failed."""


def supervise(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    """Run ``work`` until it returns; start it again each time that it fails.

    ``name`` is the task's name in logs, metrics and ``/readyz``; it comes from the code, and
    several tasks may share it. Cancel the returned task to stop the work.
    """
    return asyncio.get_running_loop().create_task(_supervise(name, work), name=f"supervise {name}")


def failing() -> dict[str, str]:
    """The names of the tasks that are failing now, and the last reason of each."""
    return dict(sorted(_failing.values()))


@contextlib.contextmanager
def in_time(name: str, limit_s: float | None = None) -> Iterator[None]:
    """A step of the task ``name`` that should end in ``limit_s`` (``HANGING_S``) seconds. While it
    takes longer, the task counts as failing; it is not stopped, as a thread cannot be."""
    me = object()
    limit_s = HANGING_S if limit_s is None else limit_s
    timer = asyncio.get_running_loop().call_later(limit_s, _hangs, me, name, limit_s)
    try:
        yield
        _recovered(me)
    finally:
        timer.cancel()
        _forget(me)


async def _supervise(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = asyncio.get_running_loop()
    me = object()
    pause_s = 0.0
    try:
        while True:
            started = loop.time()
            steady = loop.call_later(STEADY_S, _recovered, me)
            try:
                error = await _ended(loop.create_task(work(), name=name))
            finally:
                steady.cancel()
            if error is None:
                return
            pause_s = 0.0 if loop.time() - started >= STEADY_S else pause_s
            pause_s = min(max(FIRST_PAUSE_S, 2 * pause_s), MAX_PAUSE_S)
            _failed(me, name, error)
            await asyncio.sleep(pause_s * _random.uniform(0.8, 1.2))
    finally:
        _forget(me)


async def _ended(task: asyncio.Task[None]) -> BaseException | None:
    """Wait until the task has ended; why it failed, or None. A cancelled caller cancels the task
    and waits until it has cleaned up."""
    try:
        await asyncio.wait((task,))
    finally:
        if not task.done():
            task.cancel()
            for error in await asyncio.gather(task, return_exceptions=True):
                if isinstance(error, Exception):
                    log.error("background_task_not_stopped", task=task.get_name(), exc_info=error)
    return asyncio.CancelledError("cancelled") if task.cancelled() else task.exception()


def _failed(me: object, name: str, error: BaseException) -> None:
    metrics.TASK_FAILURES.labels(name).inc()
    _forget(me)
    failure = name, _reason(error)
    # Probes of a thousand edges that fail alike are one traceback, not a thousand.
    if failure not in _failing.values():
        log.error("background_task_failed", task=name, exc_info=error)
    _remember(me, failure)


def _hangs(me: object, name: str, limit_s: float) -> None:
    metrics.TASK_FAILURES.labels(name).inc()
    log.error("background_task_hangs", task=name, after_s=limit_s)
    _remember(me, (name, f"a step has not ended after {limit_s:g} s"))


def _remember(me: object, failure: tuple[str, str]) -> None:
    _failing[me] = failure
    metrics.TASKS_FAILING.labels(failure[0]).inc()


def _forget(me: object) -> tuple[str, str] | None:
    failure = _failing.pop(me, None)
    if failure is not None:
        metrics.TASKS_FAILING.labels(failure[0]).dec()
    return failure


def _recovered(me: object) -> None:
    failure = _forget(me)
    if failure is not None:
        log.info("background_task_recovered", task=failure[0])


def _reason(error: BaseException) -> str:
    """The type and the text of an error, or of the first one of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:MAX_REASON_CHARS]
