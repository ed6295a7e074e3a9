"""Every drill is green: nobody notices, and what broke is noticed and taken back in time."""

from collections.abc import Iterator

import pytest

from tests.drills.drill import Drill
from tests.drills.run import run
from tests.drills.stages import Stages
from tests.drills.table import DRILLS


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """The parts under drill, each kind set up once."""
    found = Stages(tmp_path_factory.mktemp("drills"))
    yield found
    found.clear()


@pytest.mark.drill
@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_a_drill_is_green(drill: Drill, stages: Stages) -> None:
    """No failures, and within the bounds that the drill states."""
    shown = run(drill, stages)
    assert ((), (), "") == (shown.failures, shown.misses, shown.slow), shown
