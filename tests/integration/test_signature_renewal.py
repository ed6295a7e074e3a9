"""A film outlives the signatures of its URLs: what a player gets while it plays, at any moment, is
what its edge serves until the player's next request but one."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from gateway.app import Application
from gateway.edge.fleet import EdgeCondition
from gateway.play.tokens import CarriedOn
from tests.integration.in_process import application, asking
from tests.integration.test_steering import manifest

FILM = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="../shared/audio/en.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="a"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2400000,RESOLUTION=1280x720,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"
high.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,RESOLUTION=640x360,CODECS="avc1.4d401e",URI="i.m3u8"
"""
SECRETS = {"e1": "a" * 40, "e2": "a" * 40, "e3": "b" * 40}
LIFETIME_S, STEP_S, TTL_S = 120, 10, 30
CONFIG = """
[source]
kind = "directory"
root = "catalogue"

[steering]
ttl_s = {ttl_s}
copies = "{copies}"
"""
EDGE = """
[[edges]]
id = "{id}"
url = "https://{id}.example.com/v/"
fallback = true
[edges.signing]
scheme = "nginx"
keys = [{{ id = "k", secret = "{secret}" }}]
lifetime_s = {lifetime_s}
step_s = {step_s}
"""
URI = re.compile(r'^(https://\S+)$|URI="(https://[^"]+)"', re.MULTILINE)
ATTRIBUTE = re.compile(r'([A-Z-]+)=("[^"]*"|[^,]*)')
IDS = ("STABLE-VARIANT-ID", "STABLE-RENDITION-ID")


class Clock:
    """The time that the gateway's steering and its manifests see."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_003.0

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return installed(monkeypatch)


def installed(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock in the place of the real one."""
    found = Clock()
    for module in ("steering", "hls.answer", "play"):
        monkeypatch.setattr(f"gateway.play.{module}.time", found)
    return found


def app_of(
    folder: Path, edges: tuple[str, ...], copies: str = "needed", ttl_s: int = TTL_S
) -> Application:
    """A gateway with a title, and some of the edges."""
    (folder / "catalogue" / "film").mkdir(parents=True, exist_ok=True)
    (folder / "catalogue" / "film" / "master.m3u8").write_text(FILM)
    text = CONFIG.format(ttl_s=ttl_s, copies=copies) + "".join(
        EDGE.format(id=each, secret=SECRETS[each], lifetime_s=LIFETIME_S, step_s=STEP_S)
        for each in edges
    )
    (folder / "g.toml").write_text(text)
    return application(folder / "g.toml")


class Player:
    """A player that steers: it knows pathways, each with a URI for each entry, and never forgets or
    changes one (as hls.js)."""

    def __init__(self, client: httpx.AsyncClient, app: Application, clock: Clock) -> None:
        self.client, self.app, self.clock = client, app, clock
        self.pathways: dict[str, dict[str, str]] = {}
        self.current = self.next_url = ""
        self.ttl_s = 0

    async def start(self, query: str = "") -> Self:
        """Load the playlist."""
        answer = await self.client.get(f"/v1/play/film.m3u8{query}")
        assert 200 == answer.status_code
        self.text = answer.text
        lines = answer.text.splitlines()
        groups: dict[str, dict[str, str]] = {}
        for number, line in enumerate(lines):
            attributes = {name: text.strip('"') for name, text in ATTRIBUTE.findall(line)}
            if line.startswith("#EXT-X-CONTENT-STEERING"):
                self.current = attributes["PATHWAY-ID"]
                self.next_url = urljoin(str(answer.url), attributes["SERVER-URI"])
            elif line.startswith("#EXT-X-MEDIA:"):
                uris = groups.setdefault(attributes["GROUP-ID"], {})
                uris[attributes["STABLE-RENDITION-ID"]] = attributes["URI"]
            elif line.startswith(("#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF")):
                uris = self.pathways.setdefault(attributes["PATHWAY-ID"], {})
                uris[attributes["STABLE-VARIANT-ID"]] = attributes.get("URI") or lines[number + 1]
                uris.update(groups.get(attributes.get("AUDIO", ""), {}))
        self.check()
        return self

    async def ask(self) -> dict[str, Any]:
        """Load the next steering manifest, and obey."""
        url = f"{self.next_url}&_HLS_pathway={self.current}&_HLS_throughput=9000000"
        answer = await self.client.get(url)
        body = manifest(answer)
        self.next_url = urljoin(str(answer.url), body["RELOAD-URI"])
        self.ttl_s = body["TTL"]
        for clone in body.get("PATHWAY-CLONES", ()):
            if clone["ID"] not in self.pathways:
                base, replaced = self.pathways[clone["BASE-ID"]], clone["URI-REPLACEMENT"]
                given = {
                    **replaced.get("PER-VARIANT-URIS", {}),
                    **replaced.get("PER-RENDITION-URIS", {}),
                }
                self.pathways[clone["ID"]] = {
                    name: given.get(name) or _with_host(uri, replaced["HOST"])
                    for name, uri in base.items()
                }
        assert set(body["PATHWAY-PRIORITY"]) <= set(self.pathways)
        self.current = body["PATHWAY-PRIORITY"][0]
        self.priority = body["PATHWAY-PRIORITY"]
        return body

    def check(self, until_s: float | None = None, pathway: str = "") -> None:
        """Each URI of a pathway is served by its edge until then."""
        uris = self.pathways[pathway or self.current]
        assert 4 == len(uris)
        for uri in uris.values():
            for segment in (uri, uri.rpartition("/")[0] + "/1.ts"):
                assert self.refusal(segment, until_s or self.clock.now_s) is None, segment

    def refusal(self, url: str, now_s: float) -> str | None:
        """Why the edge would not serve a URL."""
        fleet = self.app.gateway.fleet
        edge = fleet.edges[fleet.positions[(urlsplit(url).hostname or "").split(".")[0]]]
        assert edge.signing is not None
        return edge.signing.signer.refusal(url, {}, now_s)

    @property
    def edge(self) -> str:
        """The edge that it plays from."""
        return self.current.partition(".")[0]


def _with_host(uri: str, host: str) -> str:
    return urlsplit(uri)._replace(netloc=host).geturl()


CHROME = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
}


@pytest.mark.parametrize(
    ("edges", "copies"),
    [
        pytest.param(("e1",), "needed", id="one edge"),
        pytest.param(("e1", "e2"), "needed", id="one key"),
        pytest.param(("e1", "e3"), "needed", id="two keys"),
        pytest.param(("e1", "e3"), "always", id="copies"),
    ],
)
async def test_a_film_outlives_its_signatures(
    tmp_path: Path, clock: Clock, edges: tuple[str, ...], copies: str
) -> None:
    """For an hour: all URIs of all pathways of an answer are good until the next request but
    one. A new pathway comes about twice in three of its lives, not with each answer."""
    app = app_of(tmp_path, edges, copies)
    async with asking(app) as client:
        client.headers.update(CHROME)
        player = await Player(client, app, clock).start()
        used, asked = {player.current}, 0
        while clock.now_s < 1_800_003_600:
            await player.ask()
            asked += 1
            used.add(player.current)
            assert player.ttl_s <= 33
            for pathway in player.priority:
                player.check(clock.now_s + 2 * player.ttl_s, pathway)
            clock.now_s += player.ttl_s
    assert 3600 / LIFETIME_S <= len(used) <= asked / 2 + 2
    assert {player.edge} == {pathway.partition(".")[0] for pathway in used}


@pytest.mark.parametrize("edges", [("e1", "e2"), ("e1", "e3")])
async def test_a_switch_of_edge_signs_anew(
    tmp_path: Path, clock: Clock, edges: tuple[str, ...]
) -> None:
    """Where both edges accept the signature, the clone is one that replaces the host, as before.
    Where they do not, or it ends too soon, each URI is given."""
    app = app_of(tmp_path, edges)
    async with asking(app) as client:
        player = await Player(client, app, clock).start()
        first = player.edge
        body = await player.ask()
        replaced = body["PATHWAY-CLONES"][0]["URI-REPLACEMENT"]
        assert ("HOST" in replaced) == (edges == ("e1", "e2"))
        for number in range(5):
            clock.now_s += player.ttl_s
            if number == 3:
                app.keeper.judged("drain", {first: EdgeCondition("down", 0.0)})
            await player.ask()
            player.check(clock.now_s + 2 * player.ttl_s)
    assert {first, player.edge} == set(edges)


async def test_requests_are_often_enough(tmp_path: Path, clock: Clock) -> None:
    """The TTL is a third of a signature's life at most."""
    app = app_of(tmp_path, ("e1", "e3"), ttl_s=300)
    async with asking(app) as client:
        player = await Player(client, app, clock).start()
        await player.ask()
        assert LIFETIME_S // 3 == player.ttl_s


async def test_a_source_that_changes(tmp_path: Path, clock: Clock) -> None:
    """Its entries are found by their ids, and none is given that needs more than the highest
    rung of the playlist."""
    app = app_of(tmp_path, ("e1",))
    async with asking(app) as client:
        player = await Player(client, app, clock).start()
        more = '#EXT-X-STREAM-INF:BANDWIDTH=9000000,CODECS="avc1.4d401f"\nbest.m3u8\n'
        (tmp_path / "catalogue" / "film" / "master.m3u8").write_text(f"{FILM}{more}")
        await app.gateway.runtime.source.purge("film")
        clock.now_s += LIFETIME_S - TTL_S
        body = await player.ask()
        player.check(clock.now_s + 2 * player.ttl_s)
        assert "best.m3u8" not in str(body)


async def test_without_its_source_a_player_keeps_what_it_has(tmp_path: Path, clock: Clock) -> None:
    """It is answered, and its clones stay."""
    app = app_of(tmp_path, ("e1",))
    async with asking(app) as client:
        player = await Player(client, app, clock).start()
        clock.now_s += LIFETIME_S - TTL_S
        await player.ask()
        (tmp_path / "catalogue" / "film" / "master.m3u8").write_text("garbage")
        await app.gateway.runtime.source.purge("film")
        answer = await client.get(player.next_url)
        assert 200 == answer.status_code
        assert "PATHWAY-CLONES" not in answer.json()


@pytest.fixture
def revoked(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on, no session may be renewed."""

    def carried_on(*_: object) -> CarriedOn:
        return CarriedOn(renews=False, grant="")

    return lambda: monkeypatch.setattr("gateway.play.steering.carried_on", carried_on)


def without(app: Application, edge: str, *, removed: bool) -> None:
    """Remove an edge, or take it down."""
    if removed:
        app.keeper.found("config", [one for one in app.gateway.fleet.edges if one.id != edge])
    else:
        app.keeper.judged("health", {edge: EdgeCondition("down", 0.0)})


@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("edges", [("e1", "e3"), ("e1", "e2")])
async def test_a_session_that_may_not_be_renewed_is_answered(
    tmp_path: Path,
    clock: Clock,
    revoked: Callable[[], None],
    edges: tuple[str, ...],
    removed: bool,
) -> None:
    """It moves to an edge for which it has a signature, and keeps its pathway where there is
    none."""
    app = app_of(tmp_path, edges)
    async with asking(app) as client:
        revoked()
        player = await Player(client, app, clock).start()
        first = player.edge
        without(app, first, removed=removed)
        await player.ask()
        moves = edges == ("e1", "e2") and not removed
        assert moves is (player.edge != first)
        if moves:
            player.check()
        assert player.current == (await player.ask())["PATHWAY-PRIORITY"][0]


async def renewed(client: httpx.AsyncClient, app: Application, clock: Clock) -> Player:
    """A player whose first signature has ended long ago."""
    player = await Player(client, app, clock).start()
    for _ in range(8):
        await player.ask()
        clock.now_s += TTL_S
    return player


async def test_a_renewed_session_that_loses_its_edge_keeps_its_last_signature(
    tmp_path: Path, clock: Clock, revoked: Callable[[], None]
) -> None:
    """Not its first one."""
    app = app_of(tmp_path, ("e1",))
    async with asking(app) as client:
        player = await renewed(client, app, clock)
        last = player.current
        assert last.startswith("e1.")
        revoked()
        other = replace(app.gateway.fleet.edges[0], id="e3", url="https://e3.example.com/v/")
        app.keeper.found("config", [other])
        assert [last] == (await player.ask())["PATHWAY-PRIORITY"]


async def test_who_may_not_be_renewed_gets_no_signature_for_one_that_has_ended(
    tmp_path: Path, clock: Clock, revoked: Callable[[], None]
) -> None:
    """Not under the name of the old one either."""
    app = app_of(tmp_path, ("e1",))
    async with asking(app) as client:
        player = await renewed(client, app, clock)
        last = player.current
        revoked()
        assert {last} == {one["ID"] for one in (await player.ask()).get("PATHWAY-CLONES", ())}
        clock.now_s += 2 * LIFETIME_S
        body = await player.ask()
        assert (last, None) == (body["PATHWAY-PRIORITY"][0], body.get("PATHWAY-CLONES"))
