"""Which labelled User-Agents are there that the device tables have not learnt from?

Each loader reads one public corpus out of a folder in which its package was unpacked, finds its
files by their names, and maps its labels onto our classes. What a corpus calls something that the
gateway has no class for (watches, headsets, e-readers, portable players, cameras, speakers) is
left out. Nothing of the corpora is in this repository:

==========================  =======================  ========  ================================
package                     file                     licence   labels
==========================  =======================  ========  ================================
npm ``ua-parser-js@1.0.2``  ``device-test.json``     MIT       mobile tablet smarttv console;
                                                               ``embedded`` by Tesla is a car
npm ``crawler-user-agents`` ``crawler-user-agents.   MIT       all bots
                            json``
npm ``user-agents``         ``user-agents.json``     BSD-2     mobile tablet desktop
PyPI ``fake-useragent``     ``browsers.jsonl``       Apache-2  mobile tablet desktop
PyPI ``pymobiledetect``     ``test_user_agents.      MIT       mobile and tablet flags; its
                            json``                             vendors Console, TV, Bot are
                                                               classes, other non-mobiles not
npm ``woothee``             ``testsets/*.yaml``      Apache-2  pc, mobilephone, crawler;
                                                               appliances by their system (its
                                                               smartphones hold tablets: left out)
WhichBrowser ``Parser-PHP`` ``tests/data/*/*.yaml``  MIT       mobile tablet desktop television
(the repository)                                               gaming car bot
==========================  =======================  ========  ================================

Two rules were set before the first measurement. Crawler patterns that name a library which
players are built with (``okhttp``, ``CFNetwork``, ``AppleCoreMedia`` …) are disputed and left out.
Of User-Agents that differ in digits alone one is kept, so that a thousand releases of one browser
do not outweigh everything else.
"""

import hashlib
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.client.device.android import model_of

_DIGITS = re.compile(r"\d+")
_SHARED_LIBRARIES = re.compile(
    r"okhttp|cfnetwork|applecoremedia|dalvik|exoplayer|media3|vlc|lavf|ffmpeg|gstreamer|roku",
    re.IGNORECASE,
)
_UA_PARSER_JS = {"mobile": "phone", "tablet": "tablet", "smarttv": "tv", "console": "console"}
_THREE = {"mobile": "phone", "tablet": "tablet", "desktop": "desktop"}
_MOBILE_DETECT_VENDORS = {"Console": "console", "TV": "tv", "Bot": "bot"}
_WOOTHEE = {"pc": "desktop", "mobilephone": "phone", "crawler": "bot"}
_WHICH_BROWSER = {
    "mobile": "phone",
    "tablet": "tablet",
    "desktop": "desktop",
    "television": "tv",
    "gaming": "console",
    "car": "car",
    "bot": "bot",
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A User-Agent and its class. ``held_out`` when its model's hash is in the second half."""

    agent: str
    kind: str
    corpus: str
    held_out: bool


_Row = tuple[str, str, str]  # the User-Agent, our class, the group that is split as a whole


def fresh(folder: Path, known: frozenset[str]) -> list[Labelled]:
    """All labelled User-Agents below ``folder`` without those ``known``, each kind once."""
    seen: set[str] = set()
    found = []
    for corpus, pattern, load in _LOADERS:
        for path in sorted(folder.rglob(pattern)):
            for agent, kind, group in load(path):
                shape = _DIGITS.sub("0", agent) + model_of(agent.lower())
                if agent in known or shape in seen:
                    continue
                seen.add(shape)
                found.append(Labelled(agent, kind, corpus, _is_held_out(group or _group(agent))))
    return found


def yaml_of(path: Path) -> Any:
    """A YAML file's content. Ends the program without PyYAML, which only these scripts need."""
    try:
        yaml = importlib.import_module("yaml")
    except ModuleNotFoundError:
        sys.exit("this benchmark reads YAML: install PyYAML into the environment first")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)


def _group(agent: str) -> str:
    """What stays together: a model in all browsers, else all releases of one User-Agent."""
    return model_of(agent.lower()) or _DIGITS.sub("0", agent)


def _is_held_out(group: str) -> bool:
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % 2 == 1


def _ua_parser_js(path: Path) -> Iterator[_Row]:
    for case in json.loads(path.read_text(encoding="utf-8")):
        expected = case["expect"]
        kind = _UA_PARSER_JS.get(expected.get("type") or "")
        if expected.get("type") == "embedded" and expected.get("vendor") == "Tesla":
            kind = "car"
        if kind is not None:
            yield case["ua"], kind, ""


def _crawlers(path: Path) -> Iterator[_Row]:
    for entry in json.loads(path.read_text(encoding="utf-8")):
        if not _SHARED_LIBRARIES.search(entry["pattern"]):
            for agent in entry["instances"]:
                yield agent, "bot", entry["pattern"]


def _intoli(path: Path) -> Iterator[_Row]:
    for entry in json.loads(path.read_text(encoding="utf-8")):
        yield entry["userAgent"], _THREE[entry["deviceCategory"]], ""


def _fake_useragent(path: Path) -> Iterator[_Row]:
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        yield entry["useragent"], _THREE[entry["type"]], ""


def _mobile_detect(path: Path) -> Iterator[_Row]:
    for entry in json.loads(path.read_text(encoding="utf-8"))["user_agents"]:
        kind = _MOBILE_DETECT_VENDORS.get(entry["vendor"])
        if kind is None and entry["vendor"] != "Watch" and entry.get("mobile"):
            kind = "tablet" if entry["tablet"] else "phone"
        if kind is not None:
            yield entry["user_agent"], kind, ""


def _woothee(path: Path) -> Iterator[_Row]:
    for case in yaml_of(path):
        kind = _WOOTHEE.get(case["category"])
        if case["category"] == "appliance":
            games = ("playstation", "nintendo", "xbox", "wii")
            kind = "console" if case["os"].lower().startswith(games) else "tv"
        if kind is not None:
            yield case["target"], kind, ""


def _which_browser(path: Path) -> Iterator[_Row]:
    for case in yaml_of(path):
        device: Mapping[str, Any] = (case.get("result") or {}).get("device") or {}
        kind = _WHICH_BROWSER.get(device.get("type") or "")
        agent = _agent_header(case["headers"])
        if kind is not None and agent:
            model = str(device.get("model") or "")
            yield agent, kind, f"{device.get('manufacturer')}:{model}" if model else ""


def _agent_header(headers: str | Mapping[str, str]) -> str:
    if isinstance(headers, str):
        name, _, value = headers.partition(":")
        return value.strip() if name.lower() == "user-agent" else ""
    return next((text for name, text in headers.items() if name.lower() == "user-agent"), "")


_LOADERS: tuple[tuple[str, str, Callable[[Path], Iterator[_Row]]], ...] = (
    ("which-browser", "tests/data/*/*.yaml", _which_browser),
    ("ua-parser-js", "device-test.json", _ua_parser_js),
    ("crawler-user-agents", "crawler-user-agents.json", _crawlers),
    ("mobile-detect", "test_user_agents.json", _mobile_detect),
    ("woothee", "testsets/*.yaml", _woothee),
    ("user-agents", "user-agents.json", _intoli),
    ("fake-useragent", "browsers.jsonl", _fake_useragent),
)
