"""Out of file descriptors: noticed, logged once, and survived."""

import subprocess
import sys

SERVER = """
import asyncio, resource, socket, sys, threading, time
import uvloop
from gateway.observe import logs
from gateway.serving import file_descriptors
from gateway.serving.limits import ConnectionLimits
from gateway.serving.server_config import ServerConfig
from gateway.serving.uvicorn_server import GatewayServer
from tests.integration.connection_attacks import GET, echo

resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
file_descriptors.RESERVED = -1000  # connections may take them all
logs.configure()

def ask(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(GET)
        return sock.recv(100).split(b" ")[1:2] == [b"200"]

async def main():
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    server = GatewayServer(ServerConfig(echo, ConnectionLimits(), lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[bound]))
    await asyncio.sleep(0.5)
    assert await asyncio.to_thread(ask, port)
    taken = []
    try:
        while True:
            taken.append(socket.create_connection(("127.0.0.1", port)))
            await asyncio.sleep(0)
    except OSError as error:
        print("client:", error.strerror, file=sys.stderr)
    await asyncio.sleep(2.5)
    for sock in taken:
        sock.close()
    await asyncio.sleep(1.5)
    assert await asyncio.to_thread(ask, port)
    server.should_exit = True
    await task

uvloop.run(main())
"""


def test_out_of_file_descriptors() -> None:
    """One line when there are none left and one when there are again; and the server serves on."""
    ended = subprocess.run(
        [sys.executable, "-c", SERVER], capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == ended.returncode, ended.stderr
    events = ("out_of_file_descriptors", "file_descriptors_again", "Traceback")
    assert [1, 1, 0] == [ended.stderr.count(event) for event in events], ended.stderr
