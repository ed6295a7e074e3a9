"""Attacks by sources: playlists and MPDs that somebody else has written, from a folder and from an
origin, and what they make the gateway ask for."""

import asyncio
import random
import re
import shutil
import time

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.hostile import USER_AGENTS
from tests.attack.judge import fault_of, kind_of
from tests.attack.stages import (
    OriginStage,
    Stage,
    conformance_sources,
    directory_stage,
    origin_stage,
)
from tests.integration.origins import Mode, Origin

BATCH = 60
PIECES: tuple[bytes, ...] = (
    *(
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"\xff",
        b"\xef\xbb\xbf",
        b'"',
        b"'",
        b"<",
        b">",
        b"&",
        b"&amp;",
        b"]]>",
    ),
    *(
        b"<!--",
        b"<![CDATA[",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
        b"<!ENTITY x SYSTEM 'file:///etc/passwd'>",
        b"&x;",
    ),
    *(
        b"#EXTM3U",
        b"#EXT-X-ENDLIST",
        b"#EXTINF:6,",
        b"#EXT-X-STREAM-INF:",
        b"#EXT-X-MEDIA:",
        b"{$x}",
        b"{$",
    ),
    *(
        b"BANDWIDTH=0",
        b"BANDWIDTH=99999999999999999999",
        b"RESOLUTION=0x0",
        b"FRAME-RATE=1e999",
        b'CODECS=""',
    ),
    *(
        b"-1",
        b"0",
        b"9" * 30,
        b"1e309",
        b"NaN",
        b"PT1S",
        b"P9999999999Y",
        b"PT-1S",
        b"2026-01-01T00:00:00Z",
    ),
    *(
        b"<Period/>",
        b"<Period id='1'>",
        b"</Period>",
        b"<MPD>",
        b"</MPD>",
        b"<BaseURL>",
        b"</BaseURL>",
    ),
    *(
        b"xlink:href='http://127.0.0.1/'",
        b"xmlns='a'",
        b"xmlns:a='b'",
        b"id='1'",
        b"bandwidth='-1'",
        b"width='1e9'",
    ),
    *(
        b"urn:mpeg:dash:schema:mpd:2011",
        b"<Location>",
        b"type='dynamic'",
        b"minimumUpdatePeriod='PT0S'",
        b"\xed\xa0\x80",
    ),
    *(b"a" * 3000, b"<a>" * 200, b"</a>" * 200, b"\n" * 2000, b"," * 2000, b"=" * 500, b"A=" * 500),
)


class Mutator:
    """Makes sources out of those of the conformance sets."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._sources = [(file.suffix, file.read_bytes()) for _, file in conformance_sources()]

    def source(self) -> tuple[str, bytes]:
        """The suffix and the bytes of a mutated source."""
        one = self._random
        suffix, data = one.choice(self._sources)
        lines = data.split(b"\n")
        for _ in range(one.choice((1, 1, 1, 2, 3, 6))):
            lines = self._mutated(lines)
        return suffix, b"\n".join(lines)

    def _mutated(self, lines: list[bytes]) -> list[bytes]:
        one = self._random
        at = one.randrange(len(lines))
        line = lines[at]
        where = one.randrange(len(line) + 1)
        match one.randrange(9):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, one.choice(lines))
            case 2:
                other = one.randrange(len(lines))
                lines[at], lines[other] = lines[other], line
            case 3:
                lines[at] = line[:where] + one.choice(PIECES) + line[where:]
            case 4:
                lines[at] = re.sub(rb"[0-9]+", lambda _: one.choice(PIECES), line, count=1)
            case 5:
                lines[at] = line[:where]
            case 6:
                lines[at] = re.sub(
                    rb'"[^"]*"', lambda _: b'"' + one.choice(PIECES) + b'"', line, count=1
                )
            case 7:
                flipped = bytearray(line or b"a")
                flipped[where % len(flipped)] ^= 1 << one.randrange(8)
                lines[at] = bytes(flipped)
            case _:
                _, other_data = one.choice(self._sources)
                lines[at] = one.choice(other_data.split(b"\n"))
        return lines or [b""]


SOURCE_PROBLEMS = {
    "bad-source",
    "bad-parameter",
    "nothing-to-play",
    "bad-origin",
    "origin-timeout",
    "no-such-asset",
}


def taken(shot: Shot, answer: Answer) -> str:
    """A manifest, a decision, or a problem of the source."""
    if fault := fault_of(answer):
        return fault
    if answer.status == 200 or kind_of(answer) in SOURCE_PROBLEMS:
        return ""
    return f"answered {answer.status} {kind_of(answer)}"


def _asking(asset: str, suffix: str, one: random.Random) -> list[Shot]:
    """A title as a manifest, and as a decision."""
    lines = b"Host: x\r\nUser-Agent: %s\r\n\r\n" % one.choice(USER_AGENTS)
    query = one.choice(
        (
            b"",
            b"?speed=300",
            b"?codecs=avc",
            b"?max_resolution=360p&min_resolution=270p",
            b"?viewer=x&x=1",
        )
    )
    paths = (f"/v1/play/{asset}{suffix}".encode(), f"/v1/play/{asset}".encode())
    return [Shot(b"GET " + path + query + b" HTTP/1.1\r\n" + lines) for path in paths]


async def mutate_folder(stage: Stage, effort: Effort) -> Outcome:
    """Write mutated sources into the catalogue, and ask for them."""
    outcome = Outcome()
    one, mutator = random.Random(effort.seed), Mutator(effort.seed)
    count = effort.share(0.07, 20) // 2
    for start in range(0, count, BATCH):
        shots: list[Shot] = []
        folder = stage.folder / "catalogue" / f"z{start}"
        written: dict[bytes, bytes] = {}
        for number in range(min(BATCH, count - start)):
            suffix, data = mutator.source()
            asset = folder / str(number)
            asset.mkdir(parents=True)
            (asset / ("master.m3u8" if suffix == ".m3u8" else "manifest.mpd")).write_bytes(data)
            made = _asking(f"z{start}/{number}", suffix, one)
            shots += made
            written |= {shot.data: data for shot in made}

        def judge(shot: Shot, answer: Answer) -> str:
            fault = taken(shot, answer)
            return f"{fault}; the source: {written[shot.data]!r:.3000}" if fault else ""  # noqa: B023

        tally = await fire(stage.port, iter(shots), judge, depth=4)
        outcome.sent += tally.answered
        outcome.faults += tally.faults
        shutil.rmtree(folder)
    return outcome


SETTLED = 6
"""So many answers in a row show that both workers ask the origin again."""


async def settled(stage: OriginStage) -> None:
    """Wait until no circuit breaker is open: what an attack before this one did may have opened
    it."""
    async with Origin().listening(stage.origin_port):
        good = number = 0
        async with asyncio.timeout(40):
            while good < SETTLED:
                number += 1
                shot = b"GET /v1/play/s%d-%d.m3u8 HTTP/1.1\r\n" % (time.monotonic_ns(), number)
                host = b"Host: x\r\nX-Forwarded-For: 10.1.%d.9\r\n\r\n" % (number % 256)
                answers = await fire(
                    stage.port, iter([Shot(shot + host)]), lambda *_: "", connections=1
                )
                good = good + 1 if 200 in answers.statuses else 0
                if not good:
                    await asyncio.sleep(0.2)


class Mutated(Origin):
    """An origin whose answers are mutated sources; ``heads`` are hostile heads of answers."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self._mutator = Mutator(seed)

    def mode_of(self, path: str) -> Mode:
        """Another source for each title."""
        wanted = ".mpd" if path.endswith(".mpd") else ".m3u8"
        suffix, data = self._mutator.source()
        while suffix != wanted:
            suffix, data = self._mutator.source()
        text = data.decode("latin-1")
        ok, length = "HTTP/1.1 200 OK\r\n", f"Content-Length: {len(data)}\r\n\r\n"
        one = self.random
        chance = one.random()
        if chance < 0.7:
            return Mode(raw=f"{ok}{length}{text}")
        if chance < 0.85:
            name, value = one.choice(_NAMES), one.choice(_VALUES)
            return Mode(raw=f"{ok}{name}: {value}\r\n{length}{text}")
        head = one.choice(_HEADS)
        return Mode(raw=head + text)


_NAMES = (
    *(
        "Content-Length",
        "Transfer-Encoding",
        "Content-Encoding",
        "Age",
        "Date",
        "Expires",
        "ETag",
        "Vary",
    ),
    *(
        "Cache-Control",
        "Last-Modified",
        "Location",
        "Set-Cookie",
        "Content-Type",
        "Retry-After",
        "Connection",
    ),
)
_VALUES = (
    *(
        "",
        "-1",
        "0",
        "9" * 400,
        "chunked",
        "gzip",
        "br",
        "zstd",
        "gzip, gzip",
        "max-age=-1",
        "max-age=" + "9" * 40,
    ),
    *(
        "no-store, no-cache, private",
        "a\x00b",
        "\xff",
        'W/"x"',
        '"' * 500,
        "x" * 60000,
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ),
)
_HEADS = (
    *(
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 99 X\r\n\r\n",
        "HTTP/1.1 1000 X\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "",
    ),
    *(
        "HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 204 X\r\n\r\n",
        "HTTP/1.1 206 X\r\n\r\n",
        "HTTP/1.1 304 X\r\n\r\n",
    ),
    *(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "\r\n\r\n",
    ),
    *(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 100 C\r\n\r\n" * 50,
        "SSH-2.0-x\r\n",
    ),
    *(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 3\n\n",
    ),
)


async def mutate_origin(stage: OriginStage, effort: Effort) -> Outcome:
    """Ask for titles of an origin whose answers are mutated."""
    await settled(stage)
    outcome = Outcome()
    one = random.Random(effort.seed)
    count = effort.share(0.05, 20)
    shots = [
        shot
        for number in range(count // 2)
        for shot in _asking(f"t{effort.seed}-{number}", one.choice((".m3u8", ".mpd")), one)
    ]
    async with (
        Mutated(effort.seed).listening(stage.origin_port),
        Origin().listening(stage.edge_port),
    ):
        # Titles of clients that ask for what is broken are limited: each asks from elsewhere.
        spread = (
            Shot(
                shot.data.replace(
                    b"Host: x", b"Host: x\r\nX-Forwarded-For: %d.%d.%d.9" % _address(at)
                )
            )
            for at, shot in enumerate(shots)
        )
        tally = await fire(stage.port, spread, taken, connections=8, depth=2)
    outcome.sent, outcome.faults = tally.answered, tally.faults
    outcome.figures.append(tally.shown())
    return outcome


def _address(number: int) -> tuple[int, int, int]:
    return 11 + number // 65536, number // 256 % 256, number % 256


ROWS = (
    Attack(
        name="fuzzed-sources",
        group="Sources",
        sent="Playlists and MPDs of the conformance sets with lines cut, moved, repeated and "
        "replaced, in the folder of the catalogue.",
        expected="A manifest that a parser reads, or 502 that names what is wrong.",
        staging=directory_stage,
        run=mutate_folder,
    ),
)
ORIGIN_ROWS = (
    Attack(
        name="fuzzed-origin",
        group="Origins",
        sent="The same from an origin, below hostile status lines and headers.",
        expected="The same.",
        staging=origin_stage,
        run=mutate_origin,
    ),
)
