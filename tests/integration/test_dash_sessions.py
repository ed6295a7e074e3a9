"""Sessions of DASH: refreshes, leases, records, events, dead edges, new configs, large MPDs."""

import asyncio
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.app import Application
from gateway.cli import main
from gateway.config.load import load
from gateway.edge.fleet import EdgeCondition
from gateway.play import decide
from gateway.play.compression import compress
from gateway.store.connection.keys import session_name
from tests.integration.dash_titles import EDGES, mpd, playlist, put
from tests.integration.in_process import MEMORY, application, asking
from tests.integration.test_dash import bases, decision, heights, location, parsed
from tests.integration.threads import Threads, kind
from tests.unit.store.servers import until

DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36"
VIEWER = {"User-Agent": DESKTOP, "X-Forwarded-For": "129.240.2.6"}
LIVE = "/v1/play/live.mpd"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A catalogue."""
    folder = tmp_path / "catalogue"
    put(folder, "live/manifest.mpd", mpd("dynamic"))
    put(folder, "film/manifest.mpd", mpd())
    put(folder, "film/master.m3u8", playlist())
    return folder


def made(root: Path, more: str = "", **environ: str) -> Application:
    """A gateway over the catalogue."""
    config = root.parent / "gateway.toml"
    config.write_text(f'[source]\nkind = "directory"\nroot = "{root}"\n{EDGES}\n{more}')
    return application(config, environ)


def client_of(app: Application) -> httpx.AsyncClient:
    """A desktop in Oslo."""
    found = asking(app)
    found.headers.update(VIEWER)
    return found


async def test_a_dead_edge_is_followed_and_stays_left(root: Path) -> None:
    """The refresh after its death leads to another one, with the same filter; and when the first is
    back, the session stays where it is. A draining edge keeps its sessions."""
    app = made(root)
    async with app.lifespan(app), client_of(app) as client:
        first = await client.get(f"{LIVE}?speed=6000")
        [edge] = decision(first, "edge")
        app.keeper.judged("test", {edge: EdgeCondition("draining", 0.0)})
        assert [edge] == decision(await client.get(location(first.text)), "edge")
        app.keeper.judged("test", {edge: EdgeCondition("down")})
        moved = await client.get(location(first.text) + "&CMCD=mtp%3D100")
        assert [edge] != decision(moved, "edge")
        assert heights(first.text) == heights(moved.text)
        assert edge not in bases(moved.text)[0]
        app.keeper.judged("test", {})
        assert decision(moved, "edge") == decision(await client.get(location(moved.text)), "edge")
        assert [edge] == decision(await client.get(location(first.text)), "edge")


async def test_a_new_config_is_followed(root: Path) -> None:
    """What a profile allows changes with the next refresh; the edge stays. A change of edges alone
    leaves the filter as it is, though the speed has changed."""
    app = made(root)
    environ = {**MEMORY, "GATEWAY_PROFILES__WIFI__MAX_HEIGHT": "360"}
    config = root.parent / "gateway.toml"
    async with app.lifespan(app), client_of(app) as client:
        first = await client.get(f"{LIVE}?speed=6000")
        url = location(first.text)
        config.write_text(
            config.read_text() + '[[edges]]\nid = "new"\nurl = "https://new.example/"'
        )
        app._apply(load(config, MEMORY))
        again = await client.get(f"{url}&speed=90000")
        assert (heights(first.text), "wifi") == (heights(again.text), decision(again, "profile")[0])
        app._apply(load(config, environ))
        after = await client.get(f"{url}&speed=6000")
        assert {240, 360} == heights(after.text)
        assert decision(first, "edge") == decision(after, "edge")


async def test_a_new_config_reaches_what_is_in_the_cache(root: Path) -> None:
    """The state in the URL of refreshes is that of the config, so an MPD is written anew for it.
    With an old one no refresh would be pinned any more."""
    app = made(root)
    environ = {**MEMORY, "GATEWAY_PROFILES__FIBER__MAX_HEIGHT": "1440"}
    async with app.lifespan(app), client_of(app) as client:
        states = [location((await client.get(f"{LIVE}?speed=6000")).text)]
        app._apply(load(root.parent / "gateway.toml", environ))
        states += [location((await client.get(f"{LIVE}?speed=6000")).text)]
        assert states[0] != states[1]
        moved = await client.get(f"{states[1]}&speed=300")
        assert heights(moved.text) == heights((await client.get(states[1])).text)


@pytest.mark.parametrize("first", ["own", "others"])
async def test_a_refresh_names_the_session_as_its_player_does(root: Path, first: str) -> None:
    """Also where somebody else uses that id, so that the player has a session of its own; and where
    its network may begin no session."""
    limits = {"GATEWAY_RATE__NEW_SESSIONS_PER_MIN": "1"}
    app = made(root, **(limits if first == "own" else {}))
    async with app.lifespan(app), client_of(app) as client:
        if first == "others":
            await client.get(
                f"{LIVE}?session=s",
                headers={"User-Agent": "VLC/3", "X-Forwarded-For": "103.4.145.245"},
            )
            await until(lambda: app.gateway.sessions.fresh(session_name("s")) is not None)
        for name in ("s", "t", "u"):
            answer = await client.get(f"{LIVE}?session={name}")
            query = parse_qs(urlsplit(location(answer.text)).query)
            assert [name] == query["session"]
            assert 200 == (await client.get(location(answer.text))).status_code


async def test_leases_follow_sessions_and_not_refreshes(root: Path) -> None:
    """A session has one lease, which its refreshes renew. Without a name the first request takes
    one, and refreshes take none."""
    made(root)
    config = root.parent / "gateway.toml"
    config.write_text(config.read_text().replace("weight = 1", "weight = 1\ncapacity_mbps = 1000"))
    app = application(config)
    loads = app.gateway.leases._ledger
    async with client_of(app) as client:
        for query in ("?session=a", ""):
            answer = await client.get(f"{LIVE}{query}")
            before = sum(loads.load(edge) for edge in ("eu-1", "eu-2"))
            assert before > 0
            for _ in range(5):
                answer = await client.get(location(answer.text))
            assert before == sum(loads.load(edge) for edge in ("eu-1", "eu-2"))


async def test_a_record_names_the_edge_of_a_session(root: Path) -> None:
    """As after a playlist; HEAD and the JSON decision write none. What CMCD says of the speed
    counts for the session, whatever its MPD keeps."""
    app = made(root)
    async with client_of(app) as client:
        await client.head(f"{LIVE}?session=s")
        await client.get("/v1/play/live?session=s&format=dash")
        record, _ = await app.gateway.sessions.get("s")
        assert record.edge_of("live") is None
        answer = await client.get(f"{LIVE}?session=s")
        record, _ = await app.gateway.sessions.get("s")
        assert decision(answer, "edge") == [record.edge_of("live")]
        await client.get(location(answer.text) + "&CMCD=mtp%3D4000")
        record, _ = await app.gateway.sessions.get("s")
        assert record.estimate is not None
        assert 4000 == record.estimate.samples[-1].kbps


async def test_a_refresh_is_no_decision_event(root: Path) -> None:
    """The first answer is one, and so is one from another edge; HEAD and 304 are none."""
    app = made(root, "[sessions]\nenabled = true\n")
    offered: list[Any] = []
    app.gateway.events.offer = lambda recipe, *_, **__: offered.append(recipe())  # type: ignore[method-assign]
    async with client_of(app) as client:
        first = await client.get(f"{LIVE}?session=s&speed=6000")
        url = location(first.text)
        for _ in range(3):
            await client.get(f"{url}&CMCD=mtp%3D300")
        await client.head(f"{LIVE}?session=t")
        tag = {"If-None-Match": first.headers["ETag"]}
        assert 304 == (await client.get(url, headers=tag)).status_code
        assert 1 == len(offered)
        assert ("live", "wifi", 4) == (offered[0].asset, offered[0].profile, offered[0].rungs)
        app.keeper.judged("test", {offered[0].edge: EdgeCondition("down")})
        await client.get(url)
        assert 2 == len(offered)
        assert offered[0].edge != offered[1].edge


async def test_a_live_programme_may_be_announced_before_it_begins(root: Path) -> None:
    """Its MPD has no Representation yet: it is served as it is, and refreshed."""
    text = mpd("dynamic", heights=())
    empty = text[: text.index("    <AdaptationSet")] + text[text.index("  </Period>") :]
    put(root, "soon/manifest.mpd", empty)
    app = made(root)
    async with client_of(app) as client:
        answer = await client.get("/v1/play/soon.mpd?session=s")
        assert 200 == answer.status_code
        assert ["0"] == decision(answer, "rungs")
        assert 200 == (await client.get(location(answer.text))).status_code
        assert [] == (await client.get("/v1/play/soon")).json()["ladder"]


async def test_a_title_that_ends_stops_its_refreshes(root: Path) -> None:
    """A live MPD that becomes static has no Location any more, and a state at it does no harm."""
    app = made(root)
    async with client_of(app) as client:
        first = await client.get(f"{LIVE}?speed=6000")
        put(root, "live/manifest.mpd", mpd())
        await app.gateway.runtime.source.purge("live")
        last = await client.get(location(first.text))
        assert (200, heights(first.text)) == (last.status_code, heights(last.text))
        assert "<Location" not in last.text
        assert "private, max-age=5" == last.headers["Cache-Control"]


async def test_an_mpd_beyond_the_bounds(root: Path) -> None:
    """502 that says what is allowed; a title beside it plays."""
    put(root, "long/manifest.mpd", mpd() + f"<!--{'x' * 30_000}-->")
    put(
        root,
        "deep/manifest.mpd",
        mpd().replace("</Period>", "<a>" * 100 + "</a>" * 100 + "</Period>"),
    )
    app = made(root, "[limits]\nmax_playlist_bytes = 20000\n")
    async with client_of(app) as client:
        for asset in ("long", "deep"):
            answer = await client.get(f"/v1/play/{asset}.mpd")
            assert 502 == answer.status_code, asset
            assert f"{asset}/manifest.mpd" in answer.json()["detail"]
        assert 200 == (await client.get("/v1/play/film.mpd")).status_code


def many(count: int) -> str:
    """An MPD of so many Representations."""
    one = '<Representation id="r{0}" bandwidth="{0}" width="640" height="360"/>'
    every = "".join(one.format(number) for number in range(1, count + 1))
    text = mpd("dynamic", heights=(240,))
    at = text.index("      <Representation")
    return text[:at] + every + text[at:]


@pytest.mark.parametrize("count", [2, 4_900])
async def test_what_is_large_is_computed_in_a_thread(
    root: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading, fitting, writing and compressing; and other requests are answered meanwhile."""
    put(root, "many/manifest.mpd", many(count))
    app = made(root, "[limits]\nmax_playlist_bytes = 16000000\nlocal_cache_bytes = 200000000\n")
    threads = Threads()
    noted = threads.noted
    monkeypatch.setattr("gateway.play.bodies.compress", noted("compress", compress))
    draft = "gateway.play.dash.answer.DashDraft.write"
    monkeypatch.setattr(draft, noted("write", _attribute(draft)))
    monkeypatch.setattr(
        "gateway.decision.fit_all", noted("fit", _attribute("gateway.decision.fit_all"))
    )
    here = kind()
    async with client_of(app) as client:
        large = asyncio.create_task(
            client.get("/v1/play/many.mpd", headers={"Accept-Encoding": "gzip"})
        )
        answered = 0
        while not large.done():
            assert 200 == (await client.get("/livez")).status_code
            answered += 1
            await asyncio.sleep(0.005)
        assert 200 == (await large).status_code
    where = here if count < decide.INLINE_RUNGS else "offload"
    assert {"compress": where, "write": where, "fit": where} == threads.by_name
    assert answered > (5 if count > decide.INLINE_RUNGS else 0)


async def test_more_elements_than_allowed(root: Path) -> None:
    """502 for 100,000 Representations, and others are answered meanwhile."""
    put(root, "many/manifest.mpd", many(100_000))
    app = made(root, "[limits]\nmax_playlist_bytes = 16000000\n")
    async with client_of(app) as client:
        large = asyncio.create_task(client.get("/v1/play/many.mpd"))
        answered = 0
        while not large.done():
            assert 200 == (await client.get("/livez")).status_code
            answered += 1
            await asyncio.sleep(0.005)
        assert 502 == (await large).status_code
        assert "elements" in (await large).json()["detail"]
    assert answered > 3  # a reader that held the loop would let one or two pass


def _attribute(path: str) -> Any:
    """The object at a dotted path."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(__import__(module, fromlist=[name]), name)
    except ModuleNotFoundError:
        return getattr(_attribute(module), name)


def explain(root: Path, *arguments: str) -> Result:
    """Run ``gateway explain`` to its end."""
    made(root)
    config = str(root.parent / "gateway.toml")
    return CliRunner().invoke(main, ["explain", *arguments, "--offline", "--config", config])


def test_explain_an_mpd(root: Path) -> None:
    """By its suffix, or when the title has nothing else; the ladder names Representations."""
    viewer = ["--user-agent", DESKTOP, "--ip", "129.240.2.6", "--speed", "900"]
    found = explain(root, "film.mpd", *viewer)
    assert 0 == found.exit_code, found.output
    assert "360p     500 kbit/s  avc1.64001f                    v360" in found.output
    assert explain(root, "film", *viewer).output.count("m3u8") == 4
    alone = explain(root, "live", "--manifest", *viewer)
    assert "v1080" in alone.output
    text = alone.output[alone.output.index("<?xml") :]
    assert {240, 360, 720, 1080} == heights(text.strip().partition("?>")[2])
    assert 1 == explain(root, "film/no.mpd", *viewer).exit_code


def test_explain_names_the_faults_of_an_mpd(root: Path) -> None:
    """By element, line and clause; those of a playlist beside it are not listed."""
    put(root, "film/manifest.mpd", mpd().replace('id="v720"', 'id="v 720"'))
    found = explain(root, "film.mpd", "--user-agent", DESKTOP, "--ip", "129.240.2.6")
    assert 0 == found.exit_code
    assert "faults of the source" in found.output
    assert "MPD/Period[1]/AdaptationSet[1]/Representation[3], line 10: 23009-1" in found.output
    other = explain(root, "film.m3u8", "--user-agent", DESKTOP, "--ip", "129.240.2.6")
    assert "faults of the source" not in other.output


def test_check_refuses_one_path_for_both_formats(root: Path) -> None:
    """One file cannot be both."""
    made(root, "").gateway.runtime.source  # noqa: B018
    config = root.parent / "gateway.toml"
    config.write_text(
        config.read_text().replace("[source]", '[source]\nhls = "{asset}/manifest.mpd"')
    )
    found = CliRunner().invoke(main, ["check", str(config)])
    assert 1 == found.exit_code
    assert "source.dash" in found.output
    assert "is the same as source.hls" in found.output


async def test_json_of_a_large_ladder_is_valid(root: Path) -> None:
    """The ids of Representations are any text."""
    put(root, "odd/manifest.mpd", mpd(heights=(240,)).replace('"v240"', '"v&quot;&lt;\u2603"'))
    app = made(root)
    async with client_of(app) as client:
        found = json.loads((await client.get("/v1/play/odd")).content)
        assert 'v"<\u2603' == found["ladder"][0]["id"]
        answer = await client.get("/v1/play/odd.mpd")
        assert isinstance(parsed(answer.content), ET.Element)
