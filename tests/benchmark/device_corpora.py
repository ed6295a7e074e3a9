"""Which labelled User-Agents are there that the device tables have not learnt from?

Each loader reads one public corpus out of a folder in which its package was unpacked, finds its
files by their names, and maps its labels onto our classes. What a corpus calls something that the
gateway has no class for (watches, e-readers, portable players, cameras) is left out. Nothing of the
corpora is in this repository:

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
PyPI                        ``user_agents.zip``      MIT       phone tablet tv game-console
``random-user-agent``                                          handheld-game media-player car;
                                                               computers with browsers; servers
                                                               with bots
PyPI ``is-crawler``         ``*crawler*.txt``        Apache-2  all bots
PyPI ``crawlerdetect``      ``crawlers.txt``         MIT       all bots
WhichBrowser ``Parser-PHP`` ``tests/data/*/*.yaml``  MIT       mobile tablet desktop television
(the repository)                                               gaming car bot
==========================  =======================  ========  ================================

Rules that were set before anything held out was measured: Crawler patterns that name a library
which players are built with (``okhttp``, ``CFNetwork``, ``AppleCoreMedia`` …) are disputed and left
out.
``random-user-agent`` has labels that the makers' catalogues contradict (vivo's phones and the
Galaxy Note II are "tablets", LG's G Pad and Motorola's Xoom are "phones", apps of Yahoo Japan are
"bots"); ``_WRONG`` names them, and they are left out. Of User-Agents that differ in digits alone
one is kept, so that a thousand releases of one browser do not outweigh everything else.

``CORRECTIONS`` lists the labels that are counted as another class, and why. They were listed after
the held-out half was measured, so the script prints the figures by the corpora's labels as well.
"""

import hashlib
import importlib
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DIGITS = re.compile(r"\d+")
_SHARED_LIBRARIES = re.compile(
    r"okhttp|cfnetwork|applecoremedia|dalvik|exoplayer|media3|vlc|lavf|ffmpeg|gstreamer|roku",
    re.IGNORECASE,
)
_UA_PARSER_JS = {"mobile": "phone", "tablet": "tablet", "smarttv": "tv", "console": "console"}
_THREE = {"mobile": "phone", "tablet": "tablet", "desktop": "desktop"}
_MOBILE_DETECT_VENDORS = {"Console": "console", "TV": "tv", "Bot": "bot"}
_WOOTHEE = {"pc": "desktop", "mobilephone": "phone", "crawler": "bot"}
_RANDOM = {
    "mobile -> phone": "phone",
    "mobile -> tablet": "tablet",
    "large-screen -> tv": "tv",
    "large-screen -> media-player": "tv",
    "large-screen -> game-console": "console",
    "mobile -> handheld-game": "console",
    "vehicle -> car": "car",
}
_WRONG = {
    kind: re.compile(pattern, re.IGNORECASE)
    for kind, pattern in {
        "tablet": r"vivo|gt-n7[01]\d\d|gt-i9\d\d\d|tclwebkit",
        "phone": r"lg-v[4-9]\d\d|lg-vk\d|lg-uk\d|xoom|gt-p\d|ideatab|linux mips|bravia|adbeat"
        r"|windows nt|googlebot|crawler",
        "bot": r"yjapp|butterfly|cosmos|sogou(?:mse|mobilebrowser|search)|sogousearch",
        "console": r"nexbox|tenfourfox",
        "desktop": r"adbeat|ucweb|midp|nokia|windows phone|iphone|android|tizen|crawler\W|googlebot"
        r"|bot/|spider|hbbtv|smart-?tv",
    }.items()
}
# A model as the split has always read it. The split must not move when the classifier changes.
_NO_MODEL = re.compile(
    r"(?:[a-z]{2,3}(?:[-_][a-z]{2,4}){0,2}[-_]?|u|k|wv|arm|arm_64|x86|x86_64|mobile|tablet|tv"
    r"|harmonyos|openharmony|rv:.{0,12}|linux|adr.{0,10}|hmscore.{0,20})$"
)
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
class Correction:
    """User-Agents that corpora label as ``label``, and that are counted as ``kind``."""

    label: str
    kind: str
    agents: re.Pattern[str]
    why: str


CORRECTIONS = (
    Correction(
        "console",
        "phone",
        re.compile(r"\(windows phone [\d.]+; android [^)]*xbox", re.IGNORECASE),
        "Windows Phone with Xbox in its device field: as a phone by intent, see docs/devices.md",
    ),
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A User-Agent, its class by the corpus's ``label``, and the class ``kind`` that it is counted
    as. ``held_out`` when its model's hash is in the second half."""

    agent: str
    kind: str
    label: str
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
                shape = _DIGITS.sub("0", agent) + _model_of(agent.lower())
                if agent in known or shape in seen:
                    continue
                seen.add(shape)
                held_out = _is_held_out(group or _group(agent))
                found.append(Labelled(agent, _corrected(kind, agent), kind, corpus, held_out))
    return found


def _corrected(label: str, agent: str) -> str:
    for correction in CORRECTIONS:
        if correction.label == label and correction.agents.search(agent):
            return correction.kind
    return label


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
    return _model_of(agent.lower()) or _DIGITS.sub("0", agent)


def _model_of(low: str) -> str:
    marks = ("android", "andr0id", "; adr ")
    start = next((low.find(mark) for mark in marks if mark in low), -1)
    fields = low[start + 4 : start + 160].split(";")
    if start < 0 or (")" in fields[0] and len(fields) > 1):
        return ""
    for field in fields[1:8]:
        end = _end_of_model(field)
        name = field[:end].strip()
        if name and not _NO_MODEL.match(name):
            return name
        if end < len(field):
            return ""
    return ""


def _end_of_model(field: str) -> int:
    if field.lstrip().startswith("build/"):
        return 0
    for mark in (" build", ") ", " miui/", "/build", " applewebkit"):
        if mark in field:
            return field.find(mark)
    return len(field.rstrip(")"))


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


def _random_user_agent(path: Path) -> Iterator[_Row]:
    with zipfile.ZipFile(path) as archive, archive.open("user_agents.jl") as lines:
        for line in lines:
            entry = json.loads(line)
            kind = _random_kind(entry["hardware_type"], entry["software_type"] or "")
            agent = entry["user_agent"]
            if kind is not None and not (kind in _WRONG and _WRONG[kind].search(agent)):
                yield agent, kind, ""


def _random_kind(hardware: str, software: str) -> str | None:
    if hardware == "computer" and software.startswith("browser"):
        return "desktop"
    if hardware == "server" and software.startswith("bot"):
        return "bot"
    return _RANDOM.get(hardware)


def _bot_list(path: Path) -> Iterator[_Row]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line and not _SHARED_LIBRARIES.search(line):
            yield line, "bot", ""


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
    ("random-user-agent", "random_user_agent/data/user_agents.zip", _random_user_agent),
    ("is-crawler", "tests/fixtures/*crawler*.txt", _bot_list),
    ("crawlerdetect", "user_agent/crawlers.txt", _bot_list),
)
