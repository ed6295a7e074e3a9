"""What do many edges, assets and rules cost? The same requests to a small config and a large one.

    python -m tests.benchmark.scale [edges] [assets] [rules] [--seconds 3] [--rounds 5]

Two gateways run side by side and take turns; each figure is the median over rounds of large to
small in requests/s per core (the reciprocal of CPU for each request, which a busy machine changes
less), for real players and for the load test's audience (:mod:`tests.benchmark.audience`):

- *edges*: 10 and 10,000, at random places, none of which names a country or a continent;
- *assets*: 5 and 100,000 playlists in a folder; titles are drawn by Zipf from all of them. Once
  more with the requests of the small catalogue asked of the large one: its size alone;
- *rules*: the six that ship after 4 and after 994 that seldom hold.
"""

import argparse
import contextlib
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Literal

import uvloop

from tests.benchmark import contestants
from tests.benchmark.audience import rendered
from tests.benchmark.bench import CONNECTIONS, RATES, measure
from tests.benchmark.bench_generator import fire
from tests.benchmark.contestants import Server
from tests.benchmark.editing import playlist
from tests.benchmark.real_players import RealPlayers, film
from tests.load.population import SEED, Population

GOAL = 0.9
_COUNTRIES = ("AD", "AG", "AI", "AO", "AW", "BB", "BF", "BI", "BJ", "BN", "BS", "BT", "CF", "CG")
WARM_UP = 10_000
MIXES: tuple[Literal["real", "new"], ...] = ("real", "new")
_DEFAULT_RULES = Path("gateway/config/defaults.toml")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A small config and a large one (TOML), and how many titles the requests draw from."""

    name: str
    small: str
    large: str
    titles: tuple[int, int] = (200, 200)


def edges(count: int) -> str:
    """So many edges as TOML."""
    places = random.Random(SEED)
    rows = [
        f'[[edges]]\nid = "edge-{at}"\nurl = "https://edge-{at}.cdn.example.com/"\n'
        f"latitude = {places.uniform(-55, 65):.3f}\n"
        f"longitude = {places.uniform(-180, 180):.3f}\n"
        for at in range(count)
    ]
    return "".join(rows) + "fallback = true\n"


def rules(count: int) -> str:
    """So many rules as TOML, the last of which are those that ship."""
    text = (Path(__file__).parents[2] / _DEFAULT_RULES).read_text()
    shipped = text[text.index("\n[[rules]]") : text.index("# ── [start]")]
    names = random.Random(SEED)
    kinds = (
        lambda: f'asset_prefix = ["promo-{names.randrange(10**6)}/"]',
        lambda: f'asset_prefix = ["kids-{names.randrange(10**6)}/"], device = ["tv", "tablet"]',
        lambda: (
            f'country = ["{names.choice(_COUNTRIES)}"], os = ["Tizen"], speed_above_kbps = 90000'
        ),
        lambda: 'device = ["car"], save_data = true',
        lambda: f'player = ["app-{names.randrange(10**6)}"]',
        lambda: f'continent = ["AN"], speed_below_kbps = {names.randrange(100, 900)}',
    )
    before = [
        f'[[rules]]\nname = "r{at}"\nwhen = {{ {kinds[at % len(kinds)]()} }}\nprofile = "wifi"\n'
        for at in range(count - shipped.count("[[rules]]"))
    ]
    return "".join(before) + shipped


def catalogue(root: Path, count: int) -> str:
    """A folder of so many playlists, and the config that serves it. All are links to one file: the
    gateway reads, parses and keeps each by itself."""
    root.mkdir()
    first = root / "source"
    first.write_bytes(playlist(variants=6, renditions=4))
    for at in range(count):
        if at % 20_000 == 0:  # some file systems bound the links of one file
            first = root / f"source-{at}"
            first.write_bytes(playlist(variants=6, renditions=4))
        os.link(first, root / f"{at:06}.m3u8")
    return f'[source]\nkind = "directory"\nroot = "{root}"\nhls = "{{asset}}.m3u8"\n{edges(10)}'


@dataclass
class Crowd:
    """The audience, asking for so many titles by Zipf; the same players whatever the titles."""

    titles: int
    flat: bool

    def __post_init__(self) -> None:
        """Nothing is drawn yet."""
        self._path = by_number if self.flat else film
        self._players = RealPlayers(titles=self.titles, path=self._path)
        self._population = Population()
        self._random = random.Random(SEED)
        self._weights = list(accumulate(1 / rank for rank in range(1, self.titles + 1)))

    def of(self, mix: Literal["real", "new"], count: int) -> list[bytes]:
        """The next requests of one mix."""
        if mix == "real":
            return self._players.requests(count)
        numbers = self._random.choices(range(self.titles), cum_weights=self._weights, k=count)
        return [
            rendered(replace(self._population.next_request(), path=self._path(number)))
            for number in numbers
        ]


def by_number(number: int) -> str:
    """The path of a title of :func:`catalogue`, without an extension."""
    return f"/v1/play/{number:06}"


@contextlib.contextmanager
def both(folder: Path, comparison: Comparison) -> Iterator[tuple[Server, Server]]:
    """The small gateway and the large one."""
    with contextlib.ExitStack() as stack:
        found = []
        for name, text in (("small", comparison.small), ("large", comparison.large)):
            path = folder / f"{comparison.name}-{name}.toml"
            path.write_text(text)
            found.append(stack.enter_context(contestants.gateway(path)))
        contestants.pin_all(found)
        yield found[0], found[1]


async def compared(
    servers: tuple[Server, Server],
    crowds: tuple[Crowd, Crowd],
    mix: Literal["real", "new"],
    seconds: float,
    rounds: int,
) -> list[float]:
    """Requests/s per core of the large one to the small one, of each round."""
    for server, crowd in zip(servers, crowds, strict=True):
        requests = crowd.of(mix, WARM_UP)
        await fire(server.port, requests, seconds=None, connections=CONNECTIONS)
    found = []
    for _ in range(rounds):
        asked = [crowd.of(mix, int(RATES[mix] * seconds)) for crowd in crowds]
        costs = [
            (await measure(server, requests, seconds)).cpu_us
            for server, requests in zip(servers, asked, strict=True)
        ]
        found.append(costs[0] / costs[1])
    return found


def comparisons(folder: Path) -> dict[str, Callable[[], Sequence[Comparison]]]:
    """What can be compared, by name."""

    def assets() -> Sequence[Comparison]:
        few, many = catalogue(folder / "few", 5), catalogue(folder / "many", 100_000)
        return (
            Comparison("assets", few, many, (5, 100_000)),
            Comparison("assets, same titles", few, many, (5, 5)),
        )

    return {
        "edges": lambda: (Comparison("edges", edges(10), edges(10_000)),),
        "assets": assets,
        "rules": lambda: (Comparison("rules", rules(10), rules(1_000)),),
    }


def main() -> int:
    """Measure and print; the exit code is 0 whatever the figures are."""
    parser = argparse.ArgumentParser(description="What do many edges, assets and rules cost?")
    parser.add_argument("what", nargs="*", default=["edges", "assets", "rules"])
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each run")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        known = comparisons(Path(name))
        if unknown := set(options.what) - known.keys():
            parser.error(f"{unknown.pop()!r} is none of {', '.join(known)}")
        print(f"{'large to small, per core':28} {'real':>18} {'new':>18}   goal ≥ {GOAL}")
        for what in options.what:
            for comparison in known[what]():
                cells = []
                for mix in MIXES:
                    with both(Path(name), comparison) as servers:
                        flat = what == "assets"
                        small, large = (Crowd(titles, flat) for titles in comparison.titles)
                        found = uvloop.run(
                            compared(servers, (small, large), mix, options.seconds, options.rounds)
                        )
                    middle = statistics.median(found)
                    cells.append(f"{middle:.3f} ({min(found):.2f}-{max(found):.2f})")
                print(f"{comparison.name:28} {cells[0]:>18} {cells[1]:>18}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
