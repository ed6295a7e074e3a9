"""Which drills are there?"""

from tests.drills import edge_drills, origin_drills, process_drills, redis_drills
from tests.drills.drill import Drill

DRILLS: tuple[Drill, ...] = (
    *origin_drills.DRILLS,
    *redis_drills.DRILLS,
    *edge_drills.DRILLS,
    *process_drills.DRILLS,
)


def drill_named(name: str) -> Drill | None:
    """The drill of that name."""
    return next((drill for drill in DRILLS if drill.name == name), None)
