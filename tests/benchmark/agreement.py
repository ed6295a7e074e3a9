"""Do the gateway and its opponent do the same work? The same requests, answer by answer."""

import http.client
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_MEMBER = re.compile(r'(\w+)="?([^",;]*)"?')
COMPARED = ("device", "country", "profile", "rungs", "edge")


class Answered(NamedTuple):
    """What one answer decided, and the playlist itself."""

    decision: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of requests that both answered alike, by what of it is compared."""

    requests: int
    shares: dict[str, float]

    def __str__(self) -> str:
        """One line."""
        parts = [f"{name} {share:.1%}" for name, share in self.shares.items()]
        return f"same answers to {self.requests} requests: {', '.join(parts)}"


def agreement(one_port: int, other_port: int, requests: Sequence[bytes]) -> Agreement:
    """Ask two servers on the loopback address the same."""
    same: Counter[str] = Counter()
    for one, other in zip(ask(one_port, requests), ask(other_port, requests), strict=True):
        for name in COMPARED:
            # Who says nothing and who says that nothing is known agree.
            same[name] += one.decision.get(name, "-") == other.decision.get(name, "-")
        same["playlist"] += one.body == other.body
    return Agreement(
        len(requests), {name: same[name] / len(requests) for name in (*COMPARED, "playlist")}
    )


def ask(port: int, requests: Sequence[bytes]) -> list[Answered]:
    """Every answer of a server, in order; without a content coding, of which each knows others."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    found = []
    for request in requests:
        target, headers = taken_apart(request)
        connection.request("GET", target, headers={**headers, "Accept-Encoding": "identity"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{answer.status} for {target}")
        found.append(Answered(decision_of(answer.headers["Gateway-Decision"]), body))
    connection.close()
    return found


def taken_apart(request: bytes) -> tuple[str, dict[str, str]]:
    """Target and headers of a request of the benchmark, without ``Host``, its first header."""
    first, _, *rest = request.decode("latin-1").split("\r\n")
    return first.split(" ")[1], dict(line.split(": ", 1) for line in rest if line)


def decision_of(header: str) -> dict[str, str]:
    """The members of ``Gateway-Decision`` by name, without their parameters."""
    return dict(_MEMBER.findall(header))
