"""Content steering of DASH, from the MPD to the steering manifest and back."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import Application
from gateway.edge.edge import Edge
from gateway.edge.fleet import EdgeCondition
from gateway.play.dash.client_class import ORDERS
from tests.integration.dash_titles import mpd, put
from tests.integration.in_process import OPERATORS, application, asking

NS = {"": "urn:mpeg:dash:schema:mpd:2011"}
DVB = "{urn:dvb:dash:dash-extensions:2014-1}priority"
BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36"
)
APPS = {
    "media3": "Film/1.0 (Linux; Android 14) AndroidXMedia3/1.8.0",
    "an app on Android": "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 6 Build/TQ3A)",
    "a stick": "Dalvik/2.1.0 (Linux; U; Android 9; AFTMM Build/PS7233)",
}
EDGES = "".join(
    f'[[edges]]\nid = "{name}"\nurl = "https://{name}.example{path}"\nfallback = true\n'
    for name, path in (("e1", "/v/"), ("e2", "/v/"), ("e3", "/v/"), ("far", ":8443/other/"))
)
NESTED = mpd().replace("<SegmentTemplate", "<BaseURL>dash/</BaseURL><SegmentTemplate")
OWN = mpd().replace("<Period", "<ContentSteering>https://steer.example/</ContentSteering><Period")
ALTERNATIVES = mpd().replace(
    "<Period", "<BaseURL>./</BaseURL><BaseURL>https://other.example/</BaseURL><Period"
)
ELSEWHERE = mpd().replace("$RepresentationID$/", "https://other.example/$RepresentationID$/")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Titles that can be steered, and some that cannot."""
    folder = tmp_path_factory.mktemp("steered") / "catalogue"
    for name, text in {
        "film": mpd(),
        "live": mpd("dynamic"),
        "nested": NESTED,
        "dvb": NESTED.replace('profiles="', 'profiles="urn:dvb:dash:profile:dvb-dash:2014,'),
        "own": OWN,
        "alternatives": ALTERNATIVES,
        "elsewhere": ELSEWHERE,
    }.items():
        put(folder, f"{name}/manifest.mpd", text)
    put(folder, "utf16/manifest.mpd", mpd("dynamic").replace("UTF-8", "UTF-16").encode("utf-16"))
    return folder


@pytest.fixture
def app(root: Path) -> Application:
    """A gateway over it, with four edges, of which three differ in their hosts alone."""
    config = root.parent / "gateway.toml"
    config.write_text(
        f'[source]\nkind = "directory"\nroot = "{root}"\n[steering]\nmax_pathways = 4\n{EDGES}'
    )
    return application(config)


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A browser."""
    async with asking(app) as found:
        found.headers["User-Agent"] = BROWSER
        yield found


class Steered:
    """What a player finds in an MPD."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        root = ET.fromstring(answer.content)  # noqa: S314  # the gateway's own
        self.names = [child.tag.rpartition("}")[2] for child in root]
        self.urls = {
            url.get("serviceLocation"): url.text or "" for url in root.findall("BaseURL", NS)
        }
        self.priorities = [url.get(DVB) for url in root.findall("BaseURL", NS)]
        found = root.find("ContentSteering", NS)
        self.server = None if found is None else (found.text or "")
        self.default = None if found is None else found.get("defaultServiceLocation")
        [edge] = re.findall(r'edge="([^"]+)"', answer.headers["Gateway-Decision"])
        self.edge: str = edge


async def told(client: httpx.AsyncClient, url: str, query: str = "") -> dict[str, Any]:
    """The steering manifest."""
    answer = await client.get(url + query)
    assert answer.status_code == 200
    body: dict[str, Any] = json.loads(answer.content)
    return body


@pytest.mark.parametrize("asset", ["film", "live", "utf16", "nested", "dvb"])
async def test_an_mpd_declares_its_edges(client: httpx.AsyncClient, asset: str) -> None:
    """The serving edge first, then those that the viewer prefers next, of whatever URL."""
    found = Steered(await client.get(f"/v1/play/{asset}.mpd"))
    assert [found.edge, found.edge] == [next(iter(found.urls)), found.default]
    assert {
        "e1": f"https://e1.example/v/{asset}/",
        "e2": f"https://e2.example/v/{asset}/",
        "e3": f"https://e3.example/v/{asset}/",
        "far": f"https://far.example:8443/other/{asset}/",
    } == found.urls
    assert ["1", "2", "3", "4"] == found.priorities
    kinds = [*["BaseURL"] * 4, *(["Location"] if asset in {"live", "utf16"} else [])]
    assert [*kinds, "ContentSteering", "Period"] == found.names
    assert found.server is not None
    assert found.server.startswith(f"http://gateway.test/v1/steering/{asset}?state=")


async def test_the_first_answer_is_what_the_mpd_says(client: httpx.AsyncClient) -> None:
    """The edge to load from first; every pathway that is declared; no clone, and no edge twice."""
    found = Steered(await client.get("/v1/play/film.mpd"))
    body = await told(client, found.server or "")
    assert found.edge == body["PATHWAY-PRIORITY"][0]
    assert set(found.urls) == set(body["PATHWAY-PRIORITY"])
    assert "PATHWAY-CLONES" not in body
    assert body["RELOAD-URI"].startswith("/v1/steering/film?state=")


async def test_a_player_follows(app: Application, client: httpx.AsyncClient) -> None:
    """dash.js lists all pathways that it has used; the edge that it was told is among them."""
    found = Steered(await client.get("/v1/play/film.mpd"))
    first = await told(client, found.server or "")
    app.keeper.judged("health", {found.edge: EdgeCondition("down", 0.0)})
    query = f"&_DASH_pathway=%22{found.edge}%22&_DASH_throughput=8000000"
    second = await told(client, first["RELOAD-URI"], query)
    new = second["PATHWAY-PRIORITY"][0]
    assert new != found.edge
    assert new in found.urls
    query = f"&_DASH_pathway=%22{found.edge},{new}%22&_DASH_throughput=8000000,"
    third = await told(client, second["RELOAD-URI"], query)
    assert new == third["PATHWAY-PRIORITY"][0]
    assert "PATHWAY-CLONES" not in third


async def test_an_edge_that_is_added_later(app: Application, client: httpx.AsyncClient) -> None:
    """It is a clone of the first, if its URL differs in the host alone."""
    new = next(edge for edge in app.gateway.fleet.edges if edge.id == "e3")
    app.keeper.found(
        "config", [edge for edge in app.gateway.fleet.edges if edge.id in {"e1", "e2"}]
    )
    found = Steered(await client.get("/v1/play/film.mpd"))
    assert {"e1", "e2"} == set(found.urls)
    app.keeper.found("config", [*app.gateway.fleet.edges, new])
    body = await told(client, found.server or "", f"&_DASH_pathway={found.edge}")
    [clone] = body["PATHWAY-CLONES"]
    assert (found.edge, "e3", {"HOST": "e3.example"}) == (
        clone["BASE-ID"],
        clone["ID"],
        clone["URI-REPLACEMENT"],
    )


async def test_every_refresh_is_steered(app: Application, client: httpx.AsyncClient) -> None:
    """A client drops steering when an update lacks it. The first edge stays; one that is down is
    not declared meanwhile."""
    answer = await client.get("/v1/play/live.mpd")
    first = Steered(answer)
    [refresh] = re.findall("<Location>([^<]+)</Location>", answer.text)
    url = refresh.replace("&amp;", "&").removeprefix("http://gateway.test")
    other = next(name for name in first.urls if name not in {first.edge, None})
    for conditions in ({}, {other or "": EdgeCondition("down", 0.0)}, {}):
        app.keeper.judged("health", conditions)
        found = Steered(await client.get(url))
        assert (first.edge, first.default) == (found.edge, found.default)
        assert first.edge == next(iter(found.urls))
        assert set(first.urls) - set(conditions) == set(found.urls)
        assert found.server is not None


@pytest.mark.parametrize(("asset", "counts"), [("live", True), ("film", False)])
async def test_an_edge_that_a_refresh_declares(
    app: Application, client: httpx.AsyncClient, asset: str, *, counts: bool
) -> None:
    """Its player may use it, though the first MPD did not declare it: it is believed, can be told
    again, and is no clone. The MPD of a film is loaded once."""
    app.keeper.judged("health", {"far": EdgeCondition("down", 0.0)})
    first = Steered(await client.get(f"/v1/play/{asset}.mpd"))
    assert "far" not in first.urls
    app.keeper.judged("health", {})
    assert "far" in Steered(await client.get(f"/v1/play/{asset}.mpd")).urls
    app.keeper.judged("health", dict.fromkeys(["e1", "e2", "e3"], EdgeCondition("down", 0.0)))
    report = "&_DASH_pathway=%22far%22&_DASH_throughput=8000000"
    second = await told(client, first.server or "", report)
    third = await told(client, second["RELOAD-URI"], report)
    app.keeper.judged("health", {})
    fourth = await told(client, third["RELOAD-URI"], report)
    for body in (second, third, fourth):
        assert counts is ("far" == body["PATHWAY-PRIORITY"][0])
        assert "PATHWAY-CLONES" not in body


@pytest.mark.parametrize("agent", APPS.values(), ids=APPS)
async def test_media3_gets_one_edge_of_nested_base_urls(
    client: httpx.AsyncClient, agent: str
) -> None:
    """It would load each Representation from an edge of its own (G8). Under a DVB profile, and
    without BaseURLs below the MPD level, it would not."""
    headers = {"User-Agent": agent}
    for asset, count in (("nested", 1), ("dvb", 4), ("film", 4)):
        found = Steered(await client.get(f"/v1/play/{asset}.mpd", headers=headers))
        assert count == len(found.urls)
        assert (found.edge, found.edge) == (next(iter(found.urls)), found.default)
        url = f"{OPERATORS}/v1/play/{asset}?format=dash"
        reasons = (await client.get(url, headers=headers)).json()["reasons"]
        by_clones = any("clones of the one edge" in reason for reason in reasons)
        assert (count == 1) == by_clones


@pytest.mark.parametrize(
    ("asset", "reason", "own"),
    [
        ("own", "content steering of its own", "https://steer.example/"),
        ("alternatives", "a BaseURL of the source at the MPD level leads to another server", None),
        ("elsewhere", "no segment of the source leads to the edge", None),
    ],
)
async def test_what_cannot_be_steered(
    client: httpx.AsyncClient, asset: str, reason: str, own: str | None
) -> None:
    """One edge, and the reason in the decision."""
    found = Steered(await client.get(f"/v1/play/{asset}.mpd"))
    assert own == found.server
    assert None in found.urls
    body = (await client.get(f"{OPERATORS}/v1/play/{asset}?format=dash")).json()
    assert any("not steered: " in each and reason in each for each in body["reasons"])


async def test_it_is_off_where_steering_is(root: Path) -> None:
    """One edge, and no steering server."""
    config = root.parent / "off.toml"
    config.write_text(
        f'[source]\nkind = "directory"\nroot = "{root}"\n[steering]\nenabled = false\n{EDGES}'
    )
    async with asking(application(config)) as client:
        found = Steered(await client.get("/v1/play/film.mpd"))
        assert (None, [None]) == (found.server, list(found.urls))


async def test_viewers_of_one_edge_share_few_mpds(
    app: Application, client: httpx.AsyncClient
) -> None:
    """What is written is cached for all of them; they do not all try the same edge next."""
    edges = [
        Edge(f"n{number}", f"https://n{number}.example/v/", fallback=True) for number in range(8)
    ]
    app.keeper.found("config", edges)
    seen: dict[str, set[tuple[str | None, ...]]] = {}
    for number in range(160):
        found = Steered(await client.get(f"/v1/play/film.mpd?session=s{number}"))
        seen.setdefault(found.edge, set()).add(tuple(found.urls))
    assert len(edges) == len(seen)
    assert all(1 < len(orders) <= ORDERS for orders in seen.values())
    seconds = [order[1] for orders in seen.values() for order in orders]
    assert len(set(seconds)) > len(edges) // 2


async def test_the_steering_server_learns_the_session(client: httpx.AsyncClient) -> None:
    """By a hash, and each session its own, though they share what is written."""
    servers = [
        Steered(await client.get(f"/v1/play/film.mpd?session={name}")).server or ""
        for name in ("anna", "bert", "anna")
    ]
    names = [re.findall(r"&session_name=([0-9a-f]{40})$", server) for server in servers]
    assert names[0] == names[2] != names[1]
    assert all(len(name) == 1 for name in names)
    assert "session_name" not in (Steered(await client.get("/v1/play/film.mpd")).server or "")
