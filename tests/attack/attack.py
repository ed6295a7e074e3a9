"""What is an attack, and what did one show?"""

import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.attack.stages import Staging

MAX_FAULTS_SHOWN = 6


@dataclass(frozen=True)
class Effort:
    """How much is sent. ``requests`` is the number of fuzzed requests of all attacks together,
    ``seed`` decides what they are."""

    requests: int
    seed: int

    def share(self, part: float, least: int = 1) -> int:
        """The number of requests of an attack that sends this part of them."""
        return max(least, round(self.requests * part))

    @property
    def scale(self) -> float:
        """1.0 for 100,000 requests; attacks that repeat something else grow with its root."""
        return max(0.2, min(math.sqrt(self.requests / 100_000), 5.0))


@dataclass
class Outcome:
    """What an attack showed. ``sent`` counts what was sent and answered, or whatever the attack
    counts; ``figures`` are for people; ``faults`` turn it red. ``skipped`` says why it could not
    run."""

    sent: int = 0
    figures: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def verdict(self) -> str:
        """One word."""
        if self.faults:
            return "RED"
        return "skipped" if self.skipped else "green"

    def fault(self, text: str, *, unless: bool = False) -> None:
        """Note what went wrong."""
        if not unless:
            self.faults.append(text)


Run = Callable[[Any, Effort], Coroutine[Any, Any, Outcome]]


@dataclass(frozen=True)
class Attack:
    """One thing that somebody tries. ``sent`` and ``expected`` are sentences for people. ``run``
    gets the stage that ``staging`` sets. ``checks_vitals`` is false for attacks without a gateway
    that runs."""

    name: str
    group: str
    sent: str
    expected: str
    staging: Staging
    run: Run
    checks_vitals: bool = True
