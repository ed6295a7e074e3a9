"""Every attack is resisted: `make attack` in short."""

import os

import pytest

from tests.attack.attack import Attack, Effort
from tests.attack.run import run
from tests.attack.stages import Stages
from tests.attack.table import ATTACKS
from tests.missing import missing

REQUESTS = int(os.environ.get("ATTACK_REQUESTS", "5000"))
SEED = 20_261_129


@pytest.mark.drill
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_green(attack: Attack, stages: Stages) -> None:
    """No fault in the answers, the log, Redis, the workers, their memory and their event loops."""
    shown = run(attack, stages, Effort(REQUESTS, SEED))
    if shown.outcome.skipped:
        missing(shown.outcome.skipped)
    assert [] == shown.outcome.faults, shown.outcome
