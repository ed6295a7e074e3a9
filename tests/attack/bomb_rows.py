"""Attacks by size: bodies that grow when they are decoded, from players and from origins."""

import gzip
import zlib
from functools import lru_cache

import brotli
import zstandard

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.judge import fault_of, kind_of
from tests.attack.source_rows import settled
from tests.attack.stages import OriginStage, Stage, directory_stage, origin_stage
from tests.attack.vitals import Vitals
from tests.integration.origins import Mode, Origin

BOMB_BYTES = 100_000_000
CODINGS = ("gzip", "br", "zstd", "deflate")
MOST_MIB = 24.0


@lru_cache
def bomb(coding: str) -> bytes:
    """100 MB of zeros, coded."""
    zeros = bytes(BOMB_BYTES)
    match coding:
        case "gzip":
            return gzip.compress(zeros, 6)
        case "br":
            coded: bytes = brotli.compress(zeros, quality=4)
            return coded
        case "zstd":
            return zstandard.compress(zeros)
        case _:
            return zlib.compress(zeros)


async def post_bombs(stage: Stage, effort: Effort) -> Outcome:
    """Post each bomb to each route that takes a body."""
    vitals = Vitals(stage)
    vitals.warmed_up()
    shots = []
    for coding in CODINGS:
        body = bomb(coding)
        for path in (b"/v1/cmcd", b"/v1/decisions", b"/v1/probe"):
            for name in (coding.encode(), coding.upper().encode(), b"identity, " + coding.encode()):
                head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: %s\r\n" % (
                    path,
                    name,
                )
                kind = b"application/cmcd" if path == b"/v1/cmcd" else b"application/json"
                rest = b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
                shots.append(Shot(head + rest + body, b"POST", alone=True))

    def judge(shot: Shot, answer: Answer) -> str:
        return fault_of(answer) or (
            "" if answer.status in {400, 413, 415} else f"answered {answer.status}"
        )

    tally = await fire(stage.port, iter(shots), judge)
    outcome = Outcome(tally.answered, [tally.shown()], tally.faults)
    vitals.add_memory(outcome, MOST_MIB)
    return outcome


async def serve_bombs(stage: OriginStage, effort: Effort) -> Outcome:
    """An origin that answers with bombs, without end, and with too much."""
    modes = {f"{coding}.m3u8": Mode(bomb_bytes=BOMB_BYTES, coding=coding) for coding in CODINGS[:3]}
    modes |= {
        "endless.m3u8": Mode(endless=True),
        "gzip-twice.m3u8": Mode(
            bomb_bytes=BOMB_BYTES, coding="gzip", headers={"Content-Encoding": "gzip, gzip"}
        ),
        "many.m3u8": Mode(headers={"Content-Encoding": ", ".join(["gzip"] * 500)}),
        "unknown.m3u8": Mode(headers={"Content-Encoding": "bomb"}),
        "long.m3u8": Mode(headers={"Content-Length": "99999999999"}),
    }
    await settled(stage)
    vitals = Vitals(stage)
    vitals.warmed_up()
    outcome = Outcome()
    async with Origin().listening(stage.origin_port) as origin:
        for name, mode in modes.items():
            asset = name.removesuffix(".m3u8")
            origin.modes[f"/vod/{asset}/master.m3u8"] = mode
            origin.modes[f"/vod/{asset}/manifest.mpd"] = mode
        shots = [
            Shot(b"GET /v1/play/%s%s HTTP/1.1\r\nHost: x\r\n\r\n" % (name.encode()[:-5], suffix))
            for name in modes
            for suffix in (b".m3u8", b".mpd", b"")
        ]

        def judge(shot: Shot, answer: Answer) -> str:
            named = kind_of(answer) in {"bad-origin", "origin-timeout", "bad-source"}
            return fault_of(answer) or ("" if named else f"answered {answer.status}")

        tally = await fire(stage.port, iter(shots), judge, depth=1)
    outcome.sent, outcome.faults = tally.answered, tally.faults
    outcome.figures.append(tally.shown())
    vitals.add_memory(outcome, 2 * MOST_MIB)
    return outcome


ROWS = (
    Attack(
        name="request-bombs",
        group="Requests",
        sent="Bodies that are 100 MB when decoded, in gzip, br, zstd and deflate, to every route "
        "that takes a body.",
        expected="415: no body of a request is decoded.",
        staging=directory_stage,
        run=post_bombs,
    ),
)
ORIGIN_ROWS = (
    Attack(
        name="origin-bombs",
        group="Origins",
        sent="Answers of an origin that are 100 MB when decoded, or have no end.",
        expected="502: decoding ends at limits.max_playlist_bytes.",
        staging=origin_stage,
        run=serve_bombs,
    ),
)
