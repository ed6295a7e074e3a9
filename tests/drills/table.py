"""Which drills are there?"""

from tests.drills import edge_drills, origin_drills, process_drills, redis_drills
from tests.drills.drill import Drill

UPSTREAM: tuple[Drill, ...] = (*origin_drills.DRILLS, *redis_drills.DRILLS)
DOWNSTREAM: tuple[Drill, ...] = (*edge_drills.DRILLS, *process_drills.DRILLS)
DRILLS: tuple[Drill, ...] = (*UPSTREAM, *DOWNSTREAM)


def drill_named(name: str) -> Drill | None:
    """The drill of that name."""
    return next((drill for drill in DRILLS if drill.name == name), None)
