"""The origin misbehaves: what is known is served on, and what is not is refused, never made up."""

from tests.drills.drill import Bounds, Drill
from tests.drills.seen import Seen, answered, logged, refused
from tests.drills.stages import OriginStage, origin_stage
from tests.drills.viewers import Sample

READ_TIMEOUT_S = 4.0
PATIENCE_MS = 300.0
"""So long a player waits for an origin while there is a stale copy; then it gets that."""

LATENCY_MS = PATIENCE_MS + 300.0
BACK_S = 7.0
"""An origin that failed for long is left alone for five seconds at most."""

DOWN = logged("origin_down")


def _fetched(one: Sample) -> bool:
    """A title that nobody knew was fetched, and soon."""
    return not one.known and not one.refused and one.done - one.sent < 1.0


def _up_again(seen: Seen, since: float) -> float | None:
    """No worker leaves the origin alone any more, and titles are fetched."""
    states: dict[int, bool] = {}
    moment = since
    for at, line in seen.log:
        if line.get("event") in {"origin_down", "origin_up"}:
            states[line["pid"]] = line["event"] == "origin_up"
            moment = max(moment, at)
    fetched = answered(_fetched)(seen, since)
    if fetched is None or not all(states.values()):
        return None
    return max(moment, fetched)


def _made_up(one: Sample) -> str:
    """Nothing that the origin says may become a playlist."""
    if not one.known and not one.refused:
        return "a title was answered that the origin did not give"
    return ""


def _redirect(stage: OriginStage) -> None:
    """The other host would have a playlist for everybody."""
    stage.tell(redirect=f"{stage.elsewhere.url.rstrip('/')}{{path}}")


def _healthy(stage: OriginStage) -> None:
    stage.tell()


DRILLS = (
    Drill(
        name="origin-killed",
        group="Origin",
        staging=origin_stage,
        broken="The origin is killed (`SIGKILL`).",
        mended="It is started again.",
        expected="Stale copies are served. Titles without a copy are refused (504); after a few "
        "tries the origin is not even asked.",
        break_it=lambda stage: stage.origin.kill(),
        mend_it=lambda stage: stage.origin.start(),
        reacted=DOWN,
        recovered=_up_again,
        bounds=Bounds(react_s=3.0, recover_s=BACK_S, added_p99_ms=LATENCY_MS),
    ),
    Drill(
        name="origin-frozen",
        group="Origin",
        staging=origin_stage,
        broken="The origin is stopped (`SIGSTOP`): connections stay open, but nothing is answered.",
        mended="It continues (`SIGCONT`).",
        expected="As for a killed origin, but noticed only after the read timeout of 4 s.",
        break_it=lambda stage: stage.origin.freeze(),
        mend_it=lambda stage: stage.origin.thaw(),
        reacted=DOWN,
        recovered=_up_again,
        bounds=Bounds(react_s=READ_TIMEOUT_S + 2.0, recover_s=BACK_S, added_p99_ms=LATENCY_MS),
    ),
    Drill(
        name="origin-slow",
        group="Origin",
        staging=origin_stage,
        broken="The origin takes 3 s for each answer.",
        mended="It is fast again.",
        expected="Stale copies are served, and replaced when the answer comes. A request for a "
        "title without a copy waits. All is within the timeouts, so there is nothing to react to.",
        break_it=lambda stage: stage.tell(delay_s=3.0),
        mend_it=_healthy,
        reacted=None,
        recovered=answered(_fetched),
        bounds=Bounds(react_s=0.0, recover_s=2.0, added_p99_ms=LATENCY_MS),
        hold_s=4.0,
    ),
    Drill(
        name="origin-flapping",
        group="Origin",
        staging=origin_stage,
        broken="The origin answers for half a second, then fails (503) for half a second, and so "
        "on.",
        mended="It always answers.",
        expected="Retries bridge what they can. When too many fail, the origin is not asked for a "
        "while.",
        break_it=lambda stage: stage.tell(flap_s=[0.5, 0.5]),
        mend_it=_healthy,
        reacted=logged("origin_down", each=1),
        recovered=_up_again,
        bounds=Bounds(react_s=4.0, recover_s=BACK_S, added_p99_ms=LATENCY_MS),
    ),
    Drill(
        name="origin-garbage",
        group="Origin",
        staging=origin_stage,
        broken="The origin answers everything with an HTML page and status 200.",
        mended="It answers with playlists.",
        expected="Stale copies are served, and not replaced. Titles without a copy are refused "
        "(502).",
        break_it=lambda stage: stage.tell(html=True),
        mend_it=_healthy,
        reacted=refused,
        recovered=_up_again,
        bounds=Bounds(react_s=1.0, recover_s=BACK_S, added_p99_ms=LATENCY_MS),
        wrong=_made_up,
    ),
    Drill(
        name="origin-redirecting",
        group="Origin",
        staging=origin_stage,
        broken="The origin redirects everything to another host, which answers with a playlist.",
        mended="It answers itself.",
        expected="No redirect is followed. Stale copies are served; titles without one are "
        "refused (502).",
        break_it=_redirect,
        mend_it=_healthy,
        reacted=refused,
        recovered=_up_again,
        bounds=Bounds(react_s=1.0, recover_s=BACK_S, added_p99_ms=LATENCY_MS),
        wrong=_made_up,
    ),
    Drill(
        name="origin-dripping",
        group="Origin",
        staging=origin_stage,
        broken="The origin sends one byte a second.",
        mended="It sends at full speed.",
        expected="So slow an answer is given up after a second. Stale copies are served. Titles "
        "without a copy are refused; after a few tries the origin is not even asked.",
        break_it=lambda stage: stage.tell(drip_bytes_per_s=1.0),
        mend_it=_healthy,
        reacted=DOWN,
        recovered=_up_again,
        bounds=Bounds(react_s=5.0, recover_s=BACK_S, added_p99_ms=LATENCY_MS),
    ),
)
