"""Where the URIs of an MPD lead: one small MPD for each rule.

A case is a folder of ``dash_uris``, named after its rule: ``source.mpd``, the exact bytes that come
out in ``expected.mpd``, and ``case.toml``, whose keys are all optional but the first two:

- ``rule``, ``shows``: the rule, by its id in ``docs/standards.md``, and a sentence.
- ``steered``: the ids of the edges that the player may use, the first to use first.
- ``refused``: why it is not steered all the same.
- ``refresh``: there is a URL where the player asks again.
- ``parameters``: the names of the query parameters in the player's URL that are not the gateway's.
- ``on_disk``: the source has no URL.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from manifests.dash.document import read
from manifests.dash.links import links_of
from manifests.dash.steering import refusal
from manifests.dash.uris import Destination, Mirror
from manifests.dash.writing import write

FOLDER = Path(__file__).parent / "dash_uris"
PATH = "film/manifest.mpd"
ORIGINS = ("https://origin.example/vod/", "https://mirror.example/copy/")
LOCATION = "https://gw.example/v1/play/film.mpd?state=k.AbC-_&session=a%26b"
STEERING = "https://gw.example/v1/steering/film?state=k.AbC-_&session_name=00"


@dataclass(frozen=True, slots=True)
class Case:
    """One case."""

    name: str
    about: dict[str, Any]
    source: bytes
    expected: bytes

    @property
    def destination(self) -> Destination:
        """Where its URIs lead, when it is steered."""
        steered = self.about.get("steered", [])
        edges = steered or ["e1"]
        return Destination(
            path=PATH,
            mirrors=tuple([Mirror(f"https://{edge}.example/v/", edge) for edge in edges]),
            origin_urls=() if self.about.get("on_disk") else ORIGINS,
            location=LOCATION if self.about.get("refresh") else None,
            steering_url=STEERING if steered else None,
            parameters=tuple(self.about.get("parameters", ())),
        )


def case_of(folder: Path) -> Case:
    """Read a case."""
    return Case(
        folder.name,
        tomllib.loads((folder / "case.toml").read_text("utf-8")),
        (folder / "source.mpd").read_bytes(),
        (folder / "expected.mpd").read_bytes(),
    )


CASES = [case_of(path) for path in sorted(FOLDER.iterdir())]
each = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def written(case: Case, source: bytes) -> bytes:
    """What the player of a case gets for a source."""
    links = links_of(read(source, case.name))
    destination = case.destination
    live = b'type="dynamic"' in source
    if destination.steering_url is not None and refusal(links, destination, live=live):
        destination = unsteered(destination)
    return write(links, [], destination)


def unsteered(destination: Destination) -> Destination:
    """The destination of an MPD that is not steered: one edge."""
    return replace(destination, mirrors=destination.mirrors[:1], steering_url=None)


@each
def test_the_expected_bytes_come_out(case: Case) -> None:
    codec = "utf-16" if case.source[:1] in b"\xff\xfe" else "utf-8"
    assert case.expected.decode(codec) == written(case, case.source).decode(codec)


@each
def test_a_case_is_named_after_its_rule(case: Case) -> None:
    """The name starts with the id of the rule."""
    assert re.fullmatch(rf"{re.escape(case.about['rule'])}-[a-z0-9-]+", case.name)
    assert case.about["shows"]


@each
def test_what_comes_out_is_xml(case: Case) -> None:
    """Another parser reads it, and finds nothing that is not bound."""
    assert "MPD" in ET.canonicalize(from_file=BytesIO(case.expected))


@each
def test_steering_is_refused_for_the_expected_reason(case: Case) -> None:
    """Only where the case says so."""
    links = links_of(read(case.source, case.name))
    live = b'type="dynamic"' in case.source
    if case.about.get("steered"):
        assert case.about.get("refused") == refusal(links, case.destination, live=live)


@each
def test_writing_again_changes_nothing(case: Case) -> None:
    """What lies on the edge already stays; without steering, which must not be added twice."""
    destination = unsteered(case.destination)
    once = write(links_of(read(case.source, case.name)), [], destination)
    assert once == write(links_of(read(once, case.name)), [], destination)
