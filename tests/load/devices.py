"""Which devices ask? Two thousand User-Agents in the proportions of an ordinary audience.

Each family is a pattern and the values that vary in it; a population takes from each as many
distinct User-Agents as its share says.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0"
_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_CHROMIUM = tuple(str(version) for version in range(96, 141))
_BRANDS = ("", *(f" Edg/{n}.0.0.0" for n in range(118, 130)), " OPR/106.0.0.0", " Vivaldi/6.5")
_IOS = tuple(f"{major}_{minor}" for major in range(14, 19) for minor in range(8))
_MODELS = [
    "SM-S918B",
    "SM-S911U",
    "SM-A546E",
    "SM-A155F",
    "SM-G991B",
    "SM-M146B",
    "CPH2591",
    "CPH2387",
    "V2250",
    "V2307",
    "RMX3710",
    "M2101K6G",
    "23021RAAEG",
    "2201117TY",
    "22101316G",
    "XT2343-2",
    "moto_g84",
    "TECNO_KI7",
    "Infinix_X6833B",
    "Pixel_8",
]
_TABLETS = [
    "SM-X710",
    "SM-X200",
    "SM-T733",
    "SM-T225",
    "Lenovo_TB350FU",
    "KFTRWI",
    "KFTUWI",
    "T1_Tablet",
]
_TVS = [
    "BRAVIA_4K_VH2",
    "BRAVIA_VU31",
    "AFTKA",
    "AFTMM",
    "AFTSSS",
    "Chromecast",
    "MiTV-MOOQ1",
    "SHIELD_Android_TV",
]


@dataclass(frozen=True, slots=True)
class Device:
    """A User-Agent, the class it stands for, and the headers that its player sends besides."""

    kind: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """``share`` in percent of all requests; ``agent`` with a ``{name}`` for each of ``values``."""

    kind: str
    share: int
    agent: str
    values: Mapping[str, tuple[str, ...]]
    headers: Mapping[str, str]

    def members(self) -> Iterator[Device]:
        """Every device of the family."""
        for combination in product(*self.values.values()):
            filled = dict(zip(self.values, combination, strict=True))
            headers = {"User-Agent": self.agent, **self.headers}
            yield Device(
                self.kind, tuple((name, text.format(**filled)) for name, text in headers.items())
            )


_PAGE = {
    "Accept": "*/*",
    "Accept-Language": "en-US,en;q=0.9",
    "Origin": "https://www.example.com",
    "Referer": "https://www.example.com/",
}


def _chromium(platform: str, mobile: str) -> dict[str, str]:
    """A page in a Chromium browser; ``{v}`` is the version that the User-Agent has, too."""
    return {
        **_PAGE,
        "Sec-CH-UA": '"Chromium";v="{v}", "Google Chrome";v="{v}", "Not_A Brand";v="99"',
        "Sec-CH-UA-Mobile": mobile,
        "Sec-CH-UA-Platform": f'"{platform}"',
    }


FAMILIES = (
    Family(
        "phone",
        14,
        "Mozilla/5.0 (Linux; Android {os}; {model}) " + _CHROME + " Mobile Safari/537.36",
        {"os": ("11", "12", "13", "14", "15"), "model": tuple(_MODELS), "v": _CHROMIUM},
        _chromium("Android", "?1"),
    ),
    Family(
        "phone",
        12,
        "Mozilla/5.0 (iPhone; CPU iPhone OS {os} like Mac OS X) "
        + _WEBKIT
        + " Version/{v} Mobile/15E148 Safari/604.1",
        {"os": _IOS, "v": tuple(f"{major}.{minor}" for major in (15, 16, 17) for minor in "0123")},
        _PAGE,
    ),
    Family(
        "phone",
        10,
        "ExampleTV/{app} (Linux;Android {os}) AndroidXMedia3/1.{media3}.0",
        {
            "app": tuple(f"5.{minor}.{patch}" for minor in range(20) for patch in range(4)),
            "os": ("10", "11", "12", "13", "14", "15"),
            "media3": ("0", "1", "2", "3", "4"),
        },
        {},
    ),
    Family(
        "phone",
        9,
        "AppleCoreMedia/1.0.0.{build} (iPhone; U; CPU OS {os} like Mac OS X; en_us)",
        {"build": tuple(f"{n}{letter}{n * 4}" for n in (18, 19, 20, 21) for letter in "ABCDEF")}
        | {"os": _IOS},
        {"Accept": "*/*", "X-Playback-Session-Id": "6B1F9C2E-0B7B-4E5C-9E53-0D1C7C0F6F6B"},
    ),
    Family(
        "desktop",
        16,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + _CHROME + " Safari/537.36{brand}",
        {"v": _CHROMIUM, "brand": _BRANDS},
        _chromium("Windows", "?0"),
    ),
    Family(
        "desktop",
        6,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + _WEBKIT + " Version/{v} Safari/{b}",
        {
            "v": tuple(f"{major}.{minor}" for major in range(13, 19) for minor in range(7)),
            "b": ("605.1.15", "605.1.14", "605.1.12"),
        },
        _PAGE,
    ),
    Family(
        "desktop",
        4,
        "Mozilla/5.0 ({os}; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
        {
            "os": ("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "X11; Ubuntu; Linux x86_64"),
            "v": tuple(str(version) for version in range(91, 135)),
        },
        _PAGE,
    ),
    Family(
        "tablet",
        4,
        "Mozilla/5.0 (iPad; CPU OS {os} like Mac OS X) "
        + _WEBKIT
        + " Version/{v} Mobile/15E148 Safari/604.1",
        {"os": _IOS, "v": ("14.0", "15.0", "16.0", "17.0")},
        _PAGE,
    ),
    Family(
        "tablet",
        3,
        "Mozilla/5.0 (Linux; Android {os}; {model}) " + _CHROME + " Safari/537.36",
        {"os": ("11", "12", "13", "14"), "model": tuple(_TABLETS), "v": _CHROMIUM},
        _chromium("Android", "?0"),
    ),
    Family(
        "tv",
        5,
        "Mozilla/5.0 (SMART-TV; LINUX; Tizen {os}) AppleWebKit/537.36 (KHTML, like Gecko) "
        "{v}.0.4183.93/{os} TV Safari/537.36",
        {
            "os": tuple(f"{major}.{minor}" for major in range(3, 9) for minor in (0, 5)),
            "v": tuple(str(version) for version in range(76, 121, 4)),
        },
        {"Accept": "*/*"},
    ),
    Family(
        "tv",
        4,
        "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/{v}.0.4389.114 Safari/537.36 WebAppManager LG Browser/8.00.00({model}; {year})",
        {
            "v": ("53", "68", "79", "87", "94", "108"),
            "model": ("OLED55C1", "OLED65C3", "55UP75006LF", "43NANO776", "OLED77G2"),
            "year": ("webOS.TV-2019", "webOS.TV-2021", "webOS.TV-2022", "webOS.TV-2023"),
        },
        {"Accept": "*/*"},
    ),
    Family(
        "tv",
        6,
        "ExampleTV/{app} (Linux;Android {os}; {model}) ExoPlayerLib/2.{exo}.1",
        {
            "app": tuple(f"3.{minor}" for minor in range(12)),
            "os": ("9", "10", "11", "12"),
            "model": tuple(_TVS),
            "exo": ("13", "15", "17", "18", "19"),
        },
        {},
    ),
    Family(
        "tv",
        4,
        "Roku/DVP-{v} ({v}.{build}-AE)",
        {
            "v": ("9.4", "10.0", "10.5", "11.0", "11.5", "12.0", "12.5", "13.0", "14.0"),
            "build": tuple(f"4{number}" for number in range(100, 112)),
        },
        {"Accept": "*/*"},
    ),
    Family(
        "console",
        2,
        "Mozilla/5.0 (PlayStation; PlayStation {n}/{system}) "
        + _WEBKIT
        + " Version/15.4 Safari/605.1.15",
        {
            "n": ("4", "5"),
            "system": tuple(f"{n}.{patch}" for n in range(2, 12) for patch in ("00", "20", "50")),
        },
        {"Accept": "*/*"},
    ),
    Family(
        "console",
        1,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; {model}) "
        + _CHROME
        + " Safari/537.36 Edge/44.18363.8131",
        {"model": ("Xbox One", "Xbox Series X"), "v": _CHROMIUM},
        {"Accept": "*/*"},
    ),
)


def devices(count: int, randomness: random.Random) -> list[Device]:
    """``count`` devices with as many different User-Agents, each family by its share."""
    total = sum(family.share for family in FAMILIES)
    found: list[Device] = []
    owed = 0
    for family in FAMILIES:
        owed += family.share * count
        found += randomness.sample(list(family.members()), owed // total - len(found))
    return found
