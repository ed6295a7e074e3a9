"""Which store a URL means, and the error for one that means none."""

import pytest

from gateway.store.connection.address import connections, shown_url
from gateway.store.connection.connect import connect
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import StoreError, StoreUnavailable, Trouble
from gateway.store.connection.redis import RedisStore

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory", MemoryStore),
        ("embedded", RedisStore),
        ("redis://localhost", RedisStore),
        ("redis://user:p%2Fw@[::1]:6380/3", RedisStore),
        ("rediss://cache.example.com:6380/0?ssl_cert_reqs=none", RedisStore),
        ("unix:///run/valkey/valkey.sock?db=2", RedisStore),
    ],
)
def test_a_known_url_makes_its_store(url: str, kind: type) -> None:
    """Each allowed form makes its own store, and nothing is connected yet."""
    store = connect(url)
    assert kind is type(store)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "does not start with redis://, rediss:// or unix://"),
        ("localhost", "does not start with redis://"),
        ("localhost:6379", "does not start with redis://"),
        ("Memory", "does not start with redis://"),
        ("http://cache:6379", "does not start with redis://"),
        ("redis:/cache", "does not start with redis://"),
        (f"redis:/:{SECRET}@cache", "does not start with redis://"),
        ("redis+cluster://cache:6379", "names a cluster or sentinels, which are not supported"),
        ("redis+sentinel://cache:6379", "names a cluster or sentinels, which are not supported"),
        ("unix://", "names no socket; write unix:///path/to/socket"),
        ("unix:///", "names no socket"),
        ("unix://run/valkey.sock", "names a host; write unix:///path/to/socket"),
        ("redis://", "names no host"),
        ("redis:///0", "names no host"),
        ("redis://cache:port", "has a port that is not a number from 1 to 65535"),
        ("redis://cache:99999", "has a port that is not a number from 1 to 65535"),
        ("redis://cache:0", "has a port that is not a number from 1 to 65535"),
        (f"redis://:{SECRET}", "has a port that is not a number from 1 to 65535"),
        ("redis://[::1", "has square brackets that do not enclose an IPv6 address"),
        ("redis://cache/zero", "has a path that is not the number of a database"),
        ("redis://cache/0/1", "has a path that is not the number of a database"),
        ("redis://cache/-1", "has a path that is not the number of a database"),
        ("redis://ca che", "has a space or a control character"),
        ("redis://cache\x07", "has a space or a control character"),
        ("redis://cache/0#1", 'has a "#"'),
        (f"redis://user:{SECRET}/x@cache:6379", 'has an "@" behind its host'),
        (f"redis://user:1?{SECRET}@cache:6379", 'has an "@" behind its host'),
        (f"redis://user:1#{SECRET}@cache:6379", 'has an "@" behind its host'),
        (f"user:{SECRET}@cache:6379", "does not start with redis://"),
        (f"http://user:{SECRET}@cache", "does not start with redis://"),
        (f"redis://u:{SECRET}@cache?db=one", "has an option with an invalid value, db"),
        (f"redis://u:{SECRET}@cache?colour=red", "the client does not know, colour"),
        (f"redis://u@cache?{SECRET}=red", "has an option that the client refuses"),
        (f"rediss://cache?ssl_ca_certs=/{SECRET}", "has an ssl_ca_certs that is not a file"),
    ],
)
def test_an_unknown_url_is_refused_in_one_clear_line(url: str, message: str) -> None:
    """The error names the fault or the allowed forms, and never a password."""
    with pytest.raises(StoreError) as caught:
        connect(url)
    text = str(caught.value)
    assert text.startswith("the store's URL ")
    assert message in text
    assert SECRET not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:hunter2@cache:6379/1?x=hunter2", "redis://cache:6379/1"),
        ("redis://:hunter2@[::1]:6379", "redis://[::1]:6379"),
        ("rediss://cache", "rediss://cache"),
        ("unix://user:hunter2@/run/valkey.sock", "unix:///run/valkey.sock"),
        ("unix:///run/valkey.sock?password=hunter2", "unix:///run/valkey.sock"),
        ("redis://user:hun@ter2@cache", "redis://cache"),
    ],
)
def test_what_is_shown_of_a_url_holds_no_secret(url: str, shown: str) -> None:
    """Logs show where the store is, not how to log in."""
    assert shown == shown_url(url)


@pytest.mark.parametrize("url", [f"redis:/:{SECRET}@cache", f"redis:{SECRET}", f"x://{SECRET}"])
def test_a_url_that_is_invalid_is_hidden(url: str) -> None:
    """Any part of it may belong to the password."""
    assert "(hidden)" == shown_url(url)


@pytest.mark.parametrize("url", [f"redis://u:{SECRET}@cache", f"unix://u:{SECRET}@/run/socket"])
async def test_a_password_prints_nowhere(url: str) -> None:
    """Not as a store, a factory of connections, or a connection."""
    store = connect(url)
    assert isinstance(store, RedisStore)
    seen = [repr(each) for each in (store, store.connect, store.connect(), store.beside(1.0))]
    assert SECRET not in " ".join([*seen, str(store.connect)])
    await store.close()


def test_the_url_cannot_turn_the_clients_own_waiting_on() -> None:
    """The gateway has its own deadlines; a client timeout would cut idle connections."""
    connection = connections(
        "redis://cache?socket_timeout=1&health_check_interval=5&retry_on_timeout=yes&protocol=3"
    )()
    assert None is connection.socket_timeout
    assert 0 == connection.health_check_interval
    assert 0 == connection.retry.get_retries()
    assert 2 == connection.protocol


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StoreUnavailable(Trouble.TIMEOUT), "timeout"),
        (StoreUnavailable(Trouble.REJECTED, "NOPERM no"), "rejected: NOPERM no"),
    ],
)
def test_an_unavailable_store_says_why(error: StoreUnavailable, text: str) -> None:
    """The stable code comes first, the detail after it."""
    assert text == str(error)


async def test_a_store_that_was_never_started_can_be_asked_and_closed() -> None:
    """Before the start it raises StoreUnavailable; closing is always allowed."""
    store = connect("redis://localhost:1")
    assert ("down", Trouble.CONNECTING) == (store.state, store.trouble)
    with pytest.raises(StoreUnavailable) as caught:
        await store.get_decision("key")
    assert Trouble.CONNECTING is caught.value.trouble
    await store.close()
