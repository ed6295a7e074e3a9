"""Playlists that tell players where to ask: on and off, for whom, and what they then get."""

import base64
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

import httpx
import pytest

from gateway.app import Application
from gateway.client.session import asset_name
from gateway.edge.fleet import EdgeCondition
from gateway.steering.state import SteeringState
from gateway.store.connection.keys import session_name
from gateway.trust.keys import Purpose
from tests.integration.in_process import application, asking
from tests.integration.test_steering import EDGES, manifest

FILM = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.4d401e"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2400000,RESOLUTION=1280x720,CODECS="avc1.4d401f"
high.m3u8
"""
OFF = {"GATEWAY_STEERING__ENABLED": "false"}
TAG = re.compile(
    r'^#EXT-X-CONTENT-STEERING:SERVER-URI="([^"]+)",PATHWAY-ID="([^"]+)"$', re.MULTILINE
)
PLAYLIST = "/v1/play/film.m3u8"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A title, and four edges of which three differ in their hosts alone."""
    (tmp_path / "catalogue" / "film").mkdir(parents=True)
    (tmp_path / "catalogue" / "film" / "master.m3u8").write_text(FILM)
    path = tmp_path / "g.toml"
    # The edge of another shape never serves.
    edges = EDGES.replace('id = "other"', 'id = "other"\ndrain = true')
    path.write_text('[source]\nkind = "directory"\nroot = "catalogue"\n' + edges)
    return path


@pytest.fixture
def app(config: Path) -> Application:
    return application(config)


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(app) as found:
        yield found


async def test_a_playlist_leads_to_its_steering_manifest(client: httpx.AsyncClient) -> None:
    """Every variant is on the pathway of the serving edge, which the first answer puts first."""
    answer = await client.get(f"{PLAYLIST}?session=a")
    uri, pathway = _tag(answer)
    edge = re.search(r'edge="([^"]+)"', answer.headers["gateway-decision"])
    assert edge is not None
    assert edge[1] == pathway
    assert 3 == answer.text.count(f'PATHWAY-ID="{pathway}"')
    url = urljoin(str(answer.url), uri)
    body = manifest(await client.get(f"{url}&_HLS_pathway={pathway}&_HLS_throughput=9000000"))
    assert pathway == body["PATHWAY-PRIORITY"][0]
    assert {pathway} == {one["BASE-ID"] for one in body["PATHWAY-CLONES"]}
    host = urlsplit(re.findall(r"^https://\S+", answer.text, re.MULTILINE)[0]).netloc
    assert f"{pathway}.example.com" == host


def _tag(answer: httpx.Response) -> tuple[str, str]:
    assert 200 == answer.status_code
    found = TAG.findall(answer.text)
    assert 1 == len(found)
    uri, pathway = found[0]
    return uri, pathway


async def test_viewers_of_one_class_get_the_same_bytes(client: httpx.AsyncClient) -> None:
    """Where players name no session, finished playlists are shared; each first answer begins a
    session of its own."""
    viewers = [{"X-Forwarded-For": f"129.240.{number}.1"} for number in range(30)]
    answers = [await client.get(PLAYLIST, headers=viewer) for viewer in viewers]
    by_edge: dict[str, set[str]] = {}
    for answer in answers:
        by_edge.setdefault(_tag(answer)[1], set()).add(answer.headers["etag"])
    assert all(len(etags) == 1 for etags in by_edge.values())
    uri = _tag(answers[0])[0]
    states = {manifest(await client.get(uri))["RELOAD-URI"] for _ in range(5)}
    assert 5 == len(states)


async def test_off_is_off(config: Path) -> None:
    """The output is what it would be without content steering; requests are still answered."""
    async with asking(application(config, OFF)) as off, asking(application(config)) as on:
        plain = await off.get(f"{PLAYLIST}?session=a")
        steered = await on.get(f"{PLAYLIST}?session=a")
        assert "STEERING" not in plain.text
        assert "PATHWAY" not in plain.text
        text = TAG.sub("", steered.text).replace("\n\n", "\n")
        assert plain.text == re.sub(r',PATHWAY-ID="[^"]+"', "", text)
        assert 200 == (await off.get("/v1/steering/film")).status_code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("", "steered"),
        ("off", "off"),
        ("alone", "no-other-edge"),
        ("ports", "may-not-steer"),
        ("paths", "may-not-steer"),
        ("pathways", "source-steers"),
        ("copies", "source-has-copies"),
        ("absolute", "uris-do-not-move"),
        ("long", "too-long"),
    ],
)
async def test_each_refusal_has_its_reason(config: Path, change: str, code: str) -> None:
    """In the JSON decision; the playlist has the tags or has none."""
    _change(config, change)
    found = application(config, OFF if change == "off" else {})
    async with asking(found) as client:
        playlist = await client.get(PLAYLIST)
        decision = await client.get("http://127.0.0.1:8090/v1/play/film?fields=reasons")
    assert (code == "steered") is ("CONTENT-STEERING" in playlist.text)
    reasons: list[str] = decision.json()["reasons"]
    assert [code] == [
        text.rpartition("[")[2].rstrip("]") for text in reasons if text.startswith("steering: ")
    ]


@pytest.mark.parametrize(
    ("change", "environ", "agent", "code"),
    [
        ("ports", {}, "CHROME", "steered-by-copies"),
        ("paths", {}, "CHROME", "steered-by-copies"),
        ("schemes", {}, "CHROME", "steered-by-copies"),
        ("addresses", {}, "CHROME", "steered-by-copies"),
        ("ports", {}, "App/1 (Linux;Android 14) AndroidXMedia3/1.11.0", "steered-by-copies"),
        ("ports", {}, "App/1 (Linux;Android 14) AndroidXMedia3/1.9.2", "may-not-steer"),
        ("ports", {}, "App/1 (Linux;Android 14) ExoPlayerLib/2.19.1", "may-not-steer"),
        ("ports", {}, "VLC/3.0.20 LibVLC/3.0.20", "may-not-steer"),
        ("ports", {"COPIES": "never"}, "CHROME", "no-other-edge"),
        ("ports", {"MAX_PATHWAYS": "1"}, "CHROME", "no-other-edge"),
        ("ports alone", {}, "CHROME", "no-other-edge"),
        ("ports many", {}, "CHROME", "too-many-copies"),
        ("ports most", {}, "CHROME", "too-many-copies"),
        ("ports pathways", {}, "CHROME", "source-steers"),
        ("ports copies", {}, "CHROME", "source-has-copies"),
        ("ports absolute", {}, "CHROME", "uris-do-not-move"),
        ("ports long", {}, "CHROME", "too-long"),
        ("", {}, "CHROME", "steered"),
        ("", {}, "ShakaPlayer/5.2 (com.example.app)", "steered-by-copies"),
        ("", {"COPIES": "never"}, "ShakaPlayer/5.2 (com.example.app)", "steered"),
        ("", {"COPIES": "always"}, "CHROME", "steered-by-copies"),
        ("", {"COPIES": "always"}, "VLC/3.0.20 LibVLC/3.0.20", "steered"),
        ("alone", {"COPIES": "always"}, "CHROME", "no-other-edge"),
        ("many", {"COPIES": "always"}, "CHROME", "steered"),
    ],
)
async def test_who_gets_copies(
    config: Path, change: str, environ: dict[str, str], agent: str, code: str
) -> None:
    """Where clones do not lead to another edge, those who are known to steer."""
    for one in change.split():
        _change(config, one)
    app = application(config, {f"GATEWAY_STEERING__{k}": v for k, v in environ.items()})
    headers = {"User-Agent": CHROME if agent == "CHROME" else agent}
    async with asking(app) as client:
        playlist = await client.get(PLAYLIST, headers=headers)
        decision = await client.get(
            "http://127.0.0.1:8090/v1/play/film?fields=reasons", headers=headers
        )
    reasons: list[str] = decision.json()["reasons"]
    assert [code] == [
        text.rpartition("[")[2].rstrip("]") for text in reasons if text.startswith("steering: ")
    ]
    pathways = set(re.findall(r'PATHWAY-ID="([^"]+)"', playlist.text))
    listed = playlist.text.count("#EXT-X-STREAM-INF")
    if code == "steered-by-copies":
        assert len(pathways) == 3
        assert listed == 2 * 3
    else:
        assert len(pathways) == (code in {"steered", "source-steers"})


def _long_ladder(rungs: int) -> str:
    entries = (f"#EXT-X-STREAM-INF:BANDWIDTH={n}\n{n}\n" for n in range(1000, 1000 + rungs))
    return f"#EXTM3U\n{''.join(entries)}"


def _change(config: Path, change: str) -> None:  # noqa: C901
    """Change the title, or the edges."""
    source, edges = config.parent / "catalogue" / "film" / "master.m3u8", config.read_text()
    match change:
        case "alone":
            edges = edges.partition('[[edges]]\nid = "e2"')[0]
        case "ports":
            edges = re.sub(r"e(\d)\.example\.com", r"e.example.com:900\1", edges)
        case "far":
            edges = edges.partition("[[edges]]")[0] + "".join(
                f'[[edges]]\nid = "n{n}"\nfallback = true\nurl = "https://n.example.com:{n}/v/"\n'
                for n in range(9000, 9060)
            )
        case "many":
            source.write_text(_long_ladder(49))
        case "most":
            source.write_text(_long_ladder(97))
        case "schemes":
            edges = edges.replace("https://e1", "http://e1").replace(
                "https://e2.example.com", "https://e2.example.com:444"
            )
        case "addresses":
            edges = re.sub(r"e(\d)\.example\.com", r"[2001:db8::\1]", edges)
        case "paths":
            edges = re.sub(r"(e(\d)\.example\.com)/v", r"\1/\2", edges)
        case "pathways":
            source.write_text(FILM.replace('avc1.4d401e"', 'avc1.4d401e",PATHWAY-ID="x"'))
        case "copies":
            source.write_text(FILM + FILM.replace("#EXTM3U\n", "").replace("m3u8", "2.m3u8"))
        case "long":
            # Rewritten URIs fit into twice the length of the source, pathway ids do not.
            source.write_text(_long_ladder(40))
            edges += f"\n[limits]\nmax_playlist_bytes = {source.stat().st_size}\n"
        case "absolute":
            source.write_text(FILM.replace("low", "https://o.example/low"))
    config.write_text(edges)


@pytest.mark.parametrize("first", ["speaker", "desktop"])
async def test_a_speaker_and_a_screen_share_no_playlist(config: Path, first: str) -> None:
    """Both get the only variant of the title, but a device without a screen gets no I-frames."""
    (config.parent / "catalogue" / "film" / "master.m3u8").write_text(
        f"{FILM.partition('#EXT-X-STREAM-INF:BANDWIDTH=2400000')[0]}"
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.4d401e",URI="i.m3u8"\n'
    )
    agents = {"speaker": "AppleCoreMedia/1.0.0.19L580 (HomePod; U; CPU OS 15_6 like Mac OS X)"}
    agents["desktop"] = CHROME
    found: dict[str, str] = {}
    async with asking(application(config, OFF)) as client:
        for name in sorted(agents, key=lambda name: name != first):
            answer = await client.get(PLAYLIST, headers={"User-Agent": agents[name]})
            assert f"device={name}" in answer.headers["gateway-decision"]
            found[name] = answer.text
    assert [1, 1] == [text.count("#EXT-X-STREAM-INF") for text in found.values()]
    assert {"desktop": 1, "speaker": 0} == {
        name: text.count("#EXT-X-I-FRAME-STREAM-INF") for name, text in found.items()
    }


async def test_a_new_key_gives_new_playlists(config: Path) -> None:
    """A finished playlist must not outlive the key that signed its offer."""
    ring = [{"id": "old", "secret": "o" * 32}]
    app = application(config, {"GATEWAY_KEYS__RING": json.dumps(ring)})
    async with asking(app) as client:
        before = _tag(await client.get(f"{PLAYLIST}?session=a"))[0]
        app.gateway.keys = application(config, _keys("new")).gateway.keys
        after = _tag(await client.get(f"{PLAYLIST}?session=a"))[0]
    assert ["old", "new"] == [
        uri.partition("state=")[2].partition(".")[0] for uri in (before, after)
    ]


def _keys(name: str) -> dict[str, str]:
    return {"GATEWAY_KEYS__RING": json.dumps([{"id": name, "secret": name * 12}])}


async def test_the_public_url_is_used(config: Path) -> None:
    environ = {"GATEWAY_SERVER__PUBLIC_URL": "https://play.example.com/gw/"}
    async with asking(application(config, environ)) as client:
        uri, _ = _tag(await client.get(PLAYLIST))
    assert uri.startswith("https://play.example.com/gw/v1/steering/film?state=")


async def test_what_the_offer_says_of_the_ladder(app: Application) -> None:
    """The highest rung that the viewer gets, not the highest of the source."""
    phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/140.0.0.0 Mobile Safari/537.36"
    found: dict[str, Any] = {}
    async with asking(app) as client:
        for name, agent in (("phone", phone), ("desktop", "x")):
            answer = await client.get(PLAYLIST, headers={"User-Agent": agent})
            found[name] = _need(app, _tag(answer)[0])
    assert {"phone": 900, "desktop": 2400} == found


def _need(app: Application, uri: str) -> int:
    payload = app.gateway.keys.verify(Purpose.STEERING_STATE, uri.partition("state=")[2])
    assert payload is not None
    state = SteeringState.from_bytes(payload, asset_name("film"), 0)
    assert state is not None
    return state.need_kbps


INLINE = {
    "GATEWAY_STEERING__INLINE": "true",
    "GATEWAY_SERVER__PUBLIC_URL": "https://play.example.com/tv/",
}
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
    "Safari/537.36"
)
DATA = "data:application/vnd.apple.steering-list;base64,"


def _inlined(uri: str) -> dict[str, Any]:
    """The steering manifest in a SERVER-URI."""
    assert uri.startswith(DATA)
    body: dict[str, Any] = json.loads(base64.b64decode(uri.removeprefix(DATA), validate=True))
    return body


@pytest.mark.parametrize("query", ["", "?session=a", "?session=another%20one"])
async def test_the_first_manifest_in_the_playlist(config: Path, query: str) -> None:
    """It is what the first answer would be, and leads on to the answers of this session."""
    app = application(config, INLINE)
    async with asking(app) as client:
        answer = await client.get(PLAYLIST + query, headers={"User-Agent": CHROME})
        uri, pathway = _tag(answer)
        first = _inlined(uri)
        assert (1, 30, pathway) == (first["VERSION"], first["TTL"], first["PATHWAY-PRIORITY"][0])
        assert {"e1", "e2", "e3"} == set(first["PATHWAY-PRIORITY"])
        assert [
            {"BASE-ID": pathway, "ID": name, "URI-REPLACEMENT": {"HOST": f"{name}.example.com"}}
            for name in first["PATHWAY-PRIORITY"][1:]
        ] == first["PATHWAY-CLONES"]
        reload = first["RELOAD-URI"]
        assert reload.startswith("https://play.example.com/tv/v1/steering/film?state=")
        name = None if not query else session_name(unquote(query.partition("=")[2])).hex()
        assert parse_qs(urlsplit(reload).query).get("session_name") == (name and [name])
        # The player may have left its edge by itself before it asks: it knows the clones.
        clone = first["PATHWAY-PRIORITY"][1]
        parts = urlsplit(reload)
        again = manifest(await client.get(f"/v1/steering/film?{parts.query}&_HLS_pathway={clone}"))
        assert clone == again["PATHWAY-PRIORITY"][0]


async def test_viewers_share_inline_manifests(config: Path) -> None:
    """Those who name no session, and prefer the same edges."""
    async with asking(application(config, INLINE)) as client:
        seen: dict[tuple[str, ...], set[str]] = {}
        for number in range(40):
            viewer = {"X-Forwarded-For": f"129.240.{number}.1", "User-Agent": CHROME}
            uri, _ = _tag(await client.get(PLAYLIST, headers=viewer))
            seen.setdefault(tuple(_inlined(uri)["PATHWAY-PRIORITY"]), set()).add(uri)
    assert all(len(uris) == 1 for uris in seen.values())
    assert len(seen) > 1


async def test_an_inline_manifest_names_edges_that_take_sessions(config: Path) -> None:
    """One that drains is no alternative."""
    app = application(config, INLINE)
    app.keeper.judged("test", {"e2": EdgeCondition("draining", 0.0)})
    async with asking(app) as client:
        uri, _ = _tag(await client.get(PLAYLIST, headers={"User-Agent": CHROME}))
    assert {"e1", "e3"} == set(_inlined(uri)["PATHWAY-PRIORITY"])


@pytest.mark.parametrize(
    "agent",
    [
        "MyApp/1.0 (Linux;Android 14) ExoPlayerLib/2.19.1",
        "MyApp/1.0 (Linux;Android 14) AndroidXMedia3/1.11.0",
        "VLC/3.0.20 LibVLC/3.0.20",
        "curl/8.5",
        "",
    ],
)
async def test_players_that_may_not_read_it_get_a_url(config: Path, agent: str) -> None:
    """media3 loses what is in a data: URI; of others nobody knows."""
    async with asking(application(config, INLINE)) as client:
        uri, _ = _tag(await client.get(PLAYLIST, headers={"User-Agent": agent}))
    assert uri.startswith("https://play.example.com/tv/v1/steering/film?state=")


async def test_an_inline_manifest_that_is_too_long(config: Path) -> None:
    """The playlist has its URL instead."""
    asset = "/".join(["a" * 250] * 2)
    folder = config.parent / "catalogue" / asset
    folder.mkdir(parents=True)
    (folder / "master.m3u8").write_text(FILM)
    environ = {**INLINE, "GATEWAY_SERVER__PUBLIC_URL": f"https://play.example.com/{'p' * 2500}/"}
    async with asking(application(config, environ)) as client:
        answer = await client.get(
            f"/v1/play/{asset}.m3u8?session=a", headers={"User-Agent": CHROME}
        )
    uri, _ = _tag(answer)
    assert uri.startswith("https://play.example.com/ppp")
    assert uri.endswith(f"&session_name={session_name('a').hex()}")


async def steering(client: httpx.AsyncClient, url: str, pathway: str = "") -> dict[str, Any]:
    """An answer, to a player that says what it uses."""
    told = f"&_HLS_pathway={pathway}&_HLS_throughput=9000000" if pathway else ""
    return manifest(await client.get(f"{url}{told}"))


async def test_a_session_moves_between_copies(config: Path) -> None:
    """No clone is offered: the pathways of the playlist are all that there are. Each follows its
    edge, whatever the order is in which the session would try edges."""
    _change(config, "ports")
    app = application(config)
    async with asking(app) as client:
        answer = await client.get(f"{PLAYLIST}?session=a", headers={"User-Agent": CHROME})
        uri, pathway = _tag(answer)
        hosts = {
            found[0]: found[1]
            for found in re.findall(r'PATHWAY-ID="([^"]+)"\nhttps://([^/]+)/', answer.text)
        }
        assert {"e.example.com:9001", "e.example.com:9002", "e.example.com:9003"} == set(
            hosts.values()
        )
        body = await steering(client, uri, pathway)
        assert pathway == body["PATHWAY-PRIORITY"][0]
        assert set(hosts) == set(body["PATHWAY-PRIORITY"])
        assert "PATHWAY-CLONES" not in body
        app.keeper.judged("test", {pathway: EdgeCondition("down", 0.0)})
        body = await steering(client, body["RELOAD-URI"], pathway)
        moved = body["PATHWAY-PRIORITY"][0]
        assert moved in set(hosts) - {pathway}
        assert "PATHWAY-CLONES" not in body
        body = await steering(client, body["RELOAD-URI"], moved)
        assert moved == body["PATHWAY-PRIORITY"][0]


async def test_copies_of_edges_far_from_the_session(config: Path) -> None:
    """Of many equal edges, those that the playlist declares are considered in any case."""
    _change(config, "far")
    app = application(config)
    async with asking(app) as client:
        answer = await client.get(PLAYLIST, headers={"User-Agent": CHROME})
        uri, pathway = _tag(answer)
        declared = set(re.findall(r'PATHWAY-ID="([^"]+)"', answer.text))
        body = await steering(client, uri, pathway)
        assert declared == set(body["PATHWAY-PRIORITY"])
        app.keeper.judged("test", {pathway: EdgeCondition("down", 0.0)})
        body = await steering(client, body["RELOAD-URI"], pathway)
        assert body["PATHWAY-PRIORITY"][0] in declared - {pathway}


async def test_a_copy_whose_edge_has_moved_is_not_offered(config: Path) -> None:
    """The player has its old port."""
    _change(config, "ports")
    app = application(config)
    async with asking(app) as client:
        uri, pathway = _tag(await client.get(PLAYLIST, headers={"User-Agent": CHROME}))
        other, third = sorted({"e1", "e2", "e3"} - {pathway})
        moved = application(_moved(config, f":900{other[1]}", ":9999"))
        app.keeper.found("config", moved.gateway.fleet.edges)
        body = await steering(client, uri, pathway)
        assert {pathway, third} == set(body["PATHWAY-PRIORITY"])


def _moved(config: Path, port: str, to: str) -> Path:
    path = config.with_name("moved.toml")
    path.write_text(config.read_text().replace(port, to))
    return path


async def test_an_inline_manifest_of_copies(config: Path) -> None:
    """It has no clones."""
    _change(config, "ports")
    async with asking(application(config, INLINE)) as client:
        uri, pathway = _tag(
            await client.get(f"{PLAYLIST}?session=a", headers={"User-Agent": CHROME})
        )
    first = _inlined(uri)
    assert pathway == first["PATHWAY-PRIORITY"][0]
    assert {"e1", "e2", "e3"} == set(first["PATHWAY-PRIORITY"])
    assert "PATHWAY-CLONES" not in first


async def test_an_edge_that_drains_gets_no_copy(config: Path) -> None:
    """Those who come later are sent elsewhere, and those who share a playlist share its copies."""
    _change(config, "ports")
    app = application(config)
    app.keeper.judged("test", {"e2": EdgeCondition("draining", 0.0)})
    async with asking(app) as client:
        answer = await client.get(PLAYLIST, headers={"User-Agent": CHROME})
        assert {"e1", "e3"} == set(re.findall(r'PATHWAY-ID="([^"]+)"', answer.text))
