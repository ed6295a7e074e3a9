"""Do the loaders of labelled User-Agents read each corpus's format and map its labels?"""

import json
import zipfile
from pathlib import Path

from tests.benchmark.device_corpora import fresh

_WHICH_BROWSER = """
-
    headers: 'User-Agent: WB-Box/1'
    result: { device: { type: television, manufacturer: A, model: B } }
-
    headers: { User-Agent: WB-Pocket/1 }
    result: { device: { type: gaming, subtype: portable } }
-
    headers: 'User-Agent: WB-Watch/1'
    result: { device: { type: watch } }
-
    headers: 'User-Agent: WB-Known/1'
    result: { device: { type: mobile } }
"""
_WOOTHEE = """
- { target: WO-Desk/1, category: pc }
- { target: WO-Play/1, category: appliance, os: PlayStation 4 }
- { target: WO-Phone/1, category: smartphone }
"""
_FILES: dict[str, object] = {
    "ua/device-test.json": [
        {"ua": "JS-Car/1", "expect": {"type": "embedded", "vendor": "Tesla"}},
        {"ua": "JS-Echo/1", "expect": {"type": "embedded", "vendor": "Amazon"}},
        {"ua": "JS-TV/1", "expect": {"type": "smarttv"}},
    ],
    "crawlers/crawler-user-agents.json": [
        {"pattern": "CR-Bot", "instances": ["CR-Bot/1", "CR-Bot/2", "CR-Bot/x"]},
        {"pattern": "okhttp", "instances": ["okhttp/4"]},
    ],
    "mobile/test_user_agents.json": {
        "user_agents": [
            {"vendor": "A", "user_agent": "MD-Tab/1", "mobile": True, "tablet": True},
            {"vendor": "Console", "user_agent": "MD-Play/1", "mobile": True, "tablet": False},
            {"vendor": "Generic", "user_agent": "MD-Desk/1", "mobile": False, "tablet": False},
        ]
    },
    "real/user-agents.json": [{"userAgent": "RE-Phone/1", "deviceCategory": "mobile"}],
}


_PHONE = "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Xbox; Xbox One) Edge/15"
_EXPLORER = "Mozilla/5.0 (compatible; Windows Phone OS 7.5; Trident/5.0; IEMobile/9.0; Xbox)"
_RANDOM = [
    {"user_agent": agent, "hardware_type": hardware, "software_type": software}
    for agent, hardware, software in (
        ("RA-Tab/1", "mobile -> tablet", "browser -> web-browser"),
        ("RA-Tab/1 vivo", "mobile -> tablet", "browser -> web-browser"),
        ("RA-Desk/1", "computer", "browser -> in-app-browser"),
        (_PHONE, "large-screen -> game-console", "browser -> web-browser"),
        (_EXPLORER, "large-screen -> game-console", "browser -> web-browser"),
        ("RA-Lib/1", "computer", "application -> software-library"),
        ("RA-Bot/1", "server", "bot -> crawler"),
        ("RA-None/1", "---", None),
    )
]


def test_each_corpus_is_read_and_mapped(tmp_path: Path) -> None:
    """Labels become our classes; other devices, known ones and repeats in digits are left out."""
    texts = {name: json.dumps(content) for name, content in _FILES.items()}
    texts["wb/tests/data/television/a.yaml"] = _WHICH_BROWSER
    texts["wo/testsets/pc.yaml"] = _WOOTHEE
    texts["is/tests/fixtures/new_crawlers.txt"] = "IS-Bot/1\nokhttp/4\n"
    texts["cd/user_agent/crawlers.txt"] = "CD-Bot/1\nIS-Bot/2\n"
    texts["old/browsers.jsonl"] = '{"useragent": "FA-Tab/1", "type": "tablet"}\n'
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    archive = tmp_path / "ra/random_user_agent/data/user_agents.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("user_agents.jl", "\n".join(map(json.dumps, _RANDOM)))
    labelled = fresh(tmp_path, frozenset({"WB-Known/1"}))
    corrected = {one.agent: (one.label, one.kind) for one in labelled if one.label != one.kind}
    assert {_PHONE: ("console", "phone")} == corrected
    found = {one.agent: one.label for one in labelled}
    assert {
        _PHONE: "console",
        _EXPLORER: "console",
        "WB-Box/1": "tv",
        "WB-Pocket/1": "console",
        "WO-Desk/1": "desktop",
        "WO-Play/1": "console",
        "JS-Car/1": "car",
        "JS-TV/1": "tv",
        "CR-Bot/1": "bot",
        "CR-Bot/x": "bot",
        "MD-Tab/1": "tablet",
        "MD-Play/1": "console",
        "RE-Phone/1": "phone",
        "FA-Tab/1": "tablet",
        "RA-Tab/1": "tablet",
        "RA-Desk/1": "desktop",
        "RA-Bot/1": "bot",
        "IS-Bot/1": "bot",
        "CD-Bot/1": "bot",
    } == found


def test_a_model_is_in_one_half_whatever_browser_it_uses(tmp_path: Path) -> None:
    """What is held out holds no model that could be learnt from the other half."""
    models = [f"XYZW{letter}{other}" for letter in "abcdefgh" for other in "jklmnopq"]
    path = tmp_path / "user-agents.json"
    entries = [
        {"userAgent": f"Mozilla/5.0 (Linux; Android 9; {model}) {app}", "deviceCategory": "mobile"}
        for model in models
        for app in ("Chrome/80 Mobile", "Opera/70 Mobile")
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")
    found = fresh(tmp_path, frozenset())
    halves = {
        model: {one.held_out for one in found if f"; {model})" in one.agent} for model in models
    }
    assert {frozenset({True}), frozenset({False})} == set(map(frozenset, halves.values()))
