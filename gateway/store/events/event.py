"""The format of events: their fields, and the JSON that carries them (docs/events.md).

The version covers the meaning of the fields. A version may gain fields and kinds of events, so
readers ignore those that they do not know; a field that changes or is removed makes a new version.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from gateway.untrusted import json_of

VERSION = b"1"

EventKind = Literal["decision", "pathway"]

MAX_EVENT_BYTES = 16 * 1024
"""A larger entry is no event."""

MAX_NAME_CHARS = 64
"""The longest name of a system or player, which may come from a User-Agent; longer ones are cut."""


class MalformedEventError(ValueError):
    """An entry of the stream is not an event; the message says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One playlist that a player received. It identifies no person: no address, no User-Agent.

    ``time`` is Unix time in ms. ``sample`` is the share of sessions whose events were written then.
    ``session`` is a hash, None when the player named no session. ``rule`` is the position of the
    policy rule, None for the default profile. ``height`` and ``bandwidth`` are those of the best
    rung listed, ``start_…`` those of the first one; heights in pixels, bandwidths in bit/s,
    ``speed`` in kbit/s.
    """

    KIND: ClassVar[EventKind] = "decision"

    time: int
    sample: float
    asset: str
    session: str | None
    device: str
    os: str | None
    player: str | None
    country: str | None
    continent: str | None
    profile: str
    rule: int | None
    edge: str
    cache: str
    rungs: int
    height: int | None
    bandwidth: int
    start_height: int | None
    start_bandwidth: int
    speed: int | None
    speed_source: str | None
    reasons: tuple[str, ...]

    def members(self) -> dict[str, Any]:
        """The fields by name."""
        return {name: getattr(self, name) for name in _TYPES[self.KIND]}

    def to_bytes(self) -> bytes:
        """JSON in ASCII, without spaces."""
        return _json_of(self.members())


@dataclass(frozen=True, slots=True)
class PathwayEvent:
    """What content steering told a session, and what the session did with what it was told before.

    ``time``, ``sample``, ``asset``, ``session`` and ``country`` are those of :class:`Event`.
    ``priority`` is what the answer names, best first; ``edge`` is the first of it. ``before`` is
    the edge that the answer before named first, None when the fleet has lost it. ``reason`` is why
    the session moves or stays, ``moved`` whether ``edge`` is a new choice of the gateway.
    ``playing`` is the edge that the player says it uses, None when it does not say, or one that is
    not known; ``obeyed`` is whether that is ``before``, None when ``playing`` is.
    """

    KIND: ClassVar[EventKind] = "pathway"

    time: int
    sample: float
    asset: str
    session: str | None
    country: str | None
    edge: str
    before: str | None
    priority: tuple[str, ...]
    reason: str
    moved: bool
    playing: str | None
    obeyed: bool | None

    def members(self) -> dict[str, Any]:
        """The fields by name."""
        return {name: getattr(self, name) for name in _TYPES[self.KIND]}

    def to_bytes(self) -> bytes:
        """JSON in ASCII, without spaces."""
        return _json_of(self.members())


AnyEvent = Event | PathwayEvent


def _json_of(members: dict[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode("ascii")


def parse_event(entry: Mapping[bytes, bytes]) -> AnyEvent | None:
    """Parse an entry of the stream; None for an event of a kind that this version does not know.

    Raises MalformedEventError for another version, for anything but a JSON object, and for a field
    that is missing or of another type.
    """
    version = entry.get(b"v")
    if version != VERSION:
        raise MalformedEventError(f"version {version!r} is not {VERSION!r}")
    kind = entry.get(b"kind", b"decision")
    if kind == b"decision":
        return Event(**_members(entry, "decision"))
    if kind == b"pathway":
        return PathwayEvent(**_members(entry, "pathway"))
    return None


def _members(entry: Mapping[bytes, bytes], kind: EventKind) -> dict[str, Any]:
    """The fields of an event. Raises MalformedEventError."""
    try:
        members = json_of(entry.get(b"event", b""), MAX_EVENT_BYTES, surrogates=True)
    except ValueError as error:
        raise MalformedEventError(f"no JSON: {error}") from error
    if not isinstance(members, dict):
        raise MalformedEventError("not a JSON object")
    values: dict[str, Any] = {}
    for name, types in _TYPES[kind].items():
        value = members.get(name)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = tuple(value)
        if name not in members or type(value) not in types:
            raise MalformedEventError(f"{name} is missing or of a wrong type")
        values[name] = value
    return values


def _types(hint: Any) -> tuple[type, ...]:  # noqa: ANN401
    if isinstance(hint, UnionType):
        return get_args(hint)
    if hint is float:
        return (float, int)
    return (get_origin(hint) or hint,)


_TYPES: Mapping[EventKind, Mapping[str, tuple[type, ...]]] = {
    event.KIND: {field.name: _types(get_type_hints(event)[field.name]) for field in fields(event)}
    for event in (Event, PathwayEvent)
}
"""The types that each field may have, by kind."""
