"""Attacks on playback tokens over HTTP: forged, of another title, revoked."""

import asyncio
import time
from collections.abc import Iterator

import httpx

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, Tally, fire
from tests.attack.hostile import request
from tests.attack.judge import HLS, fault_of
from tests.attack.stages import OPERATOR_KEY, Stage, token_stage
from tests.attack.trust_rows import confused, flipped
from tests.unit.trust.tokens.making import jwt

LATER_S = 600
REVOKED_WITHIN_S, QUIET_S = 5.0, 2.0
STEMS = (b"/v1/play/film.m3u8", b"/v1/play/film", b"/v1/play/live.mpd")


def _token(**claims: object) -> str:
    return jwt({"exp": int(time.time()) + LATER_S, **claims})


def _with(token: str, path: bytes) -> Iterator[Shot]:
    """The token in each of its places."""
    text = token.encode("latin-1", "replace")
    yield Shot(request(path, [b"Authorization: Bearer " + text]))
    yield Shot(request(path, [b"CTA-Common-Access-Token: " + text]))
    yield Shot(request(path + b"?token=" + text.replace(b"#", b"%23"), []))


def _kept_out(_: Shot, answer: Answer) -> str:
    if fault := fault_of(answer):
        return fault
    return "" if answer.status in {400, 401, 403} else f"admitted with {answer.status}"


async def forge_over_http(stage: Stage, effort: Effort) -> Outcome:
    """Send forged tokens, and one of another title, in every place that takes a token."""
    outcome = Outcome()
    good = _token(sub="somebody")
    every = max(1, round(40 / effort.scale))
    texts = [*list(flipped(good))[: len(good) * 6][::every], *list(confused("HS256"))[::every]]
    shots = [Shot(request(path, [])) for path in STEMS]
    for number, text in enumerate(texts):
        if (
            text.isascii()
            and text.isprintable()
            and text.rpartition(".")[0] != good.rpartition(".")[0]
        ):
            shots += _with(text, STEMS[number % len(STEMS)])
    shots += [shot for path in STEMS for shot in _with(_token(exp=int(time.time()) - 3600), path)]
    other = [b"Authorization: Bearer " + _token(sub="another").encode()]
    shots.append(Shot(request(STEMS[0] + b"?token=" + good.encode(), other)))
    tally = await fire(stage.port, iter(shots), _kept_out)
    outcome.sent, outcome.faults = tally.answered, tally.faults
    outcome.figures.append(tally.shown())
    admitted = await fire(stage.port, _with(good, STEMS[0]), lambda _, answer: fault_of(answer))
    if admitted.statuses != {200: 3}:
        outcome.fault(f"a good token is answered {admitted.statuses}")
    return outcome


async def use_revoked(stage: Stage, effort: Effort) -> Outcome:
    """Use a token whose subject was revoked, in every place, and what answers have carried on."""
    del effort
    outcome = Outcome()
    token = _token(sub="thief", jti="stolen")
    headers = {"Authorization": f"Bearer {token}"}
    operator = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    async with httpx.AsyncClient(base_url=stage.gateway.url) as client:
        before = await client.get("/v1/play/film.m3u8", headers=headers)
        outcome.fault(f"not admitted: {before.text[:300]}", unless=before.status_code == 200)
        async with httpx.AsyncClient(base_url=stage.gateway.admin_url, headers=operator) as admin:
            said = await admin.post("/v1/revocations", json={"kind": "subject", "name": "thief"})
        outcome.fault(f"{said.status_code}: {said.text[:300]}", unless=said.status_code < 300)
    begun, seen = time.monotonic(), Tally()
    admitted = now = begun
    # One worker refuses sooner than another: none may admit for a while.
    while now < min(begun + REVOKED_WITHIN_S, admitted + QUIET_S):
        seen = await fire(stage.port, _with(token, STEMS[0]), lambda *_: "", connections=3)
        now = time.monotonic()
        admitted = now if 200 in seen.statuses else admitted
        await asyncio.sleep(0.2)
    outcome.figures.append(f"revoked after {admitted - begun:.1f} s")
    again = [shot for path in STEMS for shot in _with(token, path)] * 4
    other = _token(sub="thief", jti="another")
    again += [shot for path in STEMS for shot in _with(other, path)]
    tally = await fire(stage.port, iter(again), _kept_out)
    outcome.sent = tally.answered + seen.answered
    outcome.faults += tally.faults
    outcome.figures.append(tally.shown())
    steering = [line for line in before.text.splitlines() if "SERVER-URI" in line]
    if before.headers["content-type"].encode() != HLS:
        outcome.fault(f"no playlist, {len(steering)} steering")
    return outcome


ROWS = (
    Attack(
        name="tokens-over-http",
        group="Trust",
        sent="Forged tokens, tokens that have ended and two at once, in each place that takes one.",
        expected="400, 401 or 403; a good one is admitted.",
        staging=token_stage,
        run=forge_over_http,
    ),
    Attack(
        name="revoked-tokens",
        group="Trust",
        sent="A token whose subject was revoked, and another one of the same subject.",
        expected="401 or 403 from every worker, within 5 s.",
        staging=token_stage,
        run=use_revoked,
    ),
)
