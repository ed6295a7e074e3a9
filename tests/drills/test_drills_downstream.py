"""Drills of edges, config and workers are green: nobody notices, and the gateway does in time.

The other half runs beside these. Drills measure how long things take, so no more do at once.
"""

import pytest

from tests.drills.drill import Drill
from tests.drills.run import run
from tests.drills.stages import Stages
from tests.drills.table import DOWNSTREAM


@pytest.mark.drill
@pytest.mark.parametrize("drill", DOWNSTREAM, ids=lambda drill: drill.name)
def test_a_drill_is_green(drill: Drill, stages: Stages) -> None:
    """No failures, and within the bounds that the drill states; at half the rate of the command."""
    shown = run(drill, stages, slower=2)
    assert ((), (), "") == (shown.failures, shown.misses, shown.slow), shown
