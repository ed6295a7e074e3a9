"""The wire format of an event, and entries that are not events."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from gateway.steering.decide import MOVE_REASONS, STAY_REASONS
from gateway.store.events.event import (
    VERSION,
    AnyEvent,
    Event,
    MalformedEventError,
    PathwayEvent,
    parse_event,
)

EVENT = Event(
    time=1_700_000_000_123,
    sample=0.5,
    asset="film/one",
    session="70ae2533246068f1",
    device="phone",
    os="Android",
    player="ExoPlayer",
    country="NO",
    continent="EU",
    profile="mobile_4g",
    rule=2,
    edge="eu-west-1",
    cache="hit",
    rungs=3,
    height=720,
    bandwidth=1_200_000,
    start_height=360,
    start_bandwidth=500_000,
    speed=900,
    speed_source="cmcd",
    reasons=("place-found", "phone-model"),
)
WIRE = (
    b'{"time":1700000000123,"sample":0.5,"asset":"film/one","session":"70ae2533246068f1",'
    b'"device":"phone","os":"Android","player":"ExoPlayer","country":"NO","continent":"EU",'
    b'"profile":"mobile_4g","rule":2,"edge":"eu-west-1","cache":"hit","rungs":3,"height":720,'
    b'"bandwidth":1200000,"start_height":360,"start_bandwidth":500000,"speed":900,'
    b'"speed_source":"cmcd","reasons":["place-found","phone-model"]}'
)
NOTHING_KNOWN = replace(
    EVENT,
    session=None,
    os=None,
    player=None,
    country=None,
    continent=None,
    rule=None,
    height=None,
    start_height=None,
    speed=None,
    speed_source=None,
    reasons=(),
)
PATHWAY = PathwayEvent(
    time=1_700_000_000_123,
    sample=1.0,
    asset="film/one",
    session="70ae2533246068f1",
    country="NO",
    edge="eu-west-2",
    before="eu-west-1",
    priority=("eu-west-2", "eu-west-1"),
    reason="down",
    moved=True,
    playing="eu-west-1",
    obeyed=True,
)
PATHWAY_WIRE = (
    b'{"time":1700000000123,"sample":1.0,"asset":"film/one","session":"70ae2533246068f1",'
    b'"country":"NO","edge":"eu-west-2","before":"eu-west-1",'
    b'"priority":["eu-west-2","eu-west-1"],"reason":"down","moved":true,"playing":"eu-west-1",'
    b'"obeyed":true}'
)
SILENT = replace(
    PATHWAY, session=None, country=None, before=None, playing=None, obeyed=None, moved=False
)
ODD_NAMES = replace(EVENT, os='"\\\x1b[2J\n', player="Bücher 📺 \ud800")


def test_the_bytes_of_an_event() -> None:
    """Version 1, field by field; a change of these bytes is a change for every reader."""
    assert (b"1", WIRE) == (VERSION, EVENT.to_bytes())
    assert PATHWAY.to_bytes() == PATHWAY_WIRE


@pytest.mark.parametrize("event", [EVENT, NOTHING_KNOWN, ODD_NAMES, PATHWAY, SILENT])
def test_an_event_is_read_back(event: AnyEvent) -> None:
    """Every optional field is null, and names may hold any text."""
    data = event.to_bytes()
    assert data.isascii()
    entry = {b"v": b"1", b"kind": event.KIND.encode(), b"event": data}
    assert event == parse_event(entry)


def test_an_entry_without_a_kind_is_a_decision() -> None:
    """Gateways before content steering wrote no kind."""
    assert EVENT == parse_event({b"v": b"1", b"event": WIRE})


def test_a_kind_of_a_later_release_is_passed_over() -> None:
    """It is no error: gateways of two releases may write to one stream."""
    assert parse_event({b"v": b"1", b"kind": b"advert", b"event": b"{}"}) is None


def test_readers_ignore_unknown_fields() -> None:
    """Fields may be added within a version, to the entry and to the event."""
    data = json.dumps({**json.loads(WIRE), "colour": "red"}).encode()
    assert EVENT == parse_event({b"v": b"1", b"event": data, b"more": b""})


MALFORMED = [
    ("nothing", {}),
    ("no version", {b"event": WIRE}),
    ("another version", {b"v": b"2", b"event": WIRE}),
    ("no event", {b"v": b"1"}),
    ("no JSON", {b"v": b"1", b"event": WIRE[:-1]}),
    ("not UTF-8", {b"v": b"1", b"event": b"\xff"}),
    ("no object", {b"v": b"1", b"event": b"[1]"}),
    ("very deep", {b"v": b"1", b"event": b"[" * 100_000}),
    *(
        (f"no {field.name}", {b"v": b"1", b"event": WIRE.replace(field.name.encode(), b"x", 1)})
        for field in fields(Event)
    ),
    ("a number as text", {b"v": b"1", b"event": WIRE.replace(b"1200000", b'"x"')}),
    ("true for a number", {b"v": b"1", b"event": WIRE.replace(b'"rungs":3', b'"rungs":true')}),
    ("null for a name", {b"v": b"1", b"event": WIRE.replace(b'"eu-west-1"', b"null")}),
    ("a decision called a pathway", {b"v": b"1", b"kind": b"pathway", b"event": WIRE}),
    *(
        (
            f"no {field.name} of a pathway",
            {
                b"v": b"1",
                b"kind": b"pathway",
                b"event": PATHWAY_WIRE.replace(b'"%b"' % field.name.encode(), b'"x"', 1),
            },
        )
        for field in fields(PathwayEvent)
    ),
    (
        "text for obeyed",
        {
            b"v": b"1",
            b"kind": b"pathway",
            b"event": PATHWAY_WIRE.replace(b'"obeyed":true', b'"obeyed":"yes"'),
        },
    ),
    ("numbers for reasons", {b"v": b"1", b"event": WIRE.replace(b'"place-found"', b"1")}),
]


@pytest.mark.parametrize(("name", "entry"), MALFORMED)
def test_malformed_events(name: str, entry: dict[bytes, bytes]) -> None:
    """Each raises MalformedEventError."""
    with pytest.raises(MalformedEventError):
        parse_event(entry)


def test_the_page_lists_every_field_and_reason() -> None:
    """docs/events.md is what programs in other languages are written by."""
    page = (Path(__file__).parents[3] / "docs" / "events.md").read_text("utf-8")
    listed = set(re.findall(r"`(\w+)`", page))
    names = {field.name for kind in (Event, PathwayEvent) for field in fields(kind)}
    assert names <= listed
    assert f"`{' '.join(MOVE_REASONS)}`" in page
    assert f"`{' '.join(STAY_REASONS)}`" in page
