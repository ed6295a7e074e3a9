"""Client networks that ask for too much, over the whole application."""

import json
import re

import pytest

from gateway.app import Application
from gateway.observe.metrics import RATE_LIMITED, exposition
from tests.integration.in_process import application, ask

TIGHT = {
    "GATEWAY_RATE__MANIFESTS_PER_S": "1",
    "GATEWAY_RATE__MANIFESTS_BURST": "3",
    "GATEWAY_RATE__DECISIONS_PER_S": "1",
    "GATEWAY_RATE__DECISIONS_BURST": "10",
    "GATEWAY_RATE__OTHER_PER_S": "1",
    "GATEWAY_RATE__OTHER_BURST": "3",
}


def tight(**more: str) -> Application:
    """Three manifests at once."""
    return application(environ=TIGHT | more)


async def statuses(app: Application, path: str, peer: str, count: int = 6) -> list[int]:
    """What each of some requests is answered."""
    return [(await ask(app, path, peer=peer))[0] for _ in range(count)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/play/film.m3u8", [200, 200, 200, 429]),
        ("/v1/play/film", [200, 200, 200, 429]),
        ("/v1/play/..", [404, 404, 404, 429]),
        ("/v1/class/x/film.mpd", [404, 404, 404, 429]),
        ("/nowhere", [404, 404, 404, 429]),
        ("/openapi.json", [200, 200, 200, 429]),
        ("/v1/steering/film", [200] * 4),
        ("/v1/cmcd", [405] * 4),
        ("/livez", [200] * 4),
        ("/readyz", [200] * 4),
    ],
)
async def test_each_route_has_its_limit(path: str, expected: list[int]) -> None:
    assert expected == await statuses(tight(), path, "203.0.113.9", 4)


def refused() -> float:
    """How many requests for playlists were refused."""
    exposition()  # counts what waits to be counted
    return float(RATE_LIMITED.labels("play_hls", "network")._value.get())


async def test_a_refusal_says_what_and_when() -> None:
    """A problem that pages may read, with whole seconds that differ."""
    app = tight()
    await statuses(app, "/v1/play/film.m3u8", "203.0.113.9", 3)
    before = refused()
    found = [await ask(app, "/v1/play/film.m3u8", peer="203.0.113.9") for _ in range(40)]
    status, lines, body = found[0]
    headers = dict(lines)
    assert 429 == status
    assert "application/problem+json" == headers["content-type"]
    assert ("no-store", "*") == (headers["cache-control"], headers["access-control-allow-origin"])
    assert ("nosniff", 16) == (headers["x-content-type-options"], len(headers["x-request-id"]))
    members = json.loads(body)
    assert "urn:problem:streaming-gateway:too-many-requests" == members["type"]
    assert "rate.manifests_per_s" in members["detail"]
    waits = {dict(lines)["retry-after"] for _, lines, _ in found}
    assert waits <= set("12345")
    assert len(waits) > 1
    assert before + 40 == refused()


async def test_who_is_limited() -> None:
    """Clients behind a proxy each for itself; the proxy, what it hides and exempt networks not."""
    app = tight(GATEWAY_RATE__EXEMPT='["198.51.100.0/24"]')

    async def proxied(forwarded: bytes | None) -> list[int]:
        lines = [] if forwarded is None else [(b"x-forwarded-for", forwarded)]
        return [(await ask(app, "/v1/play/film", headers=lines))[0] for _ in range(5)]

    limited = [200, 200, 200, 429, 429]
    assert [limited, limited] == [await proxied(b"203.0.113.1"), await proxied(b"203.0.113.2")]
    assert limited == await statuses(app, "/v1/play/film", "203.0.113.3", 5)
    free = [None, b"unknown", b"198.51.100.7", b"127.0.0.5"]
    assert [[200] * 5] * len(free) == [await proxied(forwarded) for forwarded in free]


async def test_assets_of_a_batch_count() -> None:
    """One batch is answered whole; the next one waits for its assets. An operator's does not."""
    app = tight()
    body = json.dumps({"assets": ["film"] * 20}).encode()

    async def batch(to: object, peer: str) -> int:
        listener = app.operators if to == "operators" else app
        lines = [(b"host", b"localhost")]
        found = await ask(listener, "/v1/decisions", b"", lines, "POST", peer, body)
        return found[0]

    assert [200, 200] == [await batch("operators", "203.0.113.9") for _ in "ab"]
    assert [200, 429] == [await batch("players", "203.0.113.9") for _ in "ab"]
    assert 200 == await batch("players", "203.0.113.10")
    assert 429 != (await ask(app, "/v1/play/film", peer="203.0.113.9"))[0]


SESSIONS = {
    "GATEWAY_RATE__SESSION_PER_S": "1",
    "GATEWAY_RATE__SESSION_BURST": "3",
}


async def test_a_session_has_a_limit_of_its_own() -> None:
    """Whatever its network may still ask for; who only knows its id takes nothing from it. It is
    steered all the time, an exempt network has no limit, and neither have operators."""
    app = application(environ=SESSIONS | {"GATEWAY_RATE__EXEMPT": '["198.51.100.0/24"]'})

    async def asked(name: str, peer: str, agent: bytes = b"one", count: int = 5) -> list[int]:
        query = b"session=" + name.encode() if name else b""
        path, lines = "/v1/play/film.m3u8", [(b"user-agent", agent)]
        return [(await ask(app, path, query, lines, peer=peer))[0] for _ in range(count)]

    limited = [200, 200, 200, 429, 429]
    assert limited == await asked("a", "203.0.113.9")
    assert limited == await asked("b", "203.0.113.9")
    assert [429] == await asked("a", "192.0.2.7", count=1)  # the same player elsewhere
    assert limited == await asked("a", "198.18.0.9", b"two")  # another one, who knows the id
    assert [200] * 5 == await asked("", "203.0.113.9")
    assert [200] * 5 == await asked("c", "198.51.100.9")
    query, lines = b"session=a", [(b"user-agent", b"one"), (b"host", b"localhost")]
    steered = [
        (await ask(app, "/v1/steering/film", query, lines, peer="203.0.113.9"))[0] for _ in "abcd"
    ]
    assert [200] * 4 == steered
    shown = await ask(app.operators, "/v1/play/film", query, lines, peer="203.0.113.9")
    assert 200 == shown[0]


async def test_a_refused_session_is_told_when_and_counted() -> None:
    app = application(environ=SESSIONS)

    def counted() -> float:
        exposition()
        return float(RATE_LIMITED.labels("play_hls", "session")._value.get())

    before = counted()
    path, query, peer = "/v1/play/film.m3u8", b"session=a", "192.0.2.9"
    *_, (status, lines, body) = [await ask(app, path, query, peer=peer) for _ in "abcd"]
    assert 429 == status
    members, headers = json.loads(body), dict(lines)
    assert "urn:problem:streaming-gateway:too-many-requests" == members["type"]
    assert "this session" in members["detail"]
    assert "rate.session_per_s" in members["detail"]
    assert headers["retry-after"] in set("12345")
    assert before + 1 == counted()


async def test_assets_of_a_session_count() -> None:
    """A batch is answered whole, and its session waits for its assets."""
    app = application(environ=SESSIONS)
    body = json.dumps({"assets": ["film"] * 20}).encode()

    async def batch(query: bytes) -> int:
        peer = "203.0.113.9"
        return (await ask(app, "/v1/decisions", query, [], "POST", peer, body))[0]

    assert [200, 429] == [await batch(b"session=a") for _ in "ab"]
    assert [200, 200] == [await batch(b"") for _ in "ab"]
    assert 429 == (await ask(app, "/v1/play/film", b"session=a", peer="203.0.113.9"))[0]


async def test_one_budget_does_not_touch_another() -> None:
    """Manifests, reports, probes and batches are counted apart, for one client network."""
    tight_probe = {"GATEWAY_PROBE__NETWORK_REQUESTS_PER_MIN": "2"}
    app = tight(**tight_probe, GATEWAY_CMCD__NETWORK_REPORTS_PER_S="1")
    peer = "203.0.113.9"

    async def status(path: str, method: str = "GET", body: bytes = b"") -> int:
        return (await ask(app, path, method=method, peer=peer, body=body, query=b""))[0]

    assert [200, 200, 429] == [await status("/v1/probe") for _ in "abc"]
    report = b'sid="x",mtp=1000,v=2,ts=1,e=ps\n' * 100
    assert [204, 204] == [await status("/v1/cmcd", "POST", report) for _ in "ab"]
    assert 1 == len(app.gateway.reports)  # the second batch was over the budget
    assert [200, 200, 200, 429] == [await status("/v1/play/film") for _ in "abcd"]
    batch = json.dumps({"assets": ["film"]}).encode()
    assert 200 == await status("/v1/decisions", "POST", batch)
    assert 404 == await status("/nowhere")


async def test_who_asks_too_often_is_steered_less_often() -> None:
    """A session is answered whatever it does, with a TTL that grows up to the longest; another one
    of the same network keeps its own. So is a network that begins too many."""
    app = tight(GATEWAY_STEERING__TTL_JITTER="0.0", GATEWAY_STEERING__MAX_TTL_S="100")
    peer = "203.0.113.9"

    async def steered(url: str) -> tuple[int, str]:
        path, _, query = url.partition("?")
        status, _, body = await ask(app, path, query.encode(), peer=peer)
        assert 200 == status
        told = json.loads(body)
        return told["TTL"], told["RELOAD-URI"]

    _, _, playlist = await ask(app, "/v1/play/film.m3u8", peer=peer)
    first = re.search(r'SERVER-URI="([^"]+)"', playlist.decode())
    assert first is not None
    new = [await steered(first[1]) for _ in range(4)]
    assert [30, 30, 30, 100] == [ttl for ttl, _ in new]
    often = [(await steered(new[0][1]))[0] for _ in range(30)]
    assert [30] * 8 == often[:8]
    assert [38, 45, 53, 60, 68, 75, 83, 90, 98] == often[8:17]
    assert {100} == set(often[17:])
    assert 30 == (await steered(new[1][1]))[0]
