"""Attacks on caches: no viewer gets what was made for another one."""

import itertools
import random
import re
from collections.abc import Iterator

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.hostile import ADDRESSES, USER_AGENTS, request
from tests.attack.judge import fault_of, plain
from tests.attack.stages import (
    BASE,
    Stage,
    directory_stage,
    gateway_on,
    port_of,
    write_catalogue,
)

Viewer = tuple[bytes, ...]
"""The target of the request, and its header lines."""
Content = tuple[int, bytes]
ASPECTS: dict[bytes, tuple[bytes, ...]] = {
    b"User-Agent": USER_AGENTS[:5],
    b"X-Forwarded-For": ADDRESSES[:4],
    b"Accept-Encoding": (b"gzip", b"br", b"identity"),
    b"Save-Data": (b"on", b"off"),
    b"ECT": (b"2g", b"4g"),
    b"CMCD-Request": (b"mtp=300", b"mtp=30000"),
    b"Sec-CH-UA-Platform": (b'"Android"', b'"Windows"'),
}
QUERIES = (
    b"",
    b"speed=300",
    b"speed=90000",
    b"max_resolution=360p",
    b"codecs=avc",
    b"viewer=alice",
    b"viewer=bob",
)
STEERED = re.compile(rb'(SERVER-URI="[^"]*\?state=|state=)[A-Za-z0-9_.%-]+')
"""Signed, with the time: another one each time."""


def viewers(seed: int, count: int) -> list[Viewer]:
    """Viewers that differ in one aspect or in several: target and header lines."""
    one = random.Random(seed)
    made = []
    for _ in range(count):
        path = one.choice(
            (b"/v1/play/film.m3u8", b"/v1/play/mine.m3u8", b"/v1/play/live.mpd", b"/v1/play/film")
        )
        query = one.choice(QUERIES[5:] if b"mine" in path else QUERIES)
        lines = [
            name + b": " + one.choice(values)
            for name, values in ASPECTS.items()
            if one.random() < 0.6
        ]
        made.append((path + b"?" + query, *lines))
    return made


def _content(answer: Answer) -> Content:
    return answer.status, STEERED.sub(rb"\1", plain(answer))


class Confusion:
    """What each viewer gets, and the entity tag of it."""

    def __init__(self) -> None:
        self.own: dict[Viewer, Content] = {}
        self.tags: dict[Viewer, bytes] = {}

    def first(self, shot: Shot, answer: Answer) -> str:
        """The answer of a gateway that was asked in another order."""
        assert isinstance(shot.note, tuple)
        self.own[shot.note] = _content(answer)
        return fault_of(answer)

    def again(self, shot: Shot, answer: Answer) -> str:
        """What is wrong with another answer to a viewer who sent somebody's tag."""
        assert isinstance(shot.note, tuple)
        viewer, tag = shot.note
        if answer.status == 304:
            mine = self.tags.get(viewer)
            return "" if mine in {tag, None} else f"304 to the entity tag of another: {tag!r}"
        if b"etag" in answer.headers:
            self.tags[viewer] = answer.headers[b"etag"]
        if _content(answer) != self.own[viewer]:
            return f"{viewer}: {_content(answer)!r:.700} instead of {self.own[viewer]!r:.700}"
        if answer.headers.get(b"cache-control", b"").startswith(b"public"):
            return "a personal answer is public"
        named = {line.partition(b":")[0].lower() for line in viewer[1:]} - {b"x-forwarded-for"}
        vary = {name.strip().lower() for name in answer.headers.get(b"vary", b"").split(b",")}
        return "" if named <= vary else f"Vary lacks {named - vary}"

    def pairs(self, outcome: Outcome) -> None:
        """Two bodies never have one tag."""
        pairs = same = 0
        for left, right in itertools.combinations(self.tags, 2):
            pairs += 1
            if self.tags[left] == self.tags[right]:
                same += 1
                if self.own[left] != self.own[right]:
                    outcome.fault(f"one entity tag for two bodies: {left} {right}")
        outcome.figures.append(f"{pairs} pairs of viewers, {same} with the same answer")


async def confuse(stage: Stage, effort: Effort) -> Outcome:
    """Ask as many viewers in turn, with their own and with each other's entity tags, and compare
    with what a gateway answers that has other caches and was asked in another order."""
    everybody = viewers(effort.seed, max(40, round(250 * effort.scale)))
    outcome, seen = Outcome(), Confusion()
    fresh = stage.folder / f"fresh-{effort.seed}"
    write_catalogue(fresh / "catalogue")
    with gateway_on(fresh, BASE, {"GATEWAY_STORE__URL": "memory"}, 1) as (other, _):
        asked = (Shot(request(one[0], one[1:]), note=one) for one in reversed(everybody))
        tally = await fire(port_of(other.url), asked, seen.first, connections=1)
    outcome.faults += tally.faults
    one = random.Random(effort.seed)

    def turn(number: int) -> Iterator[Shot]:
        known = list(seen.tags.values())
        for viewer in one.sample(everybody, len(everybody)):
            tag = one.choice(known) if number and known else b'"none"'
            lines = [*viewer[1:], b"If-None-Match: " + tag]
            yield Shot(request(viewer[0], lines), note=(viewer, tag))

    for number in range(4):
        found = await fire(stage.port, turn(number), seen.again)
        outcome.sent += found.answered
        outcome.faults += found.faults
    seen.pairs(outcome)
    return outcome


ROWS = (
    Attack(
        name="cache-confusion",
        group="Text of players",
        sent="The same titles as viewers that differ in one aspect or several, in turn, with the "
        "entity tags of each other.",
        expected="Each gets what a gateway with other caches answers; 304 only to its own tag; "
        "Vary names what differs.",
        staging=directory_stage,
        run=confuse,
    ),
)
