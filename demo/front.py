"""What players reach: the demo's page, and the gateway behind a small proxy.

The proxy does for the page what a real device and a real network would do: requests with a
``Demo-Viewer`` header are forwarded with the headers of the device that it names, and answered at
the speed of its network. The gateway knows nothing of it.
"""

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.token_bucket import paced
from demo.viewers import DEVICES, HEADER, Networks, Viewer

_OF_THE_BROWSER = (b"user-agent", b"sec-ch-", b"save-data", b"downlink", b"ect", b"rtt")
_READS = ("GET", "HEAD")


def with_page(page: ASGIApp, gateway: ASGIApp, networks: Networks | None = None) -> ASGIApp:
    """An app that sends ``/demo`` and paths below it to ``page``, and all else to the gateway.
    ``/`` leads to the page."""
    known = Networks() if networks is None else networks

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == "/demo" or path.startswith("/demo/"):
            await page(scope, receive, send)
        elif path == "/" and scope["method"] in _READS:
            await RedirectResponse("/demo")(scope, receive, send)
        elif scope["type"] == "http":
            await _forward(gateway, known, scope, receive, send)
        else:
            await gateway(scope, receive, send)

    return app


async def _forward(
    gateway: ASGIApp, networks: Networks, scope: Scope, receive: Receive, send: Send
) -> None:
    """Forward a request as the viewer's device, over the viewer's network."""
    try:
        viewer = viewer_of(scope)
    except ValueError as error:
        await PlainTextResponse(f"Demo-Viewer: {error}\n", status_code=400)(scope, receive, send)
        return
    if viewer is None:
        await gateway(scope, receive, send)
        return
    forwarded = as_device(scope, viewer)
    if scope["method"] in _READS:
        await paced(gateway, forwarded, receive, send, [networks.of(viewer)])
    else:
        await gateway(forwarded, receive, send)


def viewer_of(scope: Scope) -> Viewer | None:
    """The viewer of a request; None without the header. Raises ValueError for a malformed one."""
    for name, value in scope["headers"]:
        if name == HEADER.encode():
            return Viewer.parse(value.decode("latin-1"))
    return None


def as_device(scope: Scope, viewer: Viewer) -> Scope:
    """The request as the viewer's device would send it: its User-Agent and client hints, none of
    the browser's. Without a device, only the header itself is removed."""
    headers = [(name, value) for name, value in scope["headers"] if name != HEADER.encode()]
    if viewer.device is not None:
        device = DEVICES[viewer.device]
        given = {"user-agent": device.user_agent, **device.hints}
        headers = [each for each in headers if not each[0].startswith(_OF_THE_BROWSER)]
        headers += [(name.encode(), value.encode()) for name, value in given.items()]
    return {**scope, "headers": headers}
