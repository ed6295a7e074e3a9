"""Who asks next, and for what? The audience that the load test and the benchmark share.

All of it follows from a seed, so that two runs ask the same. The mix:

- 2,000 User-Agents by the shares in ``devices.py``; addresses on six continents (``places.py``);
- 200 titles, the n-th asked for with a probability in proportion to 1/n (Zipf);
- a third of the requests come from a session that was there before, a third begin one, a third
  name none;
- a third of the players report their speed by CMCD (half of them in the query, half in headers),
  a third with ``speed``, a third not at all; players have speeds from 0.3 to 40 Mbit/s, evenly
  on a log scale, and what each request reports is about a quarter off its player's;
- half take gzip, the others no coding.
"""

import math
import random
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal
from urllib.parse import urlencode

from tests.load.devices import Device, devices
from tests.load.places import address

SEED = 20_240_607
USER_AGENTS = 2_000
TITLES = 200
SLOWEST_KBPS, FASTEST_KBPS = 300, 40_000
SPEED_SPREAD = 0.25
"""Standard deviation, on a log scale, of one player's speed from request to request."""
REMEMBERED = 5_000
"""So many sessions may come back at any time."""


@dataclass(frozen=True, slots=True)
class Player:
    """One player: what stays the same from one of its requests to the next."""

    device: Device
    address: str
    session: str | None
    reports: Literal["cmcd-query", "cmcd-headers", "speed", "nothing"]
    kbps: float
    gzip: bool


@dataclass(frozen=True, slots=True)
class PlayRequest:
    """One request for a title: ``path`` begins with ``/v1/play/`` and has no extension yet."""

    path: str
    query: str
    headers: tuple[tuple[str, str], ...]

    def target(self, extension: str = ".m3u8") -> str:
        """Path and query, with the extension that says what is wanted ('' for JSON)."""
        return f"{self.path}{extension}" + (f"?{self.query}" if self.query else "")


@dataclass
class Population:
    """An audience; equal seeds ask equal requests in equal order."""

    seed: int = SEED
    _random: random.Random = field(init=False)
    _devices: list[Device] = field(init=False)
    _titles: list[float] = field(init=False)
    _known: list[Player] = field(init=False, default_factory=list)
    _sessions: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Draw the devices."""
        self._random = random.Random(self.seed)
        self._devices = devices(USER_AGENTS, self._random)
        self._titles = list(accumulate(1 / rank for rank in range(1, TITLES + 1)))

    def next_request(self) -> PlayRequest:
        """The next request of the audience."""
        return self._request(self._player())

    def _player(self) -> Player:
        kind = self._random.randrange(3)
        if kind == 0 and self._known:
            return self._random.choice(self._known)
        if kind != 1:
            return self._new_player(None)
        self._sessions += 1
        player = self._new_player(f"{self.seed:x}-{self._sessions:06}")
        if len(self._known) < REMEMBERED:
            self._known.append(player)
        else:
            self._known[self._random.randrange(REMEMBERED)] = player
        return player

    def _new_player(self, session: str | None) -> Player:
        spread = math.log(FASTEST_KBPS / SLOWEST_KBPS)
        return Player(
            device=self._random.choice(self._devices),
            address=address(self._random),
            session=session,
            reports=self._random.choice(
                ("cmcd-query", "cmcd-headers", "speed", "speed", "nothing", "nothing")
            ),
            kbps=SLOWEST_KBPS * math.exp(self._random.random() * spread),
            gzip=self._random.random() < 0.5,
        )

    def _request(self, player: Player) -> PlayRequest:
        (title,) = self._random.choices(range(TITLES), cum_weights=self._titles)
        kbps = round(player.kbps * self._random.lognormvariate(0, SPEED_SPREAD))
        query: dict[str, str] = {}
        headers = dict(player.device.headers)
        headers["X-Forwarded-For"] = player.address
        headers["Accept-Encoding"] = "gzip" if player.gzip else "identity"
        sid = "" if player.session is None else f',sid="{player.session}"'
        tenths = round(kbps, -2)  # mtp is in steps of 100 kbit/s (D1)
        match player.reports:
            case "cmcd-query":
                query["CMCD"] = f"mtp={tenths},ot=m,sf=h{sid}"
            case "cmcd-headers":
                headers["CMCD-Request"] = f"mtp={tenths}"
                headers["CMCD-Object"] = "ot=m"
                headers["CMCD-Session"] = f"sf=h{sid}"
            case "speed":
                query["speed"] = str(kbps)
        if player.session is not None and not player.reports.startswith("cmcd"):
            query["session"] = player.session
        return PlayRequest(
            f"/v1/play/film/{title + 1:03}", urlencode(query), tuple(headers.items())
        )
