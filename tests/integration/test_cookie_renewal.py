"""Signatures in cookies are renewed by steering manifests, for sessions alone."""

import re
import time
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from tests.integration.dash_titles import mpd, playlist
from tests.integration.in_process import application, asking

CONFIG = """
[server]
public_url = "https://play.example.com/"
cors_origins = ["https://page.example.com"]

[source]
kind = "directory"
root = "catalogue"
"""
EDGE = """
[[edges]]
id = "{id}"
url = "https://{id}.example.com/v/"
fallback = true
[edges.signing]
scheme = "akamai"
carrier = "cookie"
cookie_domain = "example.com"
keys = [{{ id = "k", secret = "{secret}" }}]
"""


def values_of(answer: httpx.Response) -> dict[str, str]:
    """The cookies of an answer."""
    found = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        found.load(line)
    return {name: cookie.value for name, cookie in found.items()}


@pytest.mark.parametrize("name", ["film.m3u8", "film.mpd"])
async def test_steering_manifests_renew_cookies(tmp_path: Path, name: str) -> None:
    """The edge serves the film with them. Who brings no state gets none."""
    film = tmp_path / "catalogue" / "film"
    film.mkdir(parents=True)
    (film / "master.m3u8").write_text(playlist())
    (film / "manifest.mpd").write_text(mpd())
    secret = "0a" * 32
    edges = [EDGE.format(id=each, secret=secret) for each in ("e1", "e2")]
    (tmp_path / "g.toml").write_text("".join([CONFIG, *edges]))
    app = application(tmp_path / "g.toml")
    async with asking(app) as client:
        answer = await client.get(f"/v1/play/{name}")
        found = re.search(r"https://play[^\"<]*/v1/steering/[^\"<]+", answer.text)
        assert found is not None
        steered = await client.get(found[0])
        edge = app.gateway.fleet.edges[0]
        assert edge.signing is not None
        url = f"{edge.url}film/240/1.m4s"
        assert edge.signing.signer.refusal(url, values_of(steered), time.time()) is None
        stranger = await client.get("/v1/steering/film?_HLS_pathway=e1")
        assert "set-cookie" not in stranger.headers
