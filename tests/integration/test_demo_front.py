"""The demo's front: requests of the page, forwarded as the device that it names."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from demo.edges import HOST, listen, serve
from demo.front import with_page
from demo.viewers import DEVICES, PRESETS, Networks, Viewer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def asked(request: Request) -> Response:
    """What reached the gateway."""
    return JSONResponse(dict(request.headers))


async def much(_: Request) -> Response:
    """100 kB."""
    return Response(bytes(100_000))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a front, before a server that says what it was asked."""
    behind = Starlette(routes=[Route("/asked", asked), Route("/much", much)])
    page = Starlette(routes=[Route("/demo", lambda _: PlainTextResponse("the page"))])
    with listen(HOST, 0) as bound:
        url = f"http://{HOST}:{bound.getsockname()[1]}"
        async with (
            serve(with_page(page, behind), bound, lifespan=False),
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
        ):
            yield client


@pytest.mark.parametrize("device", DEVICES)
async def test_a_device_asks_with_its_own_headers(http: httpx.AsyncClient, device: str) -> None:
    """User-Agent and hints are those of the device, none of the browser's; the place stays."""
    browsers = {
        "User-Agent": "Browser",
        "Sec-CH-UA": "Browser",
        "Sec-CH-UA-Model": '"Pixel"',
        "X-Forwarded-For": "103.4.145.245",
        "Demo-Viewer": f"id=a, device={device}",
    }
    got = (await http.get("/asked", headers=browsers)).json()
    expected = {"user-agent": DEVICES[device].user_agent, **DEVICES[device].hints}
    kept = {name: got.get(name) for name in ("user-agent", "sec-ch-ua", "sec-ch-ua-model")}
    assert {name: expected.get(name) for name in kept} == kept
    assert ("103.4.145.245", None) == (got["x-forwarded-for"], got.get("demo-viewer"))


async def test_without_the_header_nothing_changes(http: httpx.AsyncClient) -> None:
    """Other clients reach the gateway as they are."""
    got = (await http.get("/asked", headers={"User-Agent": "curl", "Sec-CH-UA": "x"})).json()
    assert ("curl", "x") == (got["user-agent"], got["sec-ch-ua"])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "id='' is not allowed: 1 to 64 of"),
        ("id=a, device=toaster", "device='toaster' is not allowed: phone, tablet, laptop, tv"),
        ("id=a, kbps=0", "kbps='0' is not allowed: 1 to 1000000"),
        ("id=a, kbps=fast", "kbps='fast' is not allowed: 1 to 1000000"),
    ],
)
async def test_a_malformed_viewer_is_refused(
    http: httpx.AsyncClient, value: str, said: str
) -> None:
    """With what is wrong and what is allowed."""
    answer = await http.get("/asked", headers={"Demo-Viewer": value})
    assert 400 == answer.status_code
    assert said in answer.text


async def test_the_network_paces_the_gateway(http: httpx.AsyncClient) -> None:
    """100 kB take a second at 800 kbit/s: what a page measures is the network that it chose."""
    begun = time.monotonic()
    answer = await http.get("/much", headers={"Demo-Viewer": "id=a, kbps=800"})
    assert 100_000 == len(answer.content)
    assert 0.9 < time.monotonic() - begun < 3


async def test_a_client_that_leaves_takes_no_more(http: httpx.AsyncClient) -> None:
    """After a download that was given up, the network is free at once."""
    slow = {"Demo-Viewer": "id=leaver, kbps=80"}  # ten seconds for the whole
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await http.get("/much", headers=slow)
    begun = time.monotonic()
    await http.get("/asked", headers=slow)
    assert time.monotonic() - begun < 5


async def test_the_root_leads_to_the_page(http: httpx.AsyncClient) -> None:
    """One redirect."""
    answer = await http.get("/", follow_redirects=True)
    assert ("/demo", "the page") == (answer.url.path, answer.text)


async def test_old_networks_are_forgotten() -> None:
    """At most so many are kept, those that were used lately."""
    networks = Networks(most=2)
    first = networks.of(Viewer("a", kbps=8))
    networks.of(Viewer("b"))
    assert networks.of(Viewer("a", kbps=16)) is first
    networks.of(Viewer("c"))
    assert (2000, True) == (first.bytes_per_s, networks.of(Viewer("a", kbps=16)) is first)
    assert None is networks.of(Viewer("b")).bytes_per_s


async def test_presets_name_devices_that_there_are() -> None:
    """Their headers are read again as they were meant."""
    for _, device, _, kbps in PRESETS:
        text = f"id=a-1, device={device}, kbps={kbps}"
        assert Viewer("a-1", device, kbps) == Viewer.parse(text)
    assert json.dumps(PRESETS)
