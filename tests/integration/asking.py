"""Sends raw bytes that no HTTP library would send, and reads the answer."""

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RawAnswer:
    """An answer as received; headers by lower-case name, the last line of each name."""

    status: int
    headers: dict[str, str]
    body: bytes
    head: bytes


def ask_raw(url: str, request: bytes, timeout_s: float = 10.0) -> RawAnswer:
    """Send ``request`` to the host of ``url`` and read until the other side closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=timeout_s) as connection:
        connection.sendall(request)
        received = b""
        while data := connection.recv(65536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return RawAnswer(int(status_line.split(" ")[1]), headers, body, head)


def get_raw(url: str, target: bytes, *headers: bytes, method: bytes = b"GET") -> RawAnswer:
    """One request for ``target`` exactly as it is written, on a connection of its own."""
    lines = [b"%s %s HTTP/1.1" % (method, target), b"Host: gateway.test", b"Connection: close"]
    return ask_raw(url, b"\r\n".join([*lines, *headers, b"", b""]))
