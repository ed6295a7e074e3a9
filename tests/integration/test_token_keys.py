"""Keys of playback tokens follow their files and the URLs of issuers."""

import asyncio
import contextlib
import json
import math
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from gateway.background import token_keys
from gateway.background.token_keys import TokenKeyKeeper
from gateway.clock import Clock
from gateway.trust.tokens.key import KeyUse
from gateway.trust.tokens.key_set import SetUse
from gateway.trust.tokens.refusal import RefusalCode
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.sources import KeyFile, KeySetPlace, RefreshBounds, TokenSources
from gateway.trust.tokens.verifier import Verifier
from tests.background import in_background
from tests.integration.origins import Mode, Origin, origin
from tests.unit.store.servers import until
from tests.unit.trust.tokens.making import CLAIMS, NOW_S, granted, jwt, private, refused, token_key

ISSUER = "https://login.example.com"
EC: dict[str, Any] = private("ES256").as_dict(private=False)
ED: dict[str, Any] = private("EdDSA").as_dict(private=False)
TOKEN = jwt(CLAIMS | {"iss": ISSUER}, "ES256", kid="one")
BOUNDS = RefreshBounds(min_s=60, max_s=3600, unknown_s=30, keep_s=600, timeout_s=0.5)


def jwks(*kids: str, key: dict[str, Any] = EC) -> str:
    """A set with a key under each of these ids."""
    return json.dumps({"keys": [key | {"kid": kid} for kid in kids]})


def reads(outcome: str) -> float:
    """How many reads have ended so."""
    return REGISTRY.get_sample_value("gateway_token_key_reads_total", {"outcome": outcome}) or 0.0


class Times:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> Clock:
        """The clock of a keeper."""
        return Clock(lambda: self.now)


def keeper(url: str, times: Times) -> TokenKeyKeeper:
    """One with a set at ``url``."""
    place = KeySetPlace(SetUse(ISSUER), url=url)
    return TokenKeyKeeper(TokenSources(sets=(place,), refresh=BOUNDS), TokenRules(), times.clock())


@contextlib.asynccontextmanager
async def running(kept: TokenKeyKeeper) -> AsyncIterator[None]:
    """Its background task runs."""
    async with in_background(kept.run()):
        yield


@contextlib.asynccontextmanager
async def issuer(body: str, **mode: Any) -> AsyncIterator[Origin]:
    """A server that answers with a set."""
    async with origin() as it:
        it.mode = Mode(body=body, content_type="application/jwk-set+json", etag=False, **mode)
        yield it


async def test_a_set_is_fetched_and_fetched_again_in_time() -> None:
    """By Cache-Control, within the bounds; the new keys count at once, and the old do not."""
    times = Times()
    async with issuer(jwks("one"), cache_control="max-age=600") as it:
        kept = keeper(it.url, times)
        assert RefusalCode.UNKNOWN_KEY == refused(kept.verifier.verify(TOKEN, NOW_S))
        made: list[Verifier] = []
        kept.on_change(made.append)
        await kept.look()
        granted(kept.verifier.verify(TOKEN, NOW_S))
        it.mode = Mode(body=jwks("two"), etag=False, cache_control="no-store")
        times.now += 500
        await kept.look()
        assert 1 == len(it.seen)
        times.now += 101
        await kept.look()
        assert ["two"] == [key.name for key in kept.verifier.keys.keys]
        assert [kept.verifier] == made[1:]
        times.now += 59  # no-store: the shortest time
        await kept.look()
        assert 2 == len(it.seen)
        times.now += 2
        await kept.look()
        assert 3 == len(it.seen)
        assert [kept.verifier] == made[1:]  # the same keys are no change
        await kept.close()


async def test_since_when_the_sets_are_known() -> None:
    """What is in none of them by then was removed. A fetch that fails tells nothing."""
    times = Times()
    async with issuer(jwks("one"), cache_control="max-age=600") as it:
        kept = keeper(it.url, times)
        ages_s: list[int | None] = []
        for status, now_s in ((500, 1000.0), (200, 1100.0), (500, 1200.0), (200, 5100.0)):
            it.mode, times.now = Mode(body=jwks("one"), etag=False, status=status), now_s
            await kept.look()
            read_s = kept.verifier.sets_read_s
            ages_s.append(None if read_s is None else round((time.time() - read_s) / 10) * 10)
        await kept.close()
    assert [None, 0, 100, 0] == ages_s
    assert math.inf == TokenKeyKeeper(TokenSources(), TokenRules()).verifier.sets_read_s


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("500", {"status": 500}),
    ("HTML", {"html": True}),
    ("no set", {"body": "{}"}),
    ("no usable key", {"body": '{"keys": [{"kty": "oct", "k": "AAAA"}]}'}),
    ("a redirect", {"redirect": "https://evil.example/"}),
    ("silence", {"silent": True}),
    ("a reset", {"reset": True}),
    ("endless", {"endless": True}),
    ("slow", {"drip_bytes_per_s": 20}),
    ("a bomb", {"coding": "gzip", "bomb_bytes": 10_000_000}),
]


async def test_the_last_good_keys_stay_while_a_set_cannot_be_fetched() -> None:
    """For a bounded time; then none are left, until the set is there again."""
    times = Times()
    async with issuer(jwks("one")) as it:
        kept, good = keeper(it.url, times), it.mode
        await kept.look()

        async def fails(fault: dict[str, Any]) -> None:
            it.mode = Mode(**{"etag": False} | fault)
            for place in kept._urls():
                kept._held[place].next_at = 0.0
            await kept.look()
            assert kept.verifier.keys.keys, fault

        for _, fault in FAULTS:
            await fails(fault)
        granted(kept.verifier.verify(TOKEN, NOW_S))
        times.now += BOUNDS.keep_s + 1
        await kept.look()
        assert RefusalCode.UNKNOWN_KEY == refused(kept.verifier.verify(TOKEN, NOW_S))
        it.mode = good
        times.now += 80
        await kept.look()
        granted(kept.verifier.verify(TOKEN, NOW_S))
        await kept.close()


async def test_an_unknown_kid_has_the_sets_fetched_once() -> None:
    """At once, and then not for a while, however many tokens there are."""
    times = Times()
    async with issuer(jwks("old")) as it:
        kept = keeper(it.url, times)
        async with running(kept):
            await until(lambda: len(it.seen) == 1)
            it.mode = Mode(body=jwks("old", "one"), etag=False)
            assert RefusalCode.UNKNOWN_KEY == refused(kept.verifier.verify(TOKEN, NOW_S))
            await until(lambda: len(kept.verifier.keys.keys) == 2)
            granted(kept.verifier.verify(TOKEN, NOW_S))
            for number in range(50):
                kept.verifier.verify(jwt(kid=f"x{number}"), NOW_S)
            await asyncio.sleep(0.05)
            assert 2 == len(it.seen)
            times.now += BOUNDS.unknown_s
            kept.verifier.verify(jwt(kid="y"), NOW_S)
            await until(lambda: len(it.seen) == 3)


async def test_files_are_read_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public key and a set; a bad file keeps the last good keys, and so does none."""
    monkeypatch.setattr(token_keys, "INTERVAL_S", 0.02)
    pem, listed = tmp_path / "key.pem", tmp_path / "jwks.json"
    pem.write_bytes(private("EdDSA").as_pem(private=False))
    listed.write_text(jwks("old"))
    sources = TokenSources(
        keys=(token_key(kid="static"),),
        files=(KeyFile(KeyUse("ed", "EdDSA"), str(pem)),),
        sets=(KeySetPlace(SetUse(ISSUER), path=str(listed)),),
    )
    kept = TokenKeyKeeper(sources, TokenRules())
    assert ["static", "ed", "old"] == [key.name for key in kept.verifier.keys.keys]
    async with running(kept):
        listed.write_text(jwks("old", "one"))
        await until(lambda: len(kept.verifier.keys.keys) == 4)
        granted(kept.verifier.verify(TOKEN, NOW_S))
        pem.write_text("nothing")
        listed.unlink()
        await asyncio.sleep(0.1)
        assert 4 == len(kept.verifier.keys.keys)
        pem.write_text(json.dumps(ED))
        listed.write_text(jwks("two"))
        await until(lambda: ["static", "ed", "two"] == [k.name for k in kept.verifier.keys.keys])


async def test_a_file_that_could_not_be_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not changed since. The problem is logged once, and counts once."""
    monkeypatch.setattr(token_keys, "INTERVAL_S", 0.01)
    listed = tmp_path / "jwks.json"
    listed.write_text(jwks("old"))
    place = KeySetPlace(SetUse(ISSUER), path=str(listed))
    kept = TokenKeyKeeper(TokenSources(sets=(place,)), TokenRules())
    tries = 0
    read = token_keys.read_key_file

    def without_descriptors(path: str) -> bytes:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise ValueError("cannot be read (Too many open files)")
        return read(path)

    monkeypatch.setattr(token_keys, "read_key_file", without_descriptors)
    refused_before = reads("refused")
    with capture_logs() as logs:
        async with running(kept):
            listed.write_text(jwks("new"))
            await until(lambda: ["new"] == [key.name for key in kept.verifier.keys.keys])
            await asyncio.sleep(0.05)
    assert (4, 1) == (tries, reads("refused") - refused_before)
    assert 1 == [line["event"] for line in logs].count("token_keys_refused")


def test_a_new_config_replaces_keys_and_rules() -> None:
    """At once; the same config changes nothing."""
    first, second = TokenSources(keys=(token_key(),)), TokenSources(keys=(token_key(kid="new"),))
    kept = TokenKeyKeeper(first, TokenRules())
    before = kept.verifier
    kept.configure(first, TokenRules())
    assert before is kept.verifier
    kept.configure(second, TokenRules())
    assert RefusalCode.UNKNOWN_KEY == refused(kept.verifier.verify(jwt(), NOW_S))
    granted(kept.verifier.verify(jwt(kid="new"), NOW_S))
    kept.configure(second, TokenRules(max_chars=10))
    assert RefusalCode.TOO_LONG == refused(kept.verifier.verify(jwt(kid="new"), NOW_S))


async def test_a_new_config_fetches_its_sets_at_once() -> None:
    """Also where there was none before, and with the bounds of that config."""
    times, bounds = Times(), replace(BOUNDS, timeout_s=0.05)
    async with issuer(jwks("one")) as first, issuer(jwks("one"), delay_s=0.3) as late:
        kept = TokenKeyKeeper(TokenSources(refresh=bounds), TokenRules(), times.clock())
        sets = [KeySetPlace(SetUse(ISSUER), url=each.url) for each in (first, late)]
        async with running(kept):
            await asyncio.sleep(0.05)
            kept.configure(TokenSources(sets=(sets[0],), refresh=bounds), TokenRules())
            await until(lambda: len(kept.verifier.keys.keys) == 1)
            kept.configure(TokenSources(sets=(sets[1],), refresh=bounds), TokenRules())
            await until(lambda: kept._held[sets[1]].problem is not None)
            times.now += BOUNDS.min_s * 2
            patient = replace(BOUNDS, timeout_s=5.0)
            kept.configure(TokenSources(sets=(sets[1],), refresh=patient), TokenRules())
            await until(lambda: len(kept.verifier.keys.keys) == 1)


async def test_certificates_that_cannot_be_used_are_a_problem_of_their_set(tmp_path: Path) -> None:
    """It is tried again with the next config."""
    async with issuer(jwks("one")) as it:
        place = KeySetPlace(SetUse(ISSUER), url=it.url)
        bad = replace(BOUNDS, ca_file=str(tmp_path / "missing.pem"))
        times = Times()
        kept = TokenKeyKeeper(TokenSources(sets=(place,), refresh=bad), TokenRules(), times.clock())
        await kept.look()
        assert "No such file" in (kept._held[place].problem or "")
        times.now += BOUNDS.min_s * 2
        kept.configure(TokenSources(sets=(place,), refresh=BOUNDS), TokenRules())
        await kept.look()
        assert kept._held[place].problem is None
        await kept.close()


async def test_a_file_is_removed_from_the_config_while_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are still followed."""
    monkeypatch.setattr(token_keys, "INTERVAL_S", 0.01)
    paths = [tmp_path / name for name in ("one.json", "two.json")]
    for path in paths:
        path.write_text(json.dumps(ED))
    files = [KeyFile(KeyUse(path.stem, "EdDSA"), str(path)) for path in paths]
    kept = TokenKeyKeeper(TokenSources(files=tuple(files)), TokenRules())
    entered, go = threading.Event(), threading.Event()
    signature = token_keys._signature

    def slow(place: Any) -> Any:
        if threading.current_thread() is not threading.main_thread() and not entered.is_set():
            entered.set()
            go.wait(10)
        return signature(place)

    monkeypatch.setattr(token_keys, "_signature", slow)
    async with running(kept):
        await until(entered.is_set)
        kept.configure(TokenSources(files=(files[0],)), TokenRules())
        go.set()
        paths[0].write_text(json.dumps(EC))
        await until(lambda: kept._held[files[0]].problem is not None)
    assert ["one"] == [key.name for key in kept.verifier.keys.keys]
