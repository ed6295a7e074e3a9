"""How does an attack go? Its stage is set, it runs, and the gateway is looked at."""

import asyncio
import time
import traceback
from dataclasses import dataclass

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.stages import Stages
from tests.attack.vitals import Vitals


@dataclass(frozen=True)
class Shown:
    """What an attack showed, and the seconds that it took."""

    attack: Attack
    outcome: Outcome
    seconds: float


def run(attack: Attack, stages: Stages, effort: Effort) -> Shown:
    """Run one attack. A stage that it has left red is not used again."""
    begun = time.monotonic()
    stage = stages.use(attack.staging)
    vitals = Vitals(stage) if attack.checks_vitals else None
    try:
        outcome = asyncio.run(attack.run(stage, effort))
    except Exception:  # noqa: BLE001  # a row of the table, whatever it was
        outcome = Outcome(faults=[f"the attack itself failed: {traceback.format_exc()}"])
    if vitals is not None:
        try:
            vitals.add_to(outcome)
        except Exception:  # noqa: BLE001
            outcome.fault(f"the gateway cannot be looked at: {traceback.format_exc()}")
    if outcome.faults:
        stages.clear()
    return Shown(attack, outcome, time.monotonic() - begun)
