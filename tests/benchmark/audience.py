"""What is asked of the servers? The audience of :mod:`tests.load.population`, as bytes on the wire.

- *warm*: ``WARM_REQUESTS`` requests, over and over: few enough for every cache to hold them;
- *new*: the audience goes on: known titles, known kinds of devices, new viewers and old ones;
- *cold*: nothing was seen before: each request has a User-Agent, an address prefix, an asset and
  (where it names one) a session of its own.
"""

import re
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from itertools import count

from tests.load.population import PlayRequest, Population

WARM_REQUESTS = 8_000
_SESSION = re.compile(r"[0-9a-f]+-[0-9]{6}")


@dataclass
class Audience:
    """Makes requests; equal seeds make equal ones in equal order."""

    population: Population = field(default_factory=Population)
    _numbers: "count[int]" = field(default_factory=count)
    _prefixes: set[int] = field(default_factory=set)

    def new(self, number: int) -> list[bytes]:
        """The next ``number`` requests."""
        return [rendered(self.population.next_request()) for _ in range(number)]

    def cold(self, number: int) -> list[bytes]:
        """The next ``number`` requests, none of which shares anything with another."""
        return [rendered(self._cold()) for _ in range(number)]

    def _cold(self) -> PlayRequest:
        while True:
            request = self.population.next_request()
            headers = dict(request.headers)
            prefix = prefix_of(headers["X-Forwarded-For"])
            if prefix not in self._prefixes:
                break
        self._prefixes.add(prefix)
        at = next(self._numbers)
        headers["User-Agent"] = f"{headers.get('User-Agent', '')} Build/{at:x}".strip()
        session = f"cold-{at:06}"
        if "CMCD-Session" in headers:
            headers["CMCD-Session"] = _SESSION.sub(session, headers["CMCD-Session"])
        return replace(
            request,
            path=f"/v1/play/cold/{at}",
            query=_SESSION.sub(session, request.query),
            headers=tuple(headers.items()),
        )


def rendered(request: PlayRequest) -> bytes:
    """One request as bytes on the wire."""
    lines = [f"GET {request.target()} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def prefix_of(address: str) -> int:
    """A number that names the /24 or, for IPv6, the /48 of an address."""
    parsed = ip_address(address)
    return int(parsed) >> (8 if parsed.version == 4 else 80)
