"""Reads the body of a request, of bounded size."""

from starlette.types import Receive

from gateway.play import problems


async def read_body(receive: Receive, most: int) -> bytes:
    """The request's body. Raises a 413 problem when it is larger than ``most`` bytes, and a 400
    problem when it ends early."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise problems.bad_body("the body ended early")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise problems.body_too_large(most)
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)
