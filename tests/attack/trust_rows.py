"""Attacks on whom the gateway believes: tokens, keys of operators, signed requests, limits."""

import base64
import hmac
import json
import random
import secrets
import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

import httpx

from gateway.trust.operators.api_key import key_text
from gateway.trust.tokens.algorithm import Algorithm
from gateway.trust.tokens.verified import VerifiedToken
from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.hostile import HOSTILE, request
from tests.attack.judge import fault_of, kind_of
from tests.attack.stages import (
    OPERATOR_KEY,
    SERVICE_SECRET,
    Stage,
    guarded_stage,
    no_stage,
)
from tests.unit.trust.tokens.making import NOW_S, SECRET, cat, jwt, private, token_key, verifier

ALGORITHMS: tuple[Algorithm, ...] = ("HS256", "ES256", "EdDSA")
CLAIMED = (
    *("none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "PS256", "ES256"),
    *("ES384", "EdDSA", "ES256K", "dir", "A128KW", "RSA-OAEP", "HS1", " HS256", "hs256"),
)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def flipped(token: str) -> Iterator[str]:
    """The token with each bit of each part flipped, and cut at each character."""
    parts = token.split(".")
    for at, part in enumerate(parts):
        raw = _bytes_of(part)
        for bit in range(len(raw) * 8):
            made = bytearray(raw)
            made[bit // 8] ^= 1 << bit % 8
            yield ".".join([*parts[:at], _b64(bytes(made)), *parts[at + 1 :]])
    yield from (token[:at] for at in range(len(token)))


def confused(algorithm: Algorithm) -> Iterator[str]:
    """Tokens of another algorithm than the key's: signed with what is public, or not at all."""
    claims = json.dumps({"exp": NOW_S + 600}).encode()
    known = [b"", b"k", b"secret", SECRET[:-1], SECRET.hex().encode()]
    if algorithm != "HS256":
        pem = private(algorithm).as_pem(private=False)
        known += [pem, pem.strip(), pem.replace(b"\n", b"\r\n")]
    for alg in CLAIMED:
        for extra in (
            *({}, {"kid": "../../dev/null"}, {"kid": "k' OR 1=1"}, {"kid": None}, {"kid": ["k"]}),
            *({"jwk": {"kty": "oct", "k": _b64(b"x" * 32)}}, {"jku": "http://127.0.0.1/"}),
            *({"crit": ["exp"]}, {"b64": False}, {"zip": "DEF"}, {"x5u": "http://127.0.0.1/"}),
        ):
            head = _b64(json.dumps({"alg": alg, "kid": "k", **extra}).encode())
            signed = f"{head}.{_b64(claims)}"
            for secret in known:
                for name in ("sha256", "sha512"):
                    yield f"{signed}.{_b64(hmac.digest(secret, signed.encode(), name))}"
            yield f"{signed}."
            yield signed
            yield f"{signed}.{_b64(bytes(64))}"  # r = s = 0 (CVE-2022-21449)


async def forge_tokens(stage: Stage, effort: Effort) -> Outcome:
    """JWTs and CATs that nobody with the key has signed; none may be verified."""
    del stage
    outcome = Outcome()
    one = random.Random(effort.seed)
    for algorithm in ALGORITHMS:
        good = [jwt(algorithm=algorithm), cat(algorithm=algorithm)]
        mine = verifier(token_key(algorithm))
        for token in good:
            outcome.fault(
                f"a good token is refused: {algorithm}",
                unless=isinstance(mine.verify(token, NOW_S), VerifiedToken),
            )
        texts = [*(each for token in good for each in flipped(token)), *confused(algorithm)]
        for token in good:
            texts += [
                token[:at] + one.choice(HOSTILE).decode("latin-1") + token[at:]
                for at in range(0, len(token), 5)
            ]
        texts += [good[0] + "." + good[0], good[0] + "\x00", good[1] * 2, "", ".", ".."]
        for text in texts:
            if text in good or _same(text, good):
                continue
            outcome.sent += 1
            if isinstance(mine.verify(text, NOW_S), VerifiedToken):
                outcome.fault(f"{algorithm}: a forged token is verified: {text}")
        for later in (601 + 61, 10**9):
            outcome.sent += 1
            if isinstance(mine.verify(good[0], NOW_S + later), VerifiedToken):
                outcome.fault(f"{algorithm}: a token is valid {later} s later")
    return outcome


def _same(text: str, good: list[str]) -> bool:
    """Only bits that belong to no byte differ."""
    return any(
        text.count(".") == token.count(".")
        and len(text) == len(token)
        and [_bytes_of(part) for part in text.split(".")]
        == [_bytes_of(p) for p in token.split(".")]
        for token in good
        if text.isascii() and text.replace(".", "").replace("-", "").replace("_", "").isalnum()
    )


# Operators

GUARDED_PATHS = (b"/v1/audit", b"/v1/config", b"/v1/edges", b"/v1/sessions", b"/metrics")
GUESSES = 120


async def guess(stage: Stage, effort: Effort) -> Outcome:
    """Guess the keys of operators, from addresses that the client makes up as it goes."""
    one = random.Random(effort.seed)
    outcome = Outcome()

    def guesses() -> Iterator[Shot]:
        for number in range(GUESSES):
            key = key_text("ops", one.randbytes(32))
            wrong = (
                *(
                    f"Bearer {key}",
                    f"Bearer {OPERATOR_KEY[:-1]}",
                    f"Bearer {OPERATOR_KEY.lower()}x",
                ),
                *("Basic b3BzOm9wcw==", "Bearer ", "Bearer null", f"Token {OPERATOR_KEY}"),
            )
            lines = [
                b"Authorization: " + one.choice(wrong).encode(),
                b"X-Forwarded-For: 198.51.100.%d" % (number % 256),
                b"Forwarded: for=203.0.113.%d" % (number % 256),
            ]
            yield Shot(request(one.choice(GUARDED_PATHS), lines))

    def refused(_: Shot, answer: Answer) -> str:
        if fault := fault_of(answer):
            return fault
        return (
            "" if answer.status in {401, 404, 405, 429} else f"a guess is answered {answer.status}"
        )

    tally = await fire(stage.admin_port, guesses(), refused, connections=1, depth=1)
    outcome.sent, outcome.faults = tally.answered, tally.faults
    outcome.figures.append(tally.shown())
    limited = tally.statuses.get(429, 0)
    outcome.fault(f"only {limited} guesses met a limit", unless=limited > GUESSES // 2)
    return outcome


def signed_headers(method: str, path: str, body: bytes, **other: str) -> dict[str, str]:
    """A request that a service has signed, as docs/operators.md shows; ``other`` replaces the nonce
    or the time."""
    digest = f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"
    nonce, created = (
        other.get("nonce") or secrets.token_hex(16),
        other.get("created") or str(int(time.time())),
    )
    parameters = (
        f'("@method" "@path" "content-digest");created={created};keyid="packager";nonce="{nonce}"'
    )
    base = (
        f'"@method": {method}\n"@path": {path}\n"content-digest": {digest}\n'
        f'"@signature-params": {parameters}'
    )
    signature = b64encode(hmac.digest(SERVICE_SECRET.encode(), base.encode(), "sha256")).decode()
    return {
        "Content-Digest": digest,
        "Content-Type": "application/json",
        "Signature-Input": f"sig={parameters}",
        "Signature": f"sig=:{signature}:",
    }


async def replay(stage: Stage, effort: Effort) -> Outcome:
    """Send a signed request a second time, to both workers, later, changed, elsewhere."""
    del effort
    outcome = Outcome()
    path, body = "/v1/purge", b'{"prefix": "nothing-here/"}'

    async def ask(where: str, what: bytes, headers: dict[str, str], method: str = "POST") -> int:
        async with httpx.AsyncClient(
            base_url=stage.gateway.admin_url
        ) as client:  # a new connection
            answer = await client.request(method, where, content=what, headers=headers)
        outcome.sent += 1
        outcome.fault(f"{answer.status_code} {answer.text[:300]}", unless=answer.status_code < 500)
        return answer.status_code

    good = signed_headers("POST", path, body)
    first = await ask(path, body, good)
    outcome.fault(f"a signed request is answered {first}", unless=first < 300)
    for _ in range(8):
        again = await ask(path, body, good)
        outcome.fault(f"a replay is answered {again}", unless=again == 401)
    now = int(time.time())
    for name, where, what, headers in (
        ("another body", path, b'{"prefix": "x"}', signed_headers("POST", path, body)),
        ("another path", "/v1/config/reload", body, signed_headers("POST", path, body)),
        ("another method", path, body, signed_headers("GET", path, body)),
        ("old", path, body, signed_headers("POST", path, body, created=str(now - 86_400))),
        ("of tomorrow", path, body, signed_headers("POST", path, body, created=str(now + 86_400))),
    ):
        status = await ask(where, what, headers)
        outcome.fault(f"{name}: answered {status}", unless=status in {400, 401, 403, 429})
    return outcome


# Limits

FLOOD = 400


async def evade(stage: Stage, effort: Effort) -> Outcome:
    """More requests than one network may send, under addresses that the client makes up. The peer
    is no trusted proxy here."""
    del effort
    outcome = Outcome()
    claims = (
        b"X-Forwarded-For",
        b"Forwarded",
        b"X-Real-IP",
        b"True-Client-IP",
        b"CF-Connecting-IP",
    )

    def shots() -> Iterator[Shot]:
        for number in range(FLOOD):
            value = b"198.51.%d.%d" % (number // 256, number % 256)
            lines = [
                name + b": " + (b"for=" if name == b"Forwarded" else b"") + value for name in claims
            ]
            yield Shot(request(b"/v1/play/film.m3u8?session=e%d" % number, lines))

    def limited(_: Shot, answer: Answer) -> str:
        if fault := fault_of(answer):
            return fault
        if answer.status == 429:
            return "" if kind_of(answer) == "too-many-requests" else "429 for another reason"
        return "" if answer.status == 200 else f"answered {answer.status}"

    tally = await fire(stage.port, shots(), limited)
    outcome.sent, outcome.faults = tally.answered, tally.faults
    outcome.figures.append(tally.shown())
    refused = tally.statuses.get(429, 0)
    outcome.fault(f"only {refused} of {FLOOD} were refused", unless=refused > FLOOD // 2)
    return outcome


ROWS = (
    Attack(
        name="forged-tokens",
        group="Trust",
        sent="JWTs and CATs with each bit flipped, cut at each character, with other algorithms "
        "(none, a public key as a secret), with keys in their headers, and too late.",
        expected="None is verified.",
        staging=no_stage,
        run=forge_tokens,
        checks_vitals=False,
    ),
    Attack(
        name="replayed-signatures",
        group="Trust",
        sent="A signed request of a service (RFC 9421) again, changed, too late, on another path.",
        expected="401 each time, from every worker.",
        staging=guarded_stage,
        run=replay,
    ),
    Attack(
        name="guessed-keys",
        group="Trust",
        sent="Guesses of operators' keys, under other addresses each time.",
        expected="401, and soon 429: the address of the connection counts.",
        staging=guarded_stage,
        run=guess,
    ),
    Attack(
        name="evaded-limits",
        group="Trust",
        sent="More manifests than a network may have, under other forwarded addresses each time.",
        expected="429 beyond the limit: who is no trusted proxy cannot speak for others.",
        staging=guarded_stage,
        run=evade,
    ),
)
