"""MPDs of other projects, as the whole gateway answers with them."""

import xml.etree.ElementTree as ET
from pathlib import Path

import httpx
import pytest

from gateway.app import Application
from tests.integration.dash_titles import EDGES, put
from tests.integration.in_process import application, asking

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "dash"
MPD = "{urn:mpeg:dash:schema:mpd:2011}"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"NOT RUN: the corpus of MPDs is not at {CORPUS}"
)

SOURCES = {path.stem: path.read_bytes() for path in sorted(CORPUS.glob("*.mpd"))}
AGENTS = {
    "": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36",
    "?speed=500&session=a%26b": "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """A gateway that has them all."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, data in SOURCES.items():
        put(folder / "catalogue", f"{name}/manifest.mpd", data)
    config = folder / "gateway.toml"
    config.write_text(f'[source]\nkind = "directory"\nroot = "catalogue"\n{EDGES}')
    return application(config)


def parsed(data: bytes) -> ET.Element | None:
    """The MPD element; None for what is not well-formed."""
    try:
        return ET.fromstring(data)  # noqa: S314
    except ET.ParseError:
        return None


@pytest.mark.parametrize("name", SOURCES)
async def test_an_mpd_is_answered_and_refreshed(app: Application, name: str) -> None:
    """200 with well-formed XML wherever the source is an MPD that can be played. A live one leads
    to a URL that gives the same bytes; no other has a Location."""
    async with asking(app) as client:
        await _check(client, name)


async def _check(client: httpx.AsyncClient, name: str) -> None:
    source = parsed(SOURCES[name])
    for query, agent in AGENTS.items():
        headers = {"User-Agent": agent, "X-Forwarded-For": "129.240.2.6"}
        answer = await client.get(f"/v1/play/{name}.mpd{query}", headers=headers)
        decision = await client.get(f"/v1/play/{name}{query}", headers=headers)
        assert answer.status_code == decision.status_code
        if answer.status_code != 200:
            assert 502 == answer.status_code
            assert f"{name}/manifest.mpd" in answer.json()["detail"]
            assert source is None or source.find(f".//{MPD}Representation") is None
            continue
        found = parsed(answer.content)
        if found is None:
            assert source is None
            continue
        locations = [each.text or "" for each in found.findall(f"{MPD}Location")]
        assert (found.get("type") == "dynamic") == (len(locations) == 1)
        for url in locations:
            again = await client.get(url, headers=headers)
            assert (200, answer.content) == (again.status_code, again.content)
