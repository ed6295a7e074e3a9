"""Is a device found whose User-Agent a log, a proxy or an export has escaped?"""

import html
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from gateway.client.device import DeviceClassifier, DeviceRule
from gateway.client.device.mangled import restored
from gateway.client.facts import DeviceKind

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = (
    "Dalvik/2.1.0 (Linux; U; Android 6.0.1; NEXBOX-A95X Build/NEXBOX-A95X-RTL8723BS)",
    "Dalvik/2.1.0 (Linux; U; Android 5.1.1; SGP312 Build/10.7.A.0.228)",
    f"Mozilla/5.0 (Linux; Android 9; AFTMM Build/PS7233; wv) {WEBKIT} Version/4.0 Mobile Safari/5",
    f"Mozilla/5.0 (Linux; U; Android 4.4.2; es-us; GT-P5210 Build/KOT49H) {WEBKIT} Safari/534.30",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {WEBKIT} Version/17.4 Mobile/15E148",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/119.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Large Screen WebAppManager Safari/538.2",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
)


def _instead(old: str, new: str) -> Callable[[str], str]:
    return lambda agent: agent.replace(old, new)


ESCAPES: dict[str, Callable[[str], str]] = {
    "hashes": _instead(";", "##"),
    "one hash": _instead(";", "#"),
    "pipes": _instead(";", "|"),
    "commas": _instead(";", ","),
    "colons": _instead(";", ":"),
    "tildes": _instead(";", "~"),
    "dollars": _instead(";", "$$"),
    "two underscores": _instead("; ", "__ "),
    "a dash": _instead("; ", "- "),
    "full stops": _instead("; ", ". "),
    "slashes": _instead("; ", "/ "),
    "apostrophes": _instead("; ", "'' "),
    "a word": _instead("; ", "<SC> "),
    "percent, as escape() does": _instead(";", "%u003B"),
    "full width": _instead(";", "\uff1b"),
    "semicolons lost": _instead(";", ""),
    "spaces lost behind semicolons": _instead("; ", ";"),
    "percent, semicolons alone": _instead(";", "%3B"),
    "percent": quote,
    "percent, twice": lambda agent: quote(quote(agent)),
    "form": quote_plus,
    "hexadecimal": _instead(";", "\\x3b"),
    "hexadecimal, spaces": lambda agent: agent.replace(";", "\\x3B").replace(" ", "\\x20"),
    "unicode": _instead(";", "\\u003b"),
    "backslashes": _instead(";", "\\;"),
    "plus signs": _instead(" ", "+"),
    "underscores": _instead(" ", "_"),
    "doubled spaces": _instead(" ", "  "),
    "tabs": _instead(" ", "\t"),
    "spaces that do not break": _instead(" ", "\xa0"),
    "decimal entity": _instead(";", "&#59;"),
    "hexadecimal entity": _instead(";", "&#x3B;"),
    "named entity": _instead(";", "&semi;"),
    "entities, twice": lambda agent: html.escape(agent.replace(";", "&#59;")),
    "quotes": lambda agent: f'"{agent}"',
    "single quotes": lambda agent: f"'{agent}'",
    "the header's name": lambda agent: f"User-Agent: {agent}",
}


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("agent", AGENTS)
def test_an_escaped_device_is_the_same_device(agent: str, name: str) -> None:
    """Class, system and model are those of the text before it was escaped."""
    classifier = DeviceClassifier()
    written, found = classifier.classify(agent), classifier.classify(ESCAPES[name](agent))
    assert (written.kind, written.os, written.os_version, written.model) == (
        (found.kind, found.os, found.os_version, found.model)
    )
    assert DeviceKind.UNKNOWN != found.kind


@pytest.mark.parametrize(
    "agent",
    [
        *AGENTS,
        "Acme+Play/1.0 (Linux; Android 9; SM-G960F)",
        "AcmePlay/1.0_b_2",
        "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
        "Mozilla/5.0 (Linux; Android 9; HUAWEI_P_20) AcmePlay",
        "",
    ],
)
def test_what_was_not_escaped_stays(agent: str) -> None:
    """Plus signs and underscores of names are no separators."""
    assert agent == restored(agent)


def test_nothing_grows() -> None:
    """What is restored is not longer than what was sent, but for a lost separator."""
    agents = [escape(agent) for agent in AGENTS for escape in ESCAPES.values()]
    assert not [agent for agent in agents if len(restored(agent)) > len(agent) + 2]


def test_operators_match_what_was_sent() -> None:
    """A rule's pattern sees the text as the player sent it."""
    classifier = DeviceClassifier([DeviceRule("hashes", "Linux## U##", DeviceKind.CAR)])
    assert DeviceKind.CAR == classifier.classify("Dalvik/2 (Linux## U## Android 9## X)").kind
    assert DeviceKind.CAR != classifier.classify("Dalvik/2 (Linux; U; Android 9; X)").kind


def test_control_characters_that_were_escaped_are_removed() -> None:
    """No escape brings a line break into a model or a log."""
    device = DeviceClassifier().classify("Dalvik/2 (Linux; U; Android 9; A%0d%0aB\\x0aC Build/X)")
    assert "A B C" == device.model
