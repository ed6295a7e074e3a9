"""Everything that the gateway reads from a request, parsed once.

:data:`READ_HEADERS` lists all request headers that the gateway reads. ``Vary``, ``Accept-CH`` and
most of what CORS allows are derived from it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.client.limits import ParameterError, RequestParameters, parse_parameters
from gateway.play import problems


class ReadHeader(NamedTuple):
    """A request header that the gateway reads. ``vary``: the manifest may depend on it (F4).
    ``hint``: browsers send it when ``Accept-CH`` asks. ``cors``: scripts need permission to send
    it."""

    name: str
    vary: bool = False
    hint: bool = False
    cors: bool = False


READ_HEADERS = (
    ReadHeader("Accept-Encoding", vary=True),
    ReadHeader("User-Agent", vary=True),
    ReadHeader("Sec-CH-UA", vary=True, cors=True),
    ReadHeader("Sec-CH-UA-Mobile", vary=True, cors=True),
    ReadHeader("Sec-CH-UA-Platform", vary=True, cors=True),
    ReadHeader("Sec-CH-UA-Platform-Version", vary=True, hint=True, cors=True),
    ReadHeader("Sec-CH-UA-Model", vary=True, hint=True, cors=True),
    ReadHeader("Sec-CH-UA-Form-Factors", vary=True, hint=True, cors=True),
    ReadHeader("Save-Data", vary=True, cors=True),
    # Browsers vary Downlink and RTT on purpose. With them in Vary, a cache would never hit (F2).
    ReadHeader("Downlink", hint=True, cors=True),
    ReadHeader("ECT", vary=True, hint=True, cors=True),
    ReadHeader("RTT", hint=True, cors=True),
    ReadHeader("CMCD-Object", vary=True, cors=True),
    ReadHeader("CMCD-Request", vary=True, cors=True),
    ReadHeader("CMCD-Session", vary=True, cors=True),
    ReadHeader("CMCD-Status", vary=True, cors=True),
    # The manifest depends on the token's limits, so a browser's cache must tell tokens apart.
    ReadHeader("Authorization", vary=True, cors=True),
    ReadHeader("CTA-Common-Access-Token", vary=True, cors=True),
    ReadHeader("Cookie"),  # only for tokens.cookies; those answers vary on it
    ReadHeader("If-None-Match", cors=True),
    ReadHeader("X-Request-ID", cors=True),
    ReadHeader("Content-Type"),
    ReadHeader("Content-Encoding"),
    ReadHeader("Origin"),
    ReadHeader("Host"),
    # Vary cannot name the client's address, so answers have Cache-Control: private.
    ReadHeader("Forwarded"),
    ReadHeader("X-Forwarded-For"),
    ReadHeader("X-Forwarded-Proto"),
)
"""Every request header that an answer may depend on, besides those that a token names."""

VARY = ", ".join(header.name for header in READ_HEADERS if header.vary)
ACCEPT_CH = ", ".join(header.name for header in READ_HEADERS if header.hint)

_NAMES = {header.name.lower().encode("ascii"): header.name.lower() for header in READ_HEADERS}
_FORWARDED, _X_FORWARDED_FOR = _NAMES[b"forwarded"], _NAMES[b"x-forwarded-for"]
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Headers(NamedTuple):
    """The headers by lower-case name. Forwarding headers are kept as separate lines, in order.
    ``lines`` are those of all headers, also of others than :data:`READ_HEADERS`."""

    by_name: Mapping[str, str]
    forwarded: tuple[str, ...] = ()
    x_forwarded_for: tuple[str, ...] = ()
    lines: Sequence[tuple[bytes, bytes]] = ()

    def get(self, name: str) -> str | None:
        """The value of a header, by its lower-case name."""
        return self.by_name.get(name)

    def any(self, name: str) -> str | None:
        """The value of any header, by its lower-case name, for a token that names it (``cath``)."""
        if name in self.by_name:
            return self.by_name[name]
        sent = name.encode()
        found = [value.decode("latin-1") for given, value in self.lines if given == sent]
        return ", ".join(found) if found else None


NO_HEADERS = Headers({})


@dataclass(slots=True)  # not frozen, which costs a call for each field: every request makes one
class Request:
    """One request. ``path`` is percent-decoded; ``peer`` is the remote address of the connection,
    ``server`` the local one. ``by_operator``: an operator asks what a player would get."""

    method: str
    path: str
    query: bytes
    headers: Headers
    peer: str | None
    scheme: str
    server: str
    parameters: RequestParameters
    by_operator: bool = False

    @property
    def base_url(self) -> str:
        """The URL of this connection, such as ``https://gateway.example``: from the Host header if
        it is valid, else from the local address. Behind a proxy, the client's may be another one
        (:func:`gateway.play.base_url.base_url_of`)."""
        host = self.headers.get("host") or ""
        return f"{self.scheme}://{host if _HOST.fullmatch(host) else self.server}"


def read_headers(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Read headers as ASGI gives them: lower-case names, Latin-1 bytes.

    Lines with the same name form one list (RFC 9110, 5.3); cookies have a list of their own
    (RFC 9113, 8.2.3).
    """
    by_name: dict[str, str] = {}
    forwarded: list[str] = []
    x_forwarded_for: list[str] = []
    for given, value in raw:
        name = _NAMES.get(given)
        if name is None:
            continue
        text = value.decode("latin-1")
        if name is _X_FORWARDED_FOR:
            x_forwarded_for.append(text)
        elif name is _FORWARDED:
            forwarded.append(text)
        elif name in by_name:
            between = "; " if name == "cookie" else ", "
            by_name[name] = f"{by_name[name]}{between}{text}"
        else:
            by_name[name] = text
    return Headers(by_name, tuple(forwarded), tuple(x_forwarded_for), raw)


def read_query(query: bytes) -> RequestParameters:
    """Read the query parameters. Raises a 400 problem that names a malformed one."""
    try:
        return parse_parameters(query)
    except ParameterError as error:
        raise problems.bad_parameter(error.name, str(error)) from error
