"""Is the cost of a User-Agent bounded, whatever players send?"""

import time
from functools import cache

import pytest

from gateway.client.device import DeviceClassifier
from gateway.client.device.text import MAX_CHARS, read_user_agent, version_after
from gateway.client.facts import DeviceKind

HOSTILE = {
    "one letter": "a",
    "one word": "Mozilla/5.0 (",
    "separators": "; ",
    "brackets": "(((",
    "android": "Android ",
    "android fields": "Android; x",
    "domains": "aa.bb.",
    "dashes": "a-b-",
    "digits": "1234567890",
    "versions": "chrome/1.1.",
    "control characters": "\x00\r\n\t",
    "not ascii": "ü",
    "longer in lower case": "İ",
    "beyond the plane": "\U0001f4fa",
    "lone surrogates": "\udc80",
    "builds": "Build/RTT",
    "bots": "cubot",
    "models": "Linux; Android 10; tab-",
    "percent signs": "%253B%25",
    "backslashes": "\\\\x3b\\;",
    "entities": "&amp;#59;&",
    "plus signs": "(Linux;+",
    "underscores": "(linux;_",
    "wrong separators": "(linux## u## ",
    "lost separators": "(linux u android 9 ",
    "Puffins": "puffin/1.",
    "web views": "macintosh mobile/",
}


@cache
def _classifier() -> DeviceClassifier:
    classifier = DeviceClassifier()
    classifier.classify("Mozilla/5.0 warm up the engines AcmePlayer/1.0 (K)")
    return classifier


def _seconds(agent: str) -> float:
    """The CPU time of a classification: what else the machine does meanwhile does not count."""

    def once() -> float:
        start = time.thread_time()
        _classifier().classify(agent)
        return time.thread_time() - start

    return min(once() for _ in range(9))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_classified(name: str) -> None:
    """Any text of any length gives a device with a printable model; nothing raises."""
    agent = HOSTILE[name] * (65_536 // len(HOSTILE[name]))
    device = DeviceClassifier().classify(agent)
    assert device.kind in DeviceKind
    assert len(device.model or "") <= 64
    assert (device.model or "").isprintable()


@pytest.mark.parametrize("name", HOSTILE)
def test_length_costs_nothing_beyond_the_bound(name: str) -> None:
    """64 KiB take about as long as ``MAX_CHARS``; a ratio does not depend on the machine."""
    unit = HOSTILE[name]
    short = (unit * MAX_CHARS)[:MAX_CHARS]
    long = (unit * 65_536)[:65_536]
    assert _seconds(long) < 4 * _seconds(short) + 0.0005


def test_a_full_length_agent_costs_a_bounded_multiple() -> None:
    """Any text of 1 KiB takes at most a fixed multiple of the time for a usual User-Agent."""
    everyday = (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/120.0.6099.144 Mobile Safari/537.36"
    )
    worst = max(_seconds((unit * MAX_CHARS)[:MAX_CHARS]) for unit in HOSTILE.values())
    assert worst < 60 * _seconds(everyday) + 0.001


def test_reading_cuts_and_cleans() -> None:
    """Control characters become spaces, and text beyond the limit is not read."""
    text = read_user_agent("Roku\x00DVP\n" + "x" * 5000)
    assert MAX_CHARS >= len(text.raw)
    assert "roku dvp xxx" == text.low[:12]
    assert frozenset() == read_user_agent(None).words


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("tizen 6.0)", "tizen", "6.0"),
        ("roku/dvp-12.5 (", "dvp-", "12.5"),
        ("os/17_5_1", "os/", "17.5.1"),
        ("webos.tv-2022", "webos.tv-", "2022"),
        ("tizen", "tizen", None),
        ("nothing", "tizen", None),
        ("tizen " + "9" * 40, "tizen", "999999999"),
    ],
)
def test_versions_stand_behind_their_mark(text: str, mark: str, expected: str | None) -> None:
    """A version directly follows its mark, after at most one separator, and is bounded."""
    assert expected == version_after(text, mark)
