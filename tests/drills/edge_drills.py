"""Edges die, hang, are slow or go stale: nobody is sent to one that has been gone for 2 s."""

from tests.drills.drill import DEAD_EDGE_S, Bounds, Drill
from tests.drills.seen import Sign, avoids, both, judged, names
from tests.drills.stages import ANYWHERE, BANGLADESH, EDGES, EdgeStage, edge_stage
from tests.drills.viewers import Sample

EUROPE = ("oslo-1", "oslo-2")
ASIA = ("singapore-1", "singapore-2")

STALE_S = 3.0
"""Three target durations of a second: only then is a live playlist known to be stale."""

PROBE_TIMEOUT_S = 0.65
"""How much later a frozen edge is known to be dead than one that refuses connections."""

BACK_S = 5.0
"""Two good probes, half a second apart, bring an edge back the first time; then twice as many."""


def _gone(*edges: str) -> Sign:
    """Every worker has them down, and no manifest names them any more."""
    return both(judged("down", *edges), avoids(*edges))


def _back(*edges: str) -> Sign:
    """Every worker has them up, and manifests name them again."""
    return both(judged("up", *edges), names(*edges))


def _not_the_next_region(one: Sample) -> str:
    """From Bangladesh, the edges of Oslo are nearer than those of Virginia."""
    from_asia = ANYWHERE[one.viewer % len(ANYWHERE)] == BANGLADESH
    if from_asia and one.edge not in (*ASIA, *EUROPE):
        return f"{one.edge} is not the next nearest"
    return ""


def _start_third_and_store(stage: EdgeStage) -> None:
    stage.start("virginia-3")
    stage.server.start()


DRILLS = (
    Drill(
        name="edge-killed",
        group="Edges",
        staging=edge_stage,
        broken="One of two edges of a region is killed (`SIGKILL`).",
        mended="It is started again.",
        expected="Its viewers go to the other edge within two seconds. All other viewers stay "
        "where they are. When the edge is back, its own viewers return to it little by little.",
        break_it=lambda stage: stage.kill("oslo-1"),
        mend_it=lambda stage: stage.start("oslo-1"),
        reacted=_gone("oslo-1"),
        recovered=_back("oslo-1"),
        bounds=Bounds(react_s=DEAD_EDGE_S, recover_s=BACK_S),
        dead=("oslo-1",),
    ),
    Drill(
        name="edge-frozen",
        group="Edges",
        staging=edge_stage,
        broken="An edge is stopped (`SIGSTOP`): it accepts connections and never answers.",
        mended="It continues (`SIGCONT`).",
        expected="As for a killed edge, but noticed one probe timeout (0.65 s) later.",
        break_it=lambda stage: stage.edges["virginia-1"].freeze(),
        mend_it=lambda stage: stage.edges["virginia-1"].thaw(),
        reacted=_gone("virginia-1"),
        recovered=_back("virginia-1"),
        bounds=Bounds(react_s=DEAD_EDGE_S + PROBE_TIMEOUT_S, recover_s=BACK_S),
        dead=("virginia-1",),
        dead_after_s=DEAD_EDGE_S + PROBE_TIMEOUT_S,
    ),
    Drill(
        name="edge-slow",
        group="Edges",
        staging=edge_stage,
        broken="An edge takes half a second for each answer.",
        mended="It is fast again.",
        expected="The edge is degraded: half of its new viewers go elsewhere, and nobody is moved "
        "from it.",
        break_it=lambda stage: stage.edges["virginia-2"].set(delay_s=0.5),
        mend_it=lambda stage: stage.edges["virginia-2"].set(),
        reacted=judged("degraded", "virginia-2"),
        recovered=judged("up", "virginia-2"),
        bounds=Bounds(react_s=4.0, recover_s=BACK_S),
    ),
    Drill(
        name="edge-stale",
        group="Edges",
        staging=edge_stage,
        broken="The live playlist of an edge is still served, but gets no new segments.",
        mended="It gets segments again.",
        expected="After three target durations, of one second here, the edge counts as down.",
        break_it=lambda stage: stage.packager.stop_at("oslo-2"),
        mend_it=lambda stage: stage.packager.stop_at(),
        reacted=_gone("oslo-2"),
        recovered=_back("oslo-2"),
        bounds=Bounds(react_s=STALE_S + DEAD_EDGE_S, recover_s=BACK_S),
        dead=("oslo-2",),
        dead_after_s=STALE_S + DEAD_EDGE_S,
    ),
    Drill(
        name="region-killed",
        group="Edges",
        staging=edge_stage,
        broken="All edges of a region are killed.",
        mended="They are started again.",
        expected="Its viewers go to the next nearest region.",
        break_it=lambda stage: stage.kill(*ASIA),
        mend_it=lambda stage: stage.start(*ASIA),
        reacted=_gone(*ASIA),
        recovered=_back(*ASIA),
        bounds=Bounds(react_s=DEAD_EDGE_S, recover_s=BACK_S),
        dead=ASIA,
        wrong=_not_the_next_region,
    ),
    Drill(
        name="edge-killed-without-redis",
        group="Edges",
        staging=edge_stage,
        broken="An edge is killed while there is no Redis.",
        mended="The edge is started again, and then Redis.",
        expected="Every worker probes for itself, and finds the edge gone just as soon.",
        prepare=lambda stage: stage.server.kill(),
        break_it=lambda stage: stage.kill("virginia-3"),
        mend_it=_start_third_and_store,
        reacted=_gone("virginia-3"),
        recovered=_back("virginia-3"),
        bounds=Bounds(react_s=DEAD_EDGE_S, recover_s=BACK_S),
        dead=("virginia-3",),
    ),
    Drill(
        name="all-edges-killed",
        group="Edges",
        staging=edge_stage,
        broken="All edges are killed.",
        mended="They are started again.",
        expected="Edges are ranked as if all were up. A manifest is never refused, and a player "
        "that has buffered part of the title plays on.",
        break_it=lambda stage: stage.kill(*EDGES),
        mend_it=lambda stage: stage.start(*EDGES),
        reacted=judged("down", *EDGES),
        recovered=judged("up", *EDGES),
        bounds=Bounds(react_s=DEAD_EDGE_S, recover_s=12.0),
    ),
)
