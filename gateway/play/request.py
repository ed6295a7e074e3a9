"""Which headers of a request does the gateway read?"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

READ = {
    name.encode("ascii"): name
    for name in (
        "accept-encoding",
        "cmcd-object",
        "cmcd-request",
        "cmcd-session",
        "cmcd-status",
        "downlink",
        "ect",
        "forwarded",
        "if-none-match",
        "save-data",
        "sec-ch-ua-form-factors",
        "sec-ch-ua-mobile",
        "sec-ch-ua-model",
        "sec-ch-ua-platform",
        "sec-ch-ua-platform-version",
        "user-agent",
        "x-forwarded-for",
    )
}
"""Every header that an answer may depend on, but for what the envelope reads."""
_LISTED = {"forwarded", "x-forwarded-for"}


class Headers(NamedTuple):
    """Those that are read, by lower-case name, and the forwarding ones line by line, in order."""

    by_name: Mapping[str, str]
    forwarded: tuple[str, ...]
    x_forwarded_for: tuple[str, ...]

    def get(self, name: str) -> str | None:
        """The value of a header, by its lower-case name."""
        return self.by_name.get(name)


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers as ASGI gives them: lower-case names, Latin-1 bytes.

    Lines of one name are one list (RFC 9110, 5.3).
    """
    by_name: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    for given, value in raw:
        name = READ.get(given)
        if name is None:
            continue
        text = value.decode("latin-1")
        if name in _LISTED:
            lines.setdefault(name, []).append(text)
        elif name in by_name:
            by_name[name] = f"{by_name[name]}, {text}"
        else:
            by_name[name] = text
    if not lines:
        return Headers(by_name, (), ())
    forwarded = tuple(lines.get("forwarded", ()))
    return Headers(by_name, forwarded, tuple(lines.get("x-forwarded-for", ())))
