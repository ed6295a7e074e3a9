"""What is asked of the servers? Three mixes of requests, as bytes on the wire.

- *real*: what real players send (:mod:`tests.benchmark.real_players`), every cache warm;
- *new*: the audience of the load test (:mod:`tests.load.population`) goes on: known titles, 2,000
  User-Agents, new viewers and old ones, sessions, CMCD;
- *cold*: the same, but nothing was seen before: each request has a User-Agent, an address prefix,
  an asset and (where it names one) a session of its own. No audience is like that; it shows what
  the caches save. The User-Agents are made by adding ``Build/…``, which sends three quarters of
  them to the device library, as hardly any real one does.
"""

import re
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from itertools import count
from typing import Literal, get_args

from tests.benchmark.real_players import RealPlayers
from tests.load.population import PlayRequest, Population

Mix = Literal["real", "new", "cold"]
MIXES: tuple[Mix, ...] = get_args(Mix)
_SESSION = re.compile(r"[0-9a-f]+-[0-9]{6}")


@dataclass
class Audience:
    """Makes requests; equal seeds make equal ones in equal order."""

    population: Population = field(default_factory=Population)
    players: RealPlayers = field(default_factory=RealPlayers)
    _numbers: "count[int]" = field(default_factory=count)
    _prefixes: set[int] = field(default_factory=set)

    def of(self, mix: Mix, number: int) -> list[bytes]:
        """The next ``number`` requests of ``mix``; no two requests of ``real`` or ``cold`` are
        equal, and few of ``new``."""
        return {"real": self.real, "new": self.new, "cold": self.cold}[mix](number)

    def real(self, number: int) -> list[bytes]:
        """The next ``number`` requests of real players."""
        return self.players.requests(number)

    def new(self, number: int) -> list[bytes]:
        """The next ``number`` requests of the load test's audience."""
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
