"""Which URLs may an edge that registers itself have? (Pure.)

A pattern is a URL whose host may begin with ``*.`` (any name below it) or be ``*`` (any host), and
whose port may be ``*``: ``https://*.cdn.example.com/videos/``.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_PATTERN = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,252})|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>\*|[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~/-]*)"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class UrlPattern:
    """A parsed pattern. ``port`` is None where any will do; ``path`` ends with a slash."""

    scheme: str
    host: str
    port: int | None
    path: str

    @classmethod
    def of(cls, text: str) -> "UrlPattern":
        """Parse a pattern. Raises ValueError."""
        found = _PATTERN.fullmatch(text)
        if found is None or ".." in found["path"].split("/"):
            raise ValueError("is not a pattern of URLs")
        scheme, port = found["scheme"], found["port"]
        number = _DEFAULT_PORTS[scheme] if port is None else None if port == "*" else int(port)
        path = found["path"].rstrip("/") + "/"
        return cls(scheme, found["host"].strip("[]"), number, path)

    def matches(self, url: str) -> bool:
        """Whether a URL of an edge, which the config's check has passed, is one of these."""
        try:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            return False
        if parts.scheme != self.scheme or (self.port is not None and port != self.port):
            return False
        path = unquote(parts.path)
        if not {".", ".."}.isdisjoint(path.split("/")) or "\\" in path:
            return False  # a player would go elsewhere
        return path.startswith(self.path) and self._has_host(parts.hostname or "")

    def _has_host(self, host: str) -> bool:
        name = host.removesuffix(".").lower()
        if self.host.startswith("*."):
            return name.endswith(self.host[1:]) and len(name) > len(self.host) - 1
        return bool(name) and self.host in {"*", name}
