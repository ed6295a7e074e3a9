"""What do real players send? Four kinds of devices, all titles, all addresses, all speeds.

No two requests are equal byte for byte, since no address comes twice, so no server can give an
answer that it gave before. What the requests are made of does come again: four User-Agents, 200
titles, the places where the addresses are. A cache of any of these can be as warm as it gets.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import accumulate

from tests.load.population import FASTEST_KBPS, SEED, SLOWEST_KBPS, TITLES

_PAGE = (
    ("Accept", "*/*"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Origin", "https://www.example.com"),
    ("Referer", "https://www.example.com/"),
)
_CHROME_BRANDS = '"Chromium";v="130", "Google Chrome";v="130", "Not_A Brand";v="99"'
_IPHONE = (
    (
        "User-Agent",
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
        ),
    ),
    *_PAGE,
)
_ANDROID = (
    (
        "User-Agent",
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/130.0.0.0 Mobile Safari/537.36"
        ),
    ),
    *_PAGE,
    ("Sec-CH-UA", _CHROME_BRANDS),
    ("Sec-CH-UA-Mobile", "?1"),
    ("Sec-CH-UA-Platform", '"Android"'),
)
_WINDOWS = (
    (
        "User-Agent",
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/130.0.0.0 Safari/537.36"
        ),
    ),
    *_PAGE,
    ("Sec-CH-UA", _CHROME_BRANDS),
    ("Sec-CH-UA-Mobile", "?0"),
    ("Sec-CH-UA-Platform", '"Windows"'),
)
_TV = (
    (
        "User-Agent",
        (
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko)"
            " 85.0.4183.93/6.0 TV Safari/537.36"
        ),
    ),
    ("Accept", "*/*"),
)
DEVICES = (_IPHONE, _ANDROID, _WINDOWS, _TV)
"""The headers that each sends, its coding and its address aside."""
CODINGS = ("gzip, deflate, br, zstd", "identity")
"""What browsers accept, and what the other half of the players does."""


def film(number: int) -> str:
    """The path of the title with this number, from 0, without an extension."""
    return f"/v1/play/film/{number + 1:03}"


@dataclass
class RealPlayers:
    """Makes requests as bytes on the wire; equal arguments make equal ones in equal order.

    Devices, codings and addresses are drawn evenly, speeds evenly on a log scale from 300 to
    40,000 kbit/s, titles by Zipf from ``titles``, whose paths ``path`` gives by number.
    """

    seed: int = SEED
    titles: int = TITLES
    path: Callable[[int], str] = film
    _random: random.Random = field(init=False)
    _weights: list[float] = field(init=False)
    _addresses: set[int] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        """Nothing is drawn yet."""
        self._random = random.Random(self.seed)
        self._weights = list(accumulate(1 / rank for rank in range(1, self.titles + 1)))
        self._heads = [
            "\r\n".join(
                [" HTTP/1.1", "Host: 127.0.0.1"]
                + [f"{name}: {value}" for name, value in device]
                + [f"Accept-Encoding: {coding}", "X-Forwarded-For: "]
            )
            for device in DEVICES
            for coding in CODINGS
        ]

    def requests(self, count: int) -> list[bytes]:
        """The next ``count`` requests."""
        numbers = self._random.choices(range(self.titles), cum_weights=self._weights, k=count)
        return [self._request(number) for number in numbers]

    def _request(self, number: int) -> bytes:
        kbps = round(SLOWEST_KBPS * (FASTEST_KBPS / SLOWEST_KBPS) ** self._random.random())
        head = self._random.choice(self._heads)
        target = f"{self.path(number)}.m3u8?speed={kbps}"
        return f"GET {target}{head}{self._address()}\r\n\r\n".encode("ascii")

    def _address(self) -> IPv4Address:
        while True:
            number = self._random.getrandbits(32)
            address = IPv4Address(number)
            if number in self._addresses or not address.is_global or address.is_multicast:
                continue
            self._addresses.add(number)
            return address
