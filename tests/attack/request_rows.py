"""Attacks by requests: what players and operators may send."""

from collections.abc import Callable, Iterator

from tests.attack.attack import Attack, Effort, Outcome, Run
from tests.attack.client import Shot, Tally, fire
from tests.attack.hostile import Hostile, shots
from tests.attack.judge import NAMED, judge
from tests.attack.stages import Stage, asset_of, conformance_sources, directory_stage
from tests.attack.vitals import Vitals

Make = Callable[[Hostile], Callable[[], Shot]]


def titles() -> list[str]:
    """The assets of the catalogue, with the suffix of their source."""
    names = [asset_of(name) + file.suffix for name, file in conformance_sources()]
    return [*names, *["film.m3u8", "mine.m3u8", "live.mpd", "broken.m3u8"] * 20]


async def volley(port: int, made: Iterator[Shot], tally: Tally | None = None) -> Tally:
    """Send shots that may meet any fault of a source."""
    return await fire(port, made, judge(NAMED), tally=tally)


def fuzzing(make: Make, part: float, *, operators: bool = False) -> Run:
    """Send this part of the requests of a run; memory counts while the second half is sent."""

    async def run(stage: Stage, effort: Effort) -> Outcome:
        count = effort.share(part, 50)
        port = stage.admin_port if operators else stage.port
        one = make(Hostile(effort.seed, titles()))
        vitals = Vitals(stage)
        tally = await volley(port, shots(one, count // 2))
        vitals.warmed_up()
        await volley(port, shots(one, count - count // 2), tally)
        outcome = Outcome(tally.answered, [tally.shown()], tally.faults)
        vitals.add_memory(outcome)
        return outcome

    return run


ROWS = (
    Attack(
        name="fuzzed-requests",
        group="Requests",
        sent="Requests to every route of the players' listener with hostile paths, queries, "
        "headers and bodies.",
        expected="A manifest, a decision, or a problem with a name; never 500.",
        staging=directory_stage,
        run=fuzzing(lambda hostile: hostile.player, 0.6),
    ),
    Attack(
        name="fuzzed-operators",
        group="Requests",
        sent="The same to every route of the operators' listener.",
        expected="The same.",
        staging=directory_stage,
        run=fuzzing(lambda hostile: hostile.operator, 0.1, operators=True),
    ),
    Attack(
        name="fuzzed-cmcd",
        group="Requests",
        sent="CMCD reports that are cut, nested, repeated, or no CMCD.",
        expected="204, or a problem about the body; the background task that reads them goes on.",
        staging=directory_stage,
        run=fuzzing(lambda hostile: hostile.cmcd, 0.1),
    ),
)
