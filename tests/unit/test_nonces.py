"""For how long is a nonce of a signed request remembered?"""

import time
from pathlib import Path

import pytest

from gateway.operators import nonces
from gateway.operators.nonces import NonceMemory
from gateway.store.connection.connect import connect
from gateway.store.connection.keys import nonce_key
from gateway.trust.operators.message_signature import (
    MAX_WINDOW_S,
    ServiceKey,
    ServiceKeys,
    Signed,
)
from gateway.trust.operators.operator import Role
from tests.unit.store.servers import valkey
from tests.unit.trust.operators.test_message_signature import NOW_S, POST, SECRET, signed


def verified(window_s: int, now_s: float, nonce: str = "n1", created_s: float = NOW_S) -> Signed:
    """A request that a service has signed at ``created_s``."""
    keys = ServiceKeys([ServiceKey("packager", SECRET, Role.OPERATOR)], window_s)
    message = signed(POST, more={"nonce": nonce, "created": int(created_s)})
    found = keys.verify(message, now_s)
    assert isinstance(found, Signed)
    return found


async def test_a_longer_window_opens_no_nonce_again() -> None:
    """A reload of the configuration may make it longer."""
    memory = NonceMemory(None)
    assert await memory.first_use(verified(60, NOW_S), NOW_S)
    for later_s in (59, 62, MAX_WINDOW_S):
        again = verified(MAX_WINDOW_S, NOW_S + later_s)
        assert not await memory.first_use(again, NOW_S + later_s)


async def test_a_full_memory_forgets_what_its_window_does_not_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So it accepts as many requests as without the longest window."""
    monkeypatch.setattr(nonces, "MAX_NONCES", 2)
    memory = NonceMemory(None)
    used = [await memory.first_use(verified(60, NOW_S, name), NOW_S) for name in "abc"]
    assert [True, True, False] == used
    later_s = NOW_S + 61
    assert await memory.first_use(verified(60, later_s, "c", later_s), later_s)
    assert not await memory.first_use(verified(60, later_s, "c", later_s), later_s)


async def test_a_full_memory_keeps_what_a_longer_window_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The window in force counts, not that in which a request was signed."""
    monkeypatch.setattr(nonces, "MAX_NONCES", 2)
    memory = NonceMemory(None)
    for name in "ab":
        assert await memory.first_use(verified(60, NOW_S, name), NOW_S)
    later_s = NOW_S + 62
    for name, created_s in (("c", later_s), ("a", NOW_S)):
        request = verified(MAX_WINDOW_S, later_s, name, created_s)
        assert not await memory.first_use(request, later_s)


async def test_other_workers_know_it_as_long(tmp_path: Path) -> None:
    """Redis keeps it for them."""
    now_s = time.time()
    with valkey(tmp_path) as server:
        stores = [connect(server.url, timeout_ms=500) for _ in range(2)]
        for store in stores:
            await store.start()
        one, other = (NonceMemory(store.redis) for store in stores)
        request = verified(60, now_s, created_s=now_s)
        assert await one.first_use(request, now_s)
        assert not await other.first_use(request, now_s)
        left_ms = server.command("PTTL", nonce_key(request.nonce))
        assert isinstance(left_ms, int)
        assert (MAX_WINDOW_S - 60) * 1000 < left_ms <= (MAX_WINDOW_S + 1) * 1000
        for store in stores:
            await store.close()
