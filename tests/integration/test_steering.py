"""``/v1/steering``: what players get, whatever they send."""

import json
import re
import time
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from prometheus_client import Counter

from gateway.app import FIRST_USER_AGENT, Application
from gateway.cache import STEERED, Cache
from gateway.client.prior import network_name, wide_network
from gateway.client.session import asset_name
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition
from gateway.edge.override import WHOLE, Override
from gateway.observe import metrics
from gateway.play.allowance import Allowance
from gateway.play.facts import experience_network
from gateway.play.request import Headers
from gateway.steering.state import Clone, SteeringState
from gateway.trust.keys import KeyRing, Purpose, generated_key
from tests.integration.in_process import application, ask, asking

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "cases" / "steering-vectors.json"

EDGES = """
[[edges]]
id = "e1"
url = "https://e1.example.com/v/"
fallback = true
[[edges]]
id = "e2"
url = "https://e2.example.com/v/"
fallback = true
[[edges]]
id = "e3"
url = "https://e3.example.com/v/"
fallback = true
[[edges]]
id = "other"
url = "https://other.example.com:8443/v/"
fallback = true
"""

DOWN = EdgeCondition("down", 0.0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Four edges, of which three differ in their hosts alone."""
    path = tmp_path / "g.toml"
    path.write_text(EDGES)
    return path


@pytest.fixture
def app(config: Path) -> Application:
    return application(config)


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(app) as found:
        yield found


def manifest(response: httpx.Response) -> dict[str, Any]:
    """The body, which every answer must have in a form that all players accept."""
    assert (200, "application/vnd.apple.steering-list") == (
        response.status_code,
        response.headers["content-type"],
    )
    body: dict[str, Any] = response.json()
    assert (1, int) == (body["VERSION"], type(body["VERSION"]))
    assert int is type(body["TTL"])
    assert 1 <= body["TTL"] <= 60
    priority = body["PATHWAY-PRIORITY"]
    assert priority
    assert len(priority) == len(set(priority))
    assert "_HLS_" not in body["RELOAD-URI"]
    assert "_DASH_" not in body["RELOAD-URI"]
    assert body.get("PATHWAY-CLONES") != []
    return body


def signed(app: Application, base: str = "e1", asset: str = "film", **more: Any) -> str:
    """The state that a playlist carries."""
    fleet = app.gateway.fleet
    edge = fleet.edges[fleet.positions[base]]
    state = SteeringState(
        asset_name(asset), 0, 0, edge.id, edge.shape, 6000, 3000, edge.key, **more
    )
    return app.gateway.keys.sign(Purpose.STEERING_STATE, state.to_bytes())


HOSTILE = [
    ("nothing", ""),
    ("the default pathway, quoted", "_HLS_pathway=%22.%22&_HLS_throughput=5140000"),
    ("no throughput", "_HLS_pathway=.&_HLS_throughput="),
    ("DASH lists", "_DASH_pathway=%22e1,e2%22&_DASH_throughput=5140000,13000000"),
    ("absurd", "_HLS_pathway=%22FAILBACK%22&_HLS_throughput=99999999999999999999"),
    ("repeated", "_HLS_pathway=%22a%22&_HLS_pathway=%22b%22"),
    ("known parameters that play would refuse", "speed=x&max_bitrate=-1&session=" + "s" * 99),
    ("a forged state", "state=auto-0.AAAA&_HLS_pathway=e1"),
    ("an empty state", "state=&_HLS_pathway=e1"),
    ("garbage", "%00=%ff&&&=&_HLS_pathway=%0d%0aX:y&state=%e2%82%ac"),
    ("a long one", "x=" + "y" * 4000),
    ("many", "&".join("_HLS_pathway=e1" for _ in range(300))),
    ("quotes alone", "_HLS_pathway=%22%22&_HLS_throughput=%22%22"),
    ("dots, as redundant streams get them", "_HLS_pathway=%22..%22&_HLS_throughput=1e6"),
    ("below zero", "_HLS_pathway=e1&_HLS_throughput=-1"),
    ("not a number", "_HLS_pathway=e1&_HLS_throughput=NaN"),
    ("endless", "_HLS_pathway=e1&_HLS_throughput=Infinity"),
    ("digits of another script", "_HLS_pathway=e1&_HLS_throughput=%D9%A1%D9%A2"),
    ("an empty DASH list", "_DASH_pathway=%22,,,%22&_DASH_throughput=,,,"),
    ("more numbers than pathways", "_DASH_pathway=e1&_DASH_throughput=" + "9000000," * 99),
    ("both protocols", "_HLS_pathway=e1&_DASH_pathway=e2&_HLS_throughput=1&_DASH_throughput=2"),
    ("a pathway of the suffix's form", "_HLS_pathway=e1.ffff&_HLS_throughput=9000000"),
    ("a suffix alone", "_HLS_pathway=.ffff"),
    ("a session that is none", "session_name=zz&_HLS_pathway=e1"),
    ("a fragment and a second question mark", "_HLS_pathway=e1?_HLS_throughput=5"),
    ("escaped twice", "_HLS_pathway=%2522e1%2522&_HLS_throughput=%2535"),
    ("the name escaped", "%5fHLS_pathway=e1"),
]


@pytest.mark.parametrize("query", [row[1] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
async def test_every_query_is_answered(client: httpx.AsyncClient, query: str) -> None:
    """Never an error, and never a pathway that the gateway does not have."""
    body = manifest(await client.get(f"/v1/steering/c39?{query}"))
    assert {"e1", "e2", "e3", "other"} >= set(body["PATHWAY-PRIORITY"])
    assert all(one["BASE-ID"] != "." for one in body.get("PATHWAY-CLONES", []))
    reload = urlsplit(body["RELOAD-URI"])
    assert ("", "/v1/steering/c39") == (reload.netloc, reload.path)
    again = manifest(await client.get(body["RELOAD-URI"]))
    assert body["PATHWAY-PRIORITY"][:1] == again["PATHWAY-PRIORITY"][:1] or not reload.query


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
async def test_the_queries_of_real_players(client: httpx.AsyncClient) -> None:
    for vector in json.loads(CORPUS.read_text())["query_vectors"]:
        manifest(await client.get(f"/v1/steering/film?{vector['raw']}"))


async def test_bytes_that_are_no_query(app: Application) -> None:
    """What no client library would send."""
    for query in (b"\xff\xfe", b"_HLS_pathway=\xff", b"state=\x00", b"%", b"&" * 200):
        status, _, body = await ask(app, "/v1/steering/film", query)
        assert 200 == status
        assert 1 == json.loads(body)["VERSION"]


async def test_a_session_from_its_playlist_on(app: Application, client: httpx.AsyncClient) -> None:
    """The playlist's pathway first; the other edges are clones of it; the state travels on."""
    first = manifest(await client.get(f"/v1/steering/film?state={signed(app)}&_HLS_pathway=e1"))
    assert "e1" == first["PATHWAY-PRIORITY"][0]
    assert {"e1", "e2", "e3"} == set(first["PATHWAY-PRIORITY"])
    assert [
        {"BASE-ID": "e1", "ID": name, "URI-REPLACEMENT": {"HOST": f"{name}.example.com"}}
        for name in first["PATHWAY-PRIORITY"][1:]
    ] == first["PATHWAY-CLONES"]
    second = manifest(
        await client.get(first["RELOAD-URI"] + "&_HLS_pathway=e1&_HLS_throughput=8000000")
    )
    assert first["PATHWAY-PRIORITY"] == second["PATHWAY-PRIORITY"]
    state = _state_in(app, second)
    assert (8000, [8000]) == (state.estimate_kbps, [one.kbps for one in state.records])
    assert _state_in(app, first).viewer == state.viewer != 0


def _state_in(app: Application, body: Mapping[str, Any], asset: str = "film") -> SteeringState:
    text = parse_qs(urlsplit(body["RELOAD-URI"]).query)["state"][0]
    payload = app.gateway.keys.verify(Purpose.STEERING_STATE, text)
    assert payload is not None
    state = SteeringState.from_bytes(payload, asset_name(asset), time.time())
    assert state is not None
    return state


async def test_an_edge_that_dies_loses_its_place(
    app: Application, client: httpx.AsyncClient
) -> None:
    """A new edge is first, and the player's report of it is believed."""
    first = manifest(await client.get(f"/v1/steering/film?state={signed(app)}&_HLS_pathway=e1"))
    app.keeper.judged("health", {"e1": DOWN})
    second = manifest(await client.get(first["RELOAD-URI"] + "&_HLS_pathway=e1"))
    moved_to = second["PATHWAY-PRIORITY"][0]
    assert moved_to in {"e2", "e3"}
    assert "e1" == second["PATHWAY-PRIORITY"][-1]
    assert moved_to in {one["ID"] for one in second["PATHWAY-CLONES"]}
    app.keeper.judged("health", {})
    third = manifest(await client.get(f"{second['RELOAD-URI']}&_HLS_pathway={moved_to}"))
    assert moved_to == third["PATHWAY-PRIORITY"][0]


@pytest.mark.parametrize("share", [0.2, 0.9, 1.0])
async def test_an_override_chooses_a_session_once(
    app: Application, client: httpx.AsyncClient, share: float
) -> None:
    """The playlist of a new session has named the edge that the override left it; so its key is one
    that the override does not cover. With a share of 100 % there is none: it follows later."""
    since = int(time.time()) - 10_000
    one = Override("0" * 8, "e1", "e2", 0, round(share * WHOLE), since, since * 2, "me@here", "")
    app.keeper.overridden([one])
    text = signed(app)
    for _ in range(30):
        body = manifest(await client.get(f"/v1/steering/film?state={text}&_HLS_pathway=e1"))
        assert ("e1" if share < 1 else "e2") == body["PATHWAY-PRIORITY"][0]


@pytest.mark.parametrize(
    ("share", "stays"), [(0.0, {False}), (0.1, {True}), (0.6, {True}), (1.0, {True})]
)
async def test_a_degraded_edge_admits_a_session_once(
    app: Application, client: httpx.AsyncClient, share: float, stays: set[bool]
) -> None:
    """The playlist of a new session has named the edge, which has therefore admitted it. It leaves
    an edge that admits nobody since."""
    app.keeper.judged("health", {"e1": EdgeCondition("degraded", share)})
    app.gateway.steering.leaving_in(app.gateway.fleet, time.monotonic() - 10_000)
    text, found = signed(app), set()
    for _ in range(30):
        body = manifest(await client.get(f"/v1/steering/film?state={text}&_HLS_pathway=e1"))
        found.add("e1" == body["PATHWAY-PRIORITY"][0])
    assert stays == found


async def test_an_edge_that_is_added_later_is_a_clone(
    app: Application, client: httpx.AsyncClient, config: Path
) -> None:
    """The only other edge of the playlist's time is gone; the new one takes its place."""
    first = manifest(await client.get(f"/v1/steering/film?state={signed(app)}&_HLS_pathway=e1"))
    edges = [edge for edge in app.gateway.fleet.edges if edge.id == "e1"]
    new = next(edge for edge in app.gateway.fleet.edges if edge.id == "e3")
    app.keeper.found("config", [*edges, new])
    second = manifest(await client.get(first["RELOAD-URI"] + "&_HLS_pathway=e1"))
    assert ["e1", "e3"] == second["PATHWAY-PRIORITY"]
    app.keeper.found("config", [new])
    third = manifest(await client.get(second["RELOAD-URI"] + "&_HLS_pathway=e1"))
    assert ["e3"] == third["PATHWAY-PRIORITY"]
    assert "e1" == third["PATHWAY-CLONES"][0]["BASE-ID"]


async def test_the_pathways_of_an_mpd_are_no_clones(
    app: Application, client: httpx.AsyncClient, config: Path
) -> None:
    """An id that the MPD declares must not be a clone's (C2.2). An edge that was added later is
    one, of the base; so is a declared edge once its host has changed."""
    edges = {edge.id: edge for edge in app.gateway.fleet.edges}
    declared = Clone(edges["e2"].tag, edges["e2"].host_tag)
    app.keeper.found("config", [edges["e1"], edges["e2"]])
    text = signed(app, clones=(declared,), declared=2, base_host=edges["e1"].host_tag)
    first = manifest(await client.get(f"/v1/steering/film?state={text}"))
    assert (["e1", "e2"], None) == (first["PATHWAY-PRIORITY"], first.get("PATHWAY-CLONES"))
    app.keeper.found("config", [edges["e1"], edges["e2"], edges["e3"]])
    query = "&_DASH_pathway=%22e1,e2%22&_DASH_throughput=9000000"
    second = manifest(await client.get(first["RELOAD-URI"] + query))
    assert "e1" == second["PATHWAY-PRIORITY"][0]
    assert [("e1", "e3")] == [(c["BASE-ID"], c["ID"]) for c in second["PATHWAY-CLONES"]]
    app.keeper.found(
        "config", [edges["e1"], replace(edges["e2"], url="https://new.example.com/v/")]
    )
    third = manifest(await client.get(second["RELOAD-URI"] + query))
    [clone] = third["PATHWAY-CLONES"]
    assert clone["ID"].startswith("e2.")
    assert {"HOST": "new.example.com"} == clone["URI-REPLACEMENT"]


@pytest.mark.parametrize(
    ("reported", "clones"),
    [("e1", {"e2", "e3"}), ("e1,e2", {"e3"}), ("x,e2,e1,e3", set()), ("e1,other", {"e2", "e3"})],
)
async def test_what_a_player_without_a_state_reports_is_no_clone(
    app: Application, client: httpx.AsyncClient, reported: str, clones: set[str]
) -> None:
    """It has these pathways, so that each may be one that its MPD declares (C2.2). It is told to
    use another of them when the first dies, and that is no clone either."""
    ids = {edge.id for edge in app.gateway.fleet.edges}
    known = [name for name in reported.split(",") if name in ids]
    query = f"_DASH_pathway=%22{reported}%22&_DASH_throughput=9000000"
    named: set[str] = set()
    url = f"/v1/steering/c39?{query}"
    for _ in range(2):
        body = manifest(await client.get(url))
        assert known[0] == body["PATHWAY-PRIORITY"][0]
        named |= _clone_ids(body)
        url = f"{body['RELOAD-URI']}&{query}"
    assert clones >= named
    assert clones <= named or len(known) + len(clones) > 3
    spared = {*known[1:]} or clones
    app.keeper.judged("health", dict.fromkeys(ids - spared, DOWN))
    body = manifest(await client.get(url))
    assert body["PATHWAY-PRIORITY"][0] in spared
    assert clones >= _clone_ids(body)


def _clone_ids(body: Mapping[str, Any]) -> set[str]:
    """The ids of the clones in an answer."""
    return {one["ID"] for one in body.get("PATHWAY-CLONES", ())}


async def test_a_clone_on_another_host_has_an_id_of_its_own(
    app: Application, client: httpx.AsyncClient
) -> None:
    """hls.js ignores a clone whose id it knows. The player reports the new id, which is the edge's
    own for leases and metrics; also the base can move."""
    playlist = (await client.get("/v1/play/film.m3u8")).text
    found = re.search(r'SERVER-URI="([^"]+)",PATHWAY-ID="(e[123])"', playlist)
    assert found is not None
    base = found[2]
    first = manifest(await client.get(f"{found[1]}&_HLS_pathway={base}"))
    other = first["PATHWAY-PRIORITY"][1]
    moved = [
        replace(edge, url=f"https://new-{edge.id}.example.com/v/") if edge.id == other else edge
        for edge in app.gateway.fleet.edges
    ]
    app.keeper.found("config", moved)
    second = manifest(await client.get(f"{first['RELOAD-URI']}&_HLS_pathway={base}"))
    assert base == second["PATHWAY-PRIORITY"][0]
    [clone] = [one for one in second["PATHWAY-CLONES"] if one["ID"].startswith(other)]
    assert clone["ID"] != other
    assert {"HOST": f"new-{other}.example.com"} == clone["URI-REPLACEMENT"]
    app.keeper.judged("health", dict.fromkeys({"e1", "e2", "e3"} - {other}, DOWN))
    third = manifest(await client.get(f"{second['RELOAD-URI']}&_HLS_pathway={base}"))
    assert clone["ID"] == third["PATHWAY-PRIORITY"][0]
    fourth = manifest(await client.get(f"{third['RELOAD-URI']}&_HLS_pathway={clone['ID']}"))
    assert clone["ID"] == fourth["PATHWAY-PRIORITY"][0]
    app.keeper.judged("health", {})
    app.keeper.found(
        "config",
        [
            replace(edge, url=f"https://new-{edge.id}.example.com/v/") if edge.id == base else edge
            for edge in moved
        ],
    )
    fifth = manifest(await client.get(f"{fourth['RELOAD-URI']}&_HLS_pathway={clone['ID']}"))
    assert clone["ID"] == fifth["PATHWAY-PRIORITY"][0]
    assert base not in fifth["PATHWAY-PRIORITY"]
    assert {base} == {one["BASE-ID"] for one in fifth["PATHWAY-CLONES"]}


async def test_a_clone_with_an_id_of_its_own_outlives_the_state(
    app: Application, client: httpx.AsyncClient
) -> None:
    """The player has it, so that clones may refer to it; under the edge's own id it has another
    host. It is known for as long as its edge has that host."""
    edges = {edge.id: edge for edge in app.gateway.fleet.edges}
    own_id = f"e1.{edges['e1'].host_tag:04x}"
    report = f"&_HLS_pathway={own_id}&_HLS_throughput=9000000"
    url = f"/v1/steering/film?state=x.AAAA{report}"
    for _ in range(2):
        body = manifest(await client.get(url))
        url = f"{body['RELOAD-URI']}{report}"
        assert [own_id, {"e2", "e3"}] == [
            body["PATHWAY-PRIORITY"][0],
            {*body["PATHWAY-PRIORITY"][1:]},
        ]
        assert {(own_id, "e2"), (own_id, "e3")} == {
            (one["BASE-ID"], one["ID"]) for one in body["PATHWAY-CLONES"]
        }
    app.keeper.judged("health", {"e1": DOWN})
    moved_to = manifest(await client.get(url))["PATHWAY-PRIORITY"][0]
    assert moved_to in {"e2", "e3"}
    app.keeper.judged("health", dict.fromkeys(["e2", "e3"], DOWN))
    body = manifest(await client.get(f"{body['RELOAD-URI']}&_HLS_pathway={moved_to}"))
    assert own_id == body["PATHWAY-PRIORITY"][0]
    app.keeper.judged("health", {})
    app.keeper.found("config", [replace(edges["e1"], url="https://new.example.com/v/")])
    body = manifest(await client.get(f"/v1/steering/film?state=x.AAAA{report}"))
    assert (["e1"], None) == (body["PATHWAY-PRIORITY"], body.get("PATHWAY-CLONES"))


@pytest.mark.parametrize("count", [1, 4, 7, 8])
async def test_a_state_that_begins_anew_can_be_read(
    app: Application, client: httpx.AsyncClient, count: int
) -> None:
    """Whatever ids edges have, and however many pathways the player reports."""
    first, *others = [
        Edge(f"{number}" + "x" * 63, f"https://e{number}.example/", fallback=True)
        for number in range(12)
    ]
    app.keeper.found("config", [first, *others])
    own_id = f"{first.id}.{first.host_tag:04x}"
    reported = ",".join([own_id, *(edge.id for edge in others[: count - 1])])
    body = manifest(await client.get(f"/v1/steering/film?state=x.AAAA&_DASH_pathway={reported}"))
    before = _value(metrics.STEERING_STATES, "known")
    for _ in range(2):  # each answer may name edges that are new to the player
        again = f"{body['RELOAD-URI']}&_DASH_pathway={own_id}&_DASH_throughput=9000000"
        body = manifest(await client.get(again))
        assert own_id == body["PATHWAY-PRIORITY"][0]
    assert 2 == _value(metrics.STEERING_STATES, "known") - before


async def test_what_a_player_carries_outlives_its_state(client: httpx.AsyncClient) -> None:
    """The name of its session, whether or not its pathway is known; without any, nothing."""
    path, name = "/v1/steering/film", f"session_name={'ab' * 20}"
    for pathway in ("e1", "x", "e1.0000"):
        answer = await client.get(f"{path}?state=x.AAAA&{name}&_HLS_pathway={pathway}")
        assert name in manifest(answer)["RELOAD-URI"]
    answer = await client.get(f"{path}?state=x.AAAA&_HLS_pathway=x")
    assert path == manifest(answer)["RELOAD-URI"]


async def test_no_edge_that_the_player_can_use(app: Application, client: httpx.AsyncClient) -> None:
    """It keeps its pathway."""
    other = next(edge for edge in app.gateway.fleet.edges if edge.id == "other")
    text = signed(app)
    app.keeper.found("config", [other])
    body = manifest(await client.get(f"/v1/steering/film?state={text}&_HLS_pathway=e1"))
    assert (["e1"], None) == (body["PATHWAY-PRIORITY"], body.get("PATHWAY-CLONES"))


async def test_the_edge_that_it_was_told_is_elsewhere(
    app: Application, client: httpx.AsyncClient
) -> None:
    """Under another path, where no clone leads; and its base is gone. It keeps its pathway."""
    text = signed(app)
    first = manifest(await client.get(f"/v1/steering/film?state={text}&_HLS_pathway=e1"))
    [told] = [edge for edge in app.gateway.fleet.edges if edge.id == first["PATHWAY-PRIORITY"][1]]
    app.keeper.found("config", [told])
    second = manifest(await client.get(f"{first['RELOAD-URI']}&_HLS_pathway=e1"))
    assert [told.id] == second["PATHWAY-PRIORITY"]
    app.keeper.found("config", [replace(told, url="https://new.example.com/w/")])
    third = manifest(await client.get(f"{second['RELOAD-URI']}&_HLS_pathway={told.id}"))
    assert (["e1"], None) == (third["PATHWAY-PRIORITY"], third.get("PATHWAY-CLONES"))


REFUSED = [
    ("another asset", lambda app: signed(app, asset="other")),
    ("another key", lambda app: _resigned(app, KeyRing(generated_key(b"x" * 32)))),
    ("changed", lambda app: _changed(signed(app))),
    ("too old", lambda app: signed(app, issued_s=1)),
    ("signed, but no state", lambda app: app.gateway.keys.sign(Purpose.STEERING_STATE, b"x" * 70)),
]


def _changed(text: str) -> str:
    return f"{text[:-9]}{'B' if text[-9] == 'A' else 'A'}{text[-8:]}"


def _resigned(app: Application, ring: KeyRing) -> str:
    payload = app.gateway.keys.verify(Purpose.STEERING_STATE, signed(app))
    assert payload is not None
    return ring.sign(Purpose.STEERING_STATE, payload)


@pytest.mark.parametrize("make", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_state_that_cannot_be_trusted_counts_as_none(
    app: Application, client: httpx.AsyncClient, make: Any
) -> None:
    """The session goes on from the pathway that it reports, as a new one, and is counted."""
    text = make(app)
    body = manifest(await client.get(f"/v1/steering/film?state={text}&_HLS_pathway=e2"))
    assert "e2" == body["PATHWAY-PRIORITY"][0]
    assert {"e2"} == {one["BASE-ID"] for one in body["PATHWAY-CLONES"]}
    assert "e2" == _state_in(app, body).base


async def test_two_workers_with_one_key(config: Path) -> None:
    """Any worker answers, without a store."""
    key = {"GATEWAY_KEYS__RING": json.dumps([{"id": "k", "secret": "s" * 32}])}
    one, two = application(config, key), application(config, key)
    async with asking(one) as first, asking(two) as second:
        body = manifest(await first.get(f"/v1/steering/film?state={signed(one)}&_HLS_pathway=e1"))
        again = manifest(await second.get(body["RELOAD-URI"] + "&_HLS_pathway=e1"))
    assert body["PATHWAY-PRIORITY"] == again["PATHWAY-PRIORITY"]
    assert _state_in(one, body).viewer == _state_in(two, again).viewer


async def test_the_public_url_leads_the_way_back(config: Path) -> None:
    environ = {"GATEWAY_SERVER__PUBLIC_URL": "https://play.example.com/gw"}
    async with asking(application(config, environ)) as client:
        body = manifest(await client.get("/v1/steering/a/b?_HLS_pathway=e1"))
    assert body["RELOAD-URI"].startswith("https://play.example.com/gw/v1/steering/a/b?state=")


async def test_headers(app: Application, client: httpx.AsyncClient) -> None:
    """Not cached, readable by pages of any origin, the same for HEAD."""
    url = "/v1/steering/film?_HLS_pathway=e1"
    got = await client.get(url, headers={"Origin": "https://page.example"})
    for name, value in {
        "cache-control": "no-store",
        "access-control-allow-origin": "*",
        "timing-allow-origin": "*",
        "content-length": str(len(got.content)),
    }.items():
        assert value == got.headers[name]
    assert "Retry-After" in got.headers["access-control-expose-headers"]
    assert got.headers["x-request-id"]
    status, headers, _ = await ask(app, "/v1/steering/film", b"_HLS_pathway=e1", method="HEAD")
    assert 200 == status
    assert {name for name, _ in headers} == {name.lower() for name in got.headers}


async def test_what_is_no_session(client: httpx.AsyncClient) -> None:
    """A path that is no asset id is the only error; other methods are refused as everywhere."""
    assert 404 == (await client.get("/v1/steering/")).status_code
    assert 404 == (await client.get("/v1/steering/a%20b")).status_code
    assert 405 == (await client.post("/v1/steering/film")).status_code
    assert 204 == (await client.options("/v1/steering/film")).status_code


async def test_moves_are_counted(app: Application, client: httpx.AsyncClient) -> None:
    """A HEAD counts as a request, but moves nobody."""
    names = [
        *((metrics.STEERING_STATES, state) for state in ("none", "new", "known", "refused")),
        *((metrics.STEERING_MOVES, edge) for edge in ("e1", "e2", "e3")),
        *((metrics.STEERING_ANSWERS, reason) for reason in ("fine", "down", "dwell")),
        *((metrics.STEERING_OBEYED, obeyed) for obeyed in ("yes", "no")),
    ]
    before = [_value(counter, label) for counter, label in names]
    first = manifest(await client.get(f"/v1/steering/film?state={signed(app)}&_HLS_pathway=e1"))
    app.keeper.judged("health", {"e1": DOWN})
    assert 200 == (await client.head(first["RELOAD-URI"] + "&_HLS_pathway=e1")).status_code
    second = manifest(await client.get(first["RELOAD-URI"] + "&_HLS_pathway=e1"))
    await client.get(second["RELOAD-URI"] + "&_HLS_pathway=e1")
    await client.get("/v1/steering/film")
    await client.get("/v1/steering/film?state=x.AAAA")
    found = [
        _value(counter, label) - was for (counter, label), was in zip(names, before, strict=True)
    ]
    to = second["PATHWAY-PRIORITY"][0]
    assert [1, 1, 3, 1, 0, to == "e2", to == "e3", 2, 1, 0, 2, 1] == found


def _value(counter: Counter, label: str) -> float:
    """The value of a counter with one label."""
    metrics.exposition()  # settles what is counted and not yet added
    return next(
        (
            sample.value
            for family in counter.collect()
            for sample in family.samples
            if sample.name.endswith("_total") and label in sample.labels.values()
        ),
        0.0,
    )


async def watch(app: Application, base: str, peer: str, kbps: Sequence[int]) -> str:
    """A session of a viewer that measures so much, one request after the other, and obeys; the
    edge on which it ends."""
    playing = base
    async with asking(app, peer) as client:
        url = f"/v1/steering/film?state={signed(app, base)}"
        for number in kbps:
            report = f"&_HLS_pathway={playing}&_HLS_throughput={number}000"
            body = manifest(await client.get(url + report))
            url, playing = body["RELOAD-URI"], body["PATHWAY-PRIORITY"][0]
    return playing


async def test_an_edge_that_is_slow_for_a_network_from_the_start(app: Application) -> None:
    """A session that has seen nothing else leaves it once others of its network measure the same
    there, and more elsewhere; those of another network stay, as their own lines may be slow."""
    assert "e1" == await watch(app, "e1", "10.1.200.1", [500, 900, 900])
    for number in range(24):
        await watch(app, "e1", f"10.1.{number}.1", [500, 900])
        await watch(app, "e3", f"10.1.{50 + number}.1", [500, 1000])
        assert "e2" == await watch(app, "e2", f"10.1.{100 + number}.1", [500, 9000])
    assert "e2" == await watch(app, "e1", "10.1.200.1", [500, 900])
    assert "e1" == await watch(app, "e1", "10.2.200.1", [500, 900, 900])
    assert "e1" == await watch(app, "e1", "10.1.201.1", [500, 7000, 7000])


async def test_one_household_does_not_make_an_edge_slow(app: Application) -> None:
    for _ in range(20):
        await watch(app, "e1", "10.1.1.1", [500, 100])
        await watch(app, "e2", "10.1.2.1", [500, 90_000])
    assert "e1" == await watch(app, "e1", "10.1.3.1", [500, 900, 900])


async def test_a_network_learns_nothing_of_a_player_that_is_paused(config: Path) -> None:
    """It repeats its last figure, while another player of its household measures."""
    app = application(config, {"GATEWAY_STEERING__SLOW_VIEWERS": "1"})
    sender = app.gateway.runtime.clients.sender("10.1.1.1", Headers({}))
    network = wide_network(sender.prefix)
    fleet = app.gateway.fleet
    key = fleet.edges[fleet.positions["e1"]].key
    url, seen = f"/v1/steering/film?state={signed(app)}", []
    async with asking(app, "10.1.1.1") as client:
        for kbps in (500, 7000, 7000, 7001):
            report = f"&_HLS_pathway=e1&_HLS_throughput={kbps}000"
            url = manifest(await client.get(url + report))["RELOAD-URI"]
            seen.append(app.gateway.steering.networks.kbps_on(network, key, time.monotonic()))
            await watch(app, "e1", "10.1.1.1", [500, 9000])
    assert [None, 7000, 9000, 7001] == seen


class Unpaced(Allowance):
    """Nobody asks too often: states age in no time."""

    def charge(self, name: Hashable, seconds: float, now_s: float) -> None:
        """Forget it."""


async def test_a_session_far_below_the_prior_of_its_network(app: Application) -> None:
    """It tries another edge, once; then it can compare."""
    sender = app.gateway.runtime.clients.sender("10.1.1.1", Headers({}))
    app.gateway.priors.known = {network_name(sender.place, sender.prefix, "desktop"): 8000}
    desktop = {"User-Agent": FIRST_USER_AGENT}
    app.gateway.steered = Unpaced(Cache(STEERED))
    async with asking(app, "10.1.1.1") as client:
        url, playing, seen = f"/v1/steering/film?state={signed(app)}", "e1", ["e1"]
        for number in range(20):
            report = f"&_HLS_pathway={playing}&_HLS_throughput={500 if number == 0 else 900}000"
            body = manifest(await client.get(url + report, headers=desktop))
            state = _state_in(app, body)
            aged = replace(
                state,
                told_s=state.told_s and state.told_s - 100,
                issued_s=state.issued_s - 100,
                began_s=state.began_s - 100,
                records=tuple(one._replace(at_s=one.at_s - 100) for one in state.records),
            )
            text = app.gateway.keys.sign(Purpose.STEERING_STATE, aged.to_bytes())
            url, playing = f"/v1/steering/film?state={text}", body["PATHWAY-PRIORITY"][0]
            if playing != seen[-1]:
                seen.append(playing)
    assert 2 == len(seen)


@pytest.mark.parametrize(("speed", "moves"), [("&speed=40000", True), ("&speed=900", False)])
async def test_a_session_far_below_what_its_page_has_measured(
    app: Application, client: httpx.AsyncClient, speed: str, *, moves: bool
) -> None:
    """The page has asked ``/v1/probe``, or knows its speed; the first edge is slow from the
    start. What the player says at first counts for nothing."""
    app.keeper.judged("drain", {"other": EdgeCondition("draining", 0.0)})
    playlist = (await client.get(f"/v1/play/film.m3u8?session=s{speed}")).text
    found = re.search(r'SERVER-URI="([^"]+)",PATHWAY-ID="(e[123])"', playlist)
    assert found is not None
    report = f"&_HLS_pathway={found[2]}&_HLS_throughput=500000"
    first = manifest(await client.get(found[1] + report))
    assert found[2] == first["PATHWAY-PRIORITY"][0]
    second = manifest(await client.get(first["RELOAD-URI"] + report))
    assert moves is (second["PATHWAY-PRIORITY"][0] != found[2])


async def test_nobody_is_moved_to_an_edge_on_which_others_have_trouble(config: Path) -> None:
    """By the reports of other viewers of the network, if the config says so. Sessions of another
    network go there."""
    app = application(config, {"GATEWAY_CMCD__AVOID_POOR_EDGES": "true"})
    sender = app.gateway.runtime.clients.sender("10.1.1.1", Headers({}))
    network, now_s = experience_network(sender), time.monotonic()
    for slot in range(60):
        for edge in ("e2", "e3"):
            app.gateway.experiences.add(network, edge, slot, edge == "e2", now_s, 20)
    app.keeper.judged("health", {"e1": DOWN})
    ends: dict[str, set[str]] = {"10.1.1.1": set(), "10.2.1.1": set()}
    for peer, seen in ends.items():
        for _ in range(20):
            seen.add(await watch(app, "e1", peer, [500]))
    assert {"10.1.1.1": {"e3"}, "10.2.1.1": {"e2", "e3"}} == ends


LIES = [
    ("nobody has it", "_HLS_pathway=nowhere&_HLS_throughput=100000"),
    ("of another shape", "_HLS_pathway=other&_HLS_throughput=100000"),
    ("down", "_HLS_pathway=e3&_HLS_throughput=100000"),
]


@pytest.mark.parametrize("query", [row[1] for row in LIES], ids=[row[0] for row in LIES])
async def test_a_player_that_lies_changes_nothing(
    app: Application, client: httpx.AsyncClient, query: str
) -> None:
    """Its session stays where it was told, and nothing is recorded; it is counted."""
    app.keeper.judged("health", {"e3": DOWN})
    body = manifest(
        await client.get(
            f"/v1/steering/film?state={signed(app)}&_HLS_pathway=e1&_HLS_throughput=9000000"
        )
    )
    before = _value(metrics.STEERING_OBEYED, "unknown")
    lied = manifest(await client.get(f"{body['RELOAD-URI']}&{query}"))
    assert body["PATHWAY-PRIORITY"] == lied["PATHWAY-PRIORITY"]
    honest, after = _state_in(app, body), _state_in(app, lied)
    assert (honest.told, honest.records) == (after.told, after.records)
    assert 1 == _value(metrics.STEERING_OBEYED, "unknown") - before


async def test_moves_keep_within_the_capacity(tmp_path: Path) -> None:
    """The edge with room for three sessions gets three; the lease of a move is taken when the
    player reports it."""
    path = tmp_path / "g.toml"
    path.write_text(
        "[[edges]]\nid = 'e1'\nurl = 'https://e1.example.com/v/'\nfallback = true\n"
        "[[edges]]\nid = 'e2'\nurl = 'https://e2.example.com/v/'\nfallback = true\n"
        "capacity_mbps = 10\n[[edges]]\nid = 'e3'\nurl = 'https://e3.example.com/v/'\n"
        "fallback = true\ncapacity_mbps = 1000\n"
    )
    app = application(path)
    text = signed(app)
    app.keeper.judged("health", {"e1": DOWN})
    moved: dict[str, list[dict[str, Any]]] = {"e2": [], "e3": []}
    async with asking(app) as client:
        for _ in range(40):
            body = manifest(await client.get(f"/v1/steering/film?state={text}&_HLS_pathway=e1"))
            moved[body["PATHWAY-PRIORITY"][0]].append(body)
        assert 3 == len(moved["e2"])
        for body in moved["e2"]:
            await client.get(f"{body['RELOAD-URI']}&_HLS_pathway=e2")
    loads = await app.gateway.leases.look()
    assert 9000 == loads.leased["e2"]
