"""Attacks by Redis: garbage in every key, and in every channel, while players ask.

The values are those of :mod:`tests.integration.test_hostile_redis`, which looks at each background
task of one worker; here two workers of a real gateway have to go on.
"""

import asyncio
import contextlib
import random
from typing import Any

from redis import ResponseError

from gateway.store.connection import keys
from gateway.store.coordination.bus import TOPICS
from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.judge import fault_of
from tests.attack.stages import Stage, directory_stage
from tests.integration.test_hostile_redis import (
    FIXED_KEYS,
    KINDS,
    LARGE_BYTES,
    TEXTS,
    replace,
    spoil,
)

GET = (
    b"GET /v1/play/film.m3u8?session=s%d HTTP/1.1\r\nHost: x\r\n"
    b"X-Forwarded-For: 129.240.%d.6\r\n\r\n"
)
STEER = b"GET /v1/steering/film?session=s%d HTTP/1.1\r\nHost: x\r\n\r\n"
PLAYERS = 24


def _fill(redis: Any, seed: int, text: bytes) -> int:
    """Spoil or replace every key, and announce garbage on every channel."""
    one = random.Random(seed)
    written = 0
    names = {*FIXED_KEYS.values(), *redis.keys(keys.PREFIX + b"*"), *map(keys.bus_log, TOPICS)}
    names -= {keys.ACKNOWLEDGED, keys.SESSION_EVENTS, keys.PROBE}
    chosen = sorted(names) if len(names) < 60 else one.sample(sorted(names), 60)
    for name in chosen:
        with contextlib.suppress(ResponseError):
            if one.random() < 0.5:
                spoil(redis, name, text)
            else:
                replace(redis, name, one.choice(KINDS), text)
            written += 1
    for topic in TOPICS:
        redis.publish(keys.bus_channel(topic), text)
    return written


async def poison(stage: Stage, effort: Effort) -> Outcome:
    """Fill Redis with one hostile value after the other."""
    outcome = Outcome()
    texts = [text for text in TEXTS.values() if len(text) <= LARGE_BYTES or effort.scale >= 1]
    written = 0

    def served(_: Shot, answer: Answer) -> str:
        return fault_of(answer) or ("" if answer.status == 200 else f"answered {answer.status}")

    for number, text in enumerate(texts):

        def fill(number: int = number, text: bytes = text) -> int:
            with stage.server.client() as redis:
                return _fill(redis, effort.seed + number, text)

        written += await asyncio.to_thread(fill)
        shots = [Shot(GET % (at, at)) for at in range(PLAYERS)]
        shots += [Shot(STEER % at) for at in range(PLAYERS // 2)]
        tally = await fire(stage.port, iter(shots), served)
        outcome.sent += tally.answered
        outcome.faults += tally.faults
        if len(outcome.faults) > 20:
            break
    stage.server.command("FLUSHALL")
    await asyncio.sleep(1.0)  # what failed because of garbage has been tried again
    outcome.figures.append(f"{written} values written")
    return outcome


ROWS = (
    Attack(
        name="hostile-redis",
        group="Store",
        sent="Values of every type, size and shape in each key that the gateway uses, and garbage "
        "on its channels.",
        expected="Players are served; no background task fails.",
        staging=directory_stage,
        run=poison,
    ),
)
