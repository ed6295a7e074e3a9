"""How does a drill go? Players ask; it breaks; the gateway reacts; it is mended; it recovers."""

import time
from collections.abc import Callable
from dataclasses import replace

from tests.drills.drill import Course, Drill, Figures, figures
from tests.drills.seen import Line, LogReader, Seen, Sign
from tests.drills.stages import Stage, Stages
from tests.drills.viewers import Sample, Viewers, watching

WARM_UP_S = 1.0
BEFORE_S = 1.5
AFTER_S = 0.8
SLACK_S = 2.0
"""So much longer than it may take is waited for a reaction or a recovery, to see by how much."""

RUNS_WHEN_BUSY = 3
LOOK_EACH_S = 0.01
SIGN_EACH_S = 0.1
Listener = Callable[[str, float, Line | None, list[Sample]], None]
"""Is told what happened, when, and with it a log line or new samples."""


def run(
    drill: Drill, stages: Stages, listener: Listener | None = None, slower: float = 1
) -> Figures:
    """Run one drill. A stage that a red drill has left behind is not used again. Viewers ask
    ``slower`` times more slowly than the stage plans.

    Time is measured on a machine that does other things, too: a drill that is inconclusive is run
    again, and was red if it is so each time. Whatever else is wrong counts at once.
    """
    listener = listener or (lambda *_: None)
    shown = _once(drill, stages, listener, slower)
    while shown.is_inconclusive and shown.runs < RUNS_WHEN_BUSY:
        if shown.misses:
            stages.clear()
        shown = replace(_once(drill, stages, listener, slower), runs=shown.runs + 1)
    if not shown.green:
        stages.clear()
    return shown


def _once(drill: Drill, stages: Stages, listener: Listener, slower: float) -> Figures:
    stage: Stage = stages.use(drill.staging)
    with watching(replace(stage.plan, rate=stage.plan.rate / slower)) as viewers:
        return figures(drill, _Run(drill, stage, viewers, listener).go())


class _Run:
    def __init__(self, drill: Drill, stage: Stage, viewers: Viewers, listener: Listener) -> None:
        self._drill = drill
        self._stage = stage
        self._viewers = viewers
        self._listener = listener
        self._log = LogReader(stage.gateway.log)
        self._told = 0

    def go(self) -> Course:
        """The whole course. Whatever happens, what was broken is mended."""
        drill, stage = self._drill, self._stage
        self._log.read()
        self._until_answers()
        drill.prepare(stage)
        self._wait(WARM_UP_S)
        began = time.monotonic()
        self._wait(BEFORE_S)
        broken = self._log.mark()
        self._listener("broken", broken, None, [])
        try:
            drill.break_it(stage)
            reacted = self._see(drill.reacted, broken, drill.bounds.react_s, drill.hold_s)
        finally:
            held = time.monotonic()
            if drill.mend_it is not None:
                drill.mend_it(stage)
        if drill.mend_it is not None:
            mended = self._log.mark()
            self._listener("mended", mended, None, [])
            recovered = self._see(drill.recovered, mended, drill.bounds.recover_s)
        else:
            mended = broken
            recovered = self._see(drill.recovered, reacted or held, drill.bounds.recover_s)
            held = max(held, recovered or held)
        self._wait(AFTER_S)
        self._viewers.stop()
        self._look()
        return Course(self._viewers.samples, began, broken, reacted, held, mended, recovered)

    def _until_answers(self) -> None:
        deadline = time.monotonic() + 20
        while not self._viewers.samples:
            assert time.monotonic() < deadline, "the viewers did not begin"
            self._look()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._look()

    def _see(
        self, sign: Sign | None, since: float, within_s: float, hold_s: float = 0
    ) -> float | None:
        """The moment of a sign. Waits for it, and ``hold_s`` in any case."""
        if sign is None:
            self._wait(hold_s)
            return None
        moment: float | None = None
        while moment is None and time.monotonic() < since + max(within_s + SLACK_S, hold_s):
            self._wait(SIGN_EACH_S)
            moment = self._moment(sign, since)
        self._wait(since + hold_s - time.monotonic())
        return self._moment(sign, since)

    def _moment(self, sign: Sign, since: float) -> float | None:
        seen = Seen(self._log.lines, self._viewers.samples, self._stage.workers, time.monotonic())
        return sign(seen, since)

    def _look(self) -> None:
        time.sleep(LOOK_EACH_S)
        for line in self._log.read():
            self._listener("logged", line[0], line, [])
        fresh = self._viewers.samples[self._told :]
        self._told += len(fresh)
        self._listener("sampled", time.monotonic(), None, fresh)
