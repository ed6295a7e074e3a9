"""A port for a server that a test starts, stops and starts again on the same port."""

import random
import socket
import time
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST = 10_000
_ATTEMPTS = 100
_START_S = 30.0
_random = random.SystemRandom()


def free_port() -> int:
    """A free TCP port on the loopback address.

    It lies below the ports that the kernel gives to connections and to servers that take any port.
    Otherwise it could give this one to somebody before the server has bound it, or while the server
    is down.
    """
    above = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    for _ in range(_ATTEMPTS):
        port = _random.randrange(_FIRST, max(above, _FIRST + 1000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {_FIRST} to {above}")


def wait_for_port(port: int, host: str = "127.0.0.1") -> None:
    """Wait until a server that was started listens; fails the test if it does not."""
    until = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, f"nothing listens on {host} port {port}"
            time.sleep(0.02)
        else:
            return
