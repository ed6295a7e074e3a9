"""What is the least that an answer costs? Two servers that always give the same one.

    python -m tests.benchmark.bench_servers bare|starlette ANSWER

``bare`` is an ASGI callable and nothing else: what uvicorn itself costs. ``starlette`` has the
gateway's own route pattern in front of a constant answer. Both run on the same uvicorn, loop,
parser and settings as the gateway. ANSWER is a JSON file with headers and body.
"""

import json
import os
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import build
from gateway.config.load import load
from gateway.observe import logs
from gateway.serving.server import listen


def bare(headers: list[tuple[str, str]], body: bytes) -> ASGIApp:
    """The least that is an ASGI application."""
    raw = [(name.encode(), value.encode()) for name, value in headers]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    return app


def starlette(headers: list[tuple[str, str]], body: bytes) -> ASGIApp:
    """One route."""
    given = {name: value for name, value in headers if name != "content-length"}

    async def answer(request: Request) -> Response:
        assert request.path_params["asset"]
        return Response(body, 200, given)

    return Starlette(routes=[Route("/v1/play/{asset:path}", answer, methods=["GET", "HEAD"])])


def bare_from_environment() -> ASGIApp:
    """``bare`` for a server that calls a factory; BENCH_ANSWER is the file."""
    return bare(*_read(Path(os.environ["BENCH_ANSWER"])))


def gateway_from_environment() -> ASGIApp:
    """The gateway for a server that calls a factory; BENCH_CONFIG is its config."""
    loaded = load(Path(os.environ["BENCH_CONFIG"]), os.environ)
    logs.configure(loaded.settings.log.level, loaded.settings.log.format, waits=False)
    return build(loaded, os.environ, workers=1)


def _read(path: Path) -> tuple[list[tuple[str, str]], bytes]:
    answer = json.loads(path.read_text())
    return [(name, value) for name, value in answer["headers"]], answer["body"].encode()


def main(kind: str, path: Path) -> None:
    """Listen on a free port, print it, and serve until the process is ended."""
    make = {"bare": bare, "starlette": starlette}[kind]
    app = make(*_read(path))
    with listen("127.0.0.1", 0) as bound:
        print(bound.getsockname()[1], flush=True)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,
        )
        uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
