"""A complete answer: status, headers and body, built before anything is sent."""

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from gateway.decision import Decision

RawHeaders = tuple[tuple[bytes, bytes], ...]
"""Header lines in ASGI's form: lower-case names, Latin-1 values."""


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class Reply:
    """A finished answer. One with a body has a Content-Length. ``stream`` gives a body that is made
    while it is sent, instead of ``body``; it is closed at its end, or when the client has gone.
    ``is_public``: shared caches may keep the answer, so it gets no header that depends on the
    request. ``decision`` is what it is about, and ``cache`` where that came from (a
    ``CacheStatus``). ``stages``: when its steps began, and when each of them ended
    (``time.perf_counter``). ``sent_bytes`` is how much of the body was handed to the connection."""

    status: int
    headers: RawHeaders
    body: bytes
    stream: Generator[bytes] | AsyncGenerator[bytes] | None = None
    is_public: bool = False
    decision: Decision | None = None
    cache: str | None = None
    sent_bytes: int = 0
    stages: tuple[float, Sequence[tuple[str, float]]] | None = None

    @classmethod
    def of(
        cls,
        status: int,
        body: bytes = b"",
        media_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """An answer from text headers; Content-Type and Content-Length are added."""
        lines = [(name.lower(), value) for name, value in (headers or {}).items()]
        if media_type is not None:
            lines += [("content-type", media_type), ("content-length", str(len(body)))]
        encoded = ((name.encode("ascii"), value.encode("latin-1")) for name, value in lines)
        return cls(status, tuple(encoded), body)
