"""What does verifying a playback token cost, compared with one HMAC of the standard library?

    python -m tests.benchmark.tokens

For each kind of token: verified for the first time, verified again (its times are checked alone),
and refused: a text with a signature of nobody, each a new one. The median of several rounds, in
which all kinds take turns, as a ratio to an HMAC-SHA-256 of 300 bytes in the same round.
"""

import hmac
import time
from collections.abc import Callable
from itertools import count
from statistics import median

from joserfc.jwk import RSAKey

from gateway.trust.tokens.algorithm import Algorithm
from gateway.trust.tokens.base64url import encoded
from gateway.trust.tokens.key import KeyUse, TokenKey, public_key
from gateway.trust.tokens.verifier import Verifier
from tests.unit.trust.tokens import making
from tests.unit.trust.tokens.making import CLAIMS, NOW_S, SECRET, cat, granted, jwt, verifier

ROUNDS = 15
TOKENS = 40
"""In each round, of each kind."""
ALGORITHMS: tuple[Algorithm, ...] = ("HS256", "ES256", "EdDSA", "RS256")
DATA = b"x" * 300


def reference() -> float:
    """Seconds of one HMAC."""
    started = time.perf_counter()
    for _ in range(1000):
        hmac.digest(SECRET, DATA, "sha256")
    return (time.perf_counter() - started) / 1000


def timed(strict: Verifier, texts: list[str]) -> float:
    """Seconds of one of ``texts``."""
    started = time.perf_counter()
    for text in texts:
        strict.verify(text, NOW_S)
    return (time.perf_counter() - started) / len(texts)


def key_for(algorithm: Algorithm) -> TokenKey:
    """The key of a kind."""
    if algorithm != "RS256":
        return making.token_key(algorithm)
    return public_key(KeyUse("k", algorithm), RSA.as_pem(private=False).decode())


RSA = RSAKey.generate_key(2048)
_private = making.private


def private(algorithm: Algorithm) -> object:
    """The private keys of the tests, and one for RSA."""
    return RSA if algorithm == "RS256" else _private(algorithm)


def kinds() -> dict[str, tuple[Algorithm, Callable[[str], str]]]:
    """How a token of each kind is made, for a viewer."""
    found: dict[str, tuple[Algorithm, Callable[[str], str]]] = {}
    for name in ALGORITHMS:
        found[f"JWT {name}"] = name, lambda sub, name=name: jwt(CLAIMS | {"sub": sub}, name)  # type: ignore[misc]
    for name in ("HS256", "ES256"):
        found[f"CAT {name}"] = name, lambda sub, name=name: cat({2: sub}, name)  # type: ignore[misc]
    return found


def main() -> None:
    """Print the table."""
    making.private = private  # type: ignore[assignment]
    numbers = count()
    ratios: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        once = reference()
        for kind, (algorithm, make) in kinds().items():
            strict = verifier(key_for(algorithm))
            texts = [make(f"viewer-{next(numbers)}") for _ in range(TOKENS)]
            garbage = [text[:-12] + encoded(bytes(9)) for text in texts]
            granted(strict.verify(make("first"), NOW_S))
            for what, given in (("first", texts), ("again", texts), ("refused", garbage)):
                ratios.setdefault((kind, what), []).append(timed(strict, given) / once)
    print("| token | first time | again | refused |\n|---|---|---|---|")
    for kind in kinds():
        row = [f"{median(ratios[kind, what]):.1f}" for what in ("first", "again", "refused")]
        print(f"| {kind} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
