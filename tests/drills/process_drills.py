"""What the gateway itself stands on is ill-treated: its config, its GeoIP file, its workers."""

import os
import signal

from tests.drills.answers import member
from tests.drills.drill import Bounds, Drill
from tests.drills.seen import logged
from tests.drills.stages import ConfigStage, Stage, config_stage, worker_stage
from tests.drills.viewers import Sample
from tests.integration.processes import children


def _break_config(stage: ConfigStage) -> None:
    stage.write_config(240, "[profiles.wify]\nmax_hight = 1\n")


def _mend_config(stage: ConfigStage) -> None:
    stage.write_config(360)


def _taken_from_the_broken_file(one: Sample) -> str:
    """One rung is what the broken file says; phones have their own profile."""
    if member(one.decision, "profile") == "wifi" and member(one.decision, "rungs") == "1":
        return "made with a config that was refused"
    return ""


def _cut_database(stage: ConfigStage) -> None:
    stage.write_database("DE", share=0.5)


def _replace_database(stage: ConfigStage) -> None:
    stage.write_database("DE")


def _place_lost(one: Sample) -> str:
    country = member(one.decision, "country")
    return "" if country == "US" else f"the viewer is in {country or 'no country'} all at once"


def _kill_a_worker(stage: Stage) -> None:
    os.kill(children(stage.gateway.process.pid)[0], signal.SIGKILL)


DRILLS = (
    Drill(
        name="config-broken",
        group="Config",
        staging=config_stage,
        broken="A config with unknown keys is saved.",
        mended="A good config is saved.",
        expected="Every worker refuses the whole file and logs why. The last good config stays in "
        "force.",
        break_it=_break_config,
        mend_it=_mend_config,
        reacted=logged("config_refused"),
        recovered=logged("config_reloaded"),
        bounds=Bounds(react_s=2.0, recover_s=2.0),
        wrong=_taken_from_the_broken_file,
    ),
    Drill(
        name="geoip-replaced",
        group="Config",
        staging=config_stage,
        broken="The GeoIP file is replaced by half a file.",
        mended="It is replaced by another good one.",
        expected="Half a file is refused, and places come from the last good file. The new file "
        "is used when it is whole. Files are looked at every 2 s.",
        break_it=_cut_database,
        mend_it=_replace_database,
        reacted=logged("geo_refused"),
        recovered=logged("geo_loaded"),
        bounds=Bounds(react_s=3.5, recover_s=3.5),
        wrong=_place_lost,
    ),
    Drill(
        name="worker-killed",
        group="Workers",
        staging=worker_stage,
        broken="One of four workers is killed (`SIGKILL`).",
        mended="Nothing is done: the parent process replaces it.",
        expected="Requests that this worker was answering lose their connection, which cannot be "
        "helped. Players ask again, and the other workers answer. No other request is affected.",
        break_it=_kill_a_worker,
        mend_it=None,
        reacted=logged("worker_replaced", each=1),
        recovered=logged("started", each=1),
        bounds=Bounds(react_s=2.0, recover_s=20.0, added_p99_ms=1000, lost=4),
    ),
)
