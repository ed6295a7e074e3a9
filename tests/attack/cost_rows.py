"""Attacks on the time that one text takes."""

import asyncio
import json
import sys

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.patterns import Found, slow, texts_of
from tests.attack.stages import Stage, no_stage

FEWEST_PATTERNS = 60
"""So many there are at least: fewer mean that they were not found."""


async def double(stage: Stage, effort: Effort) -> Outcome:
    """Pump every repeat of every regular expression, and double the text."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.attack.patterns", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    patterns = [
        Found(**{**each, "methods": tuple(each["methods"])})
        for each in map(json.loads, said.splitlines())
    ]
    outcome = Outcome()
    outcome.fault(f"only {len(patterns)} patterns", unless=len(patterns) >= FEWEST_PATTERNS)
    for found in patterns:
        outcome.sent += len(texts_of(found)) * len(found.methods)
        outcome.faults += slow(found)
    outcome.figures.append(f"{len(patterns)} patterns")
    return outcome


ROWS = (
    Attack(
        name="regex-growth",
        group="Cost",
        sent="Texts that repeat what each repeat of each regular expression matches, and then "
        "fail.",
        expected="The time grows linearly: twice the text takes less than 2.9 times as long.",
        staging=no_stage,
        run=double,
        checks_vitals=False,
    ),
)
