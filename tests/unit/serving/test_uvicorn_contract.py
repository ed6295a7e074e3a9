"""What the gateway needs of uvicorn and httptools. A version that fails here is not to be used.

:mod:`gateway.serving.connection` lists what a server and its connections share; the supervisor
stands on uvicorn's own. Behaviour is tested by the other files of this folder.
"""

import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import httptools
import pytest
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.server import ServerState
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from gateway.serving.connection import Connection
from gateway.serving.limits import ConnectionLimits
from gateway.serving.server_config import ServerConfig
from tests.integration.connection_attacks import echo

SERVING = Path(__file__).parents[3] / "gateway" / "serving"


def test_a_server_shares_this_with_its_connections() -> None:
    """The attributes of ``ServerState`` that a connection uses, and nothing else of it."""
    state = vars(ServerState())
    used = set(re.findall(r"_server_state\.(\w+)", (SERVING / "connection.py").read_text()))
    expected = {"connections": set, "tasks": set, "total_requests": int, "default_headers": list}
    assert expected == {name: type(state[name]) for name in used}


async def test_a_server_makes_connections_like_this(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keyword arguments, an application that is loaded, and Date among the default headers."""
    made: list[dict[str, Any]] = []

    class Noted(Connection):
        def __init__(self, **named: Any) -> None:
            made.append(named)
            super().__init__(**named)

    monkeypatch.setattr("gateway.serving.connection.Connection", Noted)
    config = ServerConfig(echo, ConnectionLimits(), lifespan="off", host="127.0.0.1", port=0)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.1)
    names = [name for name, _ in server.server_state.default_headers]
    writer.close()
    server.should_exit = True
    await task
    assert [{"config", "server_state", "app_state", "_loop"}] == [set(named) for named in made]
    assert (echo, [b"date"]) == (config.loaded_app, names)


def test_a_server_stops_like_this() -> None:
    """It asks each connection to shut down, and waits until connections and tasks are gone."""
    source = inspect.getsource(uvicorn.Server)
    for line in (
        "connection.shutdown()",
        "while self.server_state.connections and not self.force_exit:",
        "while self.server_state.tasks and not self.force_exit:",
        "t.cancel(",
    ):
        assert line in source


def test_a_second_listener_stands_on_this() -> None:
    """``GatewayServer._listen``: a stop closes everything in ``servers``, and the lifespan has a
    state for connections."""
    source = inspect.getsource(uvicorn.Server)
    for line in ("self.servers", "for server in self.servers:", "app_state=self.lifespan.state"):
        assert line in source
    assert "server_state" in vars(uvicorn.Server(uvicorn.Config(echo)))


SUPERVISOR = {
    Multiprocess: (
        *("run", "init_processes", "keep_subprocess_alive", "handle_hup", "handle_ttin"),
        *("handle_signals", "terminate_all", "join_all"),
    ),
    Process: ("target", "start", "is_alive", "kill", "join", "terminate", "pid", "exitcode"),
    uvicorn.Server: ("startup", "shutdown", "serve", "run", "on_tick"),
}


@pytest.mark.parametrize("kind", SUPERVISOR, ids=lambda kind: kind.__name__)
def test_the_supervisor_extends_this(kind: type) -> None:
    """Methods that are overridden or called."""
    assert [] == [name for name in SUPERVISOR[kind] if not hasattr(kind, name)]


def test_the_supervisor_has_this(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attributes of an instance, and the exit code of a start that failed."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    supervisor = Multiprocess(uvicorn.Config(echo, workers=2), [])
    expected = {"config", "sockets", "processes", "processes_num", "should_exit", "signal_queue"}
    assert (2, 3) == (supervisor.processes_num, STARTUP_FAILURE)
    assert expected <= set(vars(supervisor))


def test_a_worker_has_this() -> None:
    """What ``WorkerProcess.is_alive`` uses: a pipe on which the worker answers each message."""
    worker = Process(uvicorn.Config(echo), [])
    assert {"parent_conn", "process"} <= set(vars(worker))
    assert hasattr(type(worker.process), "sentinel")
    source = inspect.getsource(Process)
    for line in ("self.child_conn.recv()", "self.child_conn.send(", "target=self.always_pong"):
        assert line in source


def test_httptools_has_this() -> None:
    """Methods of a parser that a reader calls. ``test_request_reader.py`` tests the callbacks."""
    source = (SERVING / "request_reader.py").read_text()
    used = set(re.findall(r"parser\.(\w+)\(", source))
    assert {"feed_data", "get_method", "get_http_version"} <= used
    assert used <= set(dir(httptools.HttpRequestParser))


def test_uvicorn_is_imported_for_this() -> None:
    """Every import of it in this package, so that no other part of it comes in unnoticed."""
    found = {
        line
        for path in SERVING.glob("*.py")
        for line in re.findall(r"^(?:from|import) uvicorn.*$", path.read_text(), re.MULTILINE)
    }
    assert {
        "import uvicorn",
        "from uvicorn.config import STARTUP_FAILURE",
        "from uvicorn.supervisors import Multiprocess",
        "from uvicorn.supervisors.multiprocess import Process",
    } == found
