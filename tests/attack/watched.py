"""``gateway serve`` with a watch on each worker's event loop.

    WATCHED_LOOPS=FOLDER python -m tests.attack.watched serve …

Each worker appends to ``FOLDER/<pid>`` the CPU milliseconds that its event loop spent without a
pause, whenever they were more than ``NOTED_MS``. CPU time, since a machine that is busy with other
things would blame the gateway for waiting. A collection of all garbage, which comes once in
hundreds of thousands of requests and takes long whatever these were, is not part of that: it has a
line of its own, ``collection MS``. Workers import this module as well, since they are spawned.
"""

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TextIO

from gateway.serving.garbage_collection import excluded_from_collection

with excluded_from_collection():  # as in gateway serve: a collection would take 100 ms otherwise
    from gateway.app import Application

FOLDER = "WATCHED_LOOPS"
BEAT_S = 0.01
NOTED_MS = 20.0
COLLECTION = "collection"
OLDEST_GENERATION = 2

_original = Application.lifespan


class _Collections:
    """The CPU seconds that full collections have taken."""

    def __init__(self, out: TextIO) -> None:
        self.seconds = 0.0
        self._out = out
        self._begun = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] != OLDEST_GENERATION:
            return
        if phase == "start":
            self._begun = time.thread_time()
        else:
            took = time.thread_time() - self._begun
            self.seconds += took
            self._out.write(f"{COLLECTION} {took * 1000:.1f}\n")


async def _beat(file: Path) -> None:
    loop = asyncio.get_running_loop()
    with file.open("w", buffering=1) as out:
        out.write("0\n")
        collections = _Collections(out)

        def spent() -> float:
            return time.thread_time() - collections.seconds

        before = spent()
        while True:
            ended = loop.create_future()
            loop.call_later(BEAT_S, ended.set_result, None)
            await ended
            now = spent()
            if (now - before) * 1000 > NOTED_MS:
                out.write(f"{(now - before) * 1000:.1f}\n")
            before = now


@contextlib.asynccontextmanager
async def _watched(self: Application, _: object) -> AsyncIterator[None]:
    async with _original(self, _):
        task = asyncio.create_task(_beat(Path(os.environ[FOLDER]) / str(os.getpid())))
        try:
            yield
        finally:
            task.cancel()


if FOLDER in os.environ:  # not in a test that imports this for the name of the variable
    Application.lifespan = _watched  # type: ignore[method-assign]

if __name__ == "__main__":
    from gateway.__main__ import main

    main()
