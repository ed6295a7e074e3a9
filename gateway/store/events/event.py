"""The format of a decision event: its fields, and the JSON that carries them (docs/events.md).

The version covers the meaning of the fields. A version may gain fields, so readers ignore unknown
ones; a field that changes or is removed makes a new version.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from gateway.untrusted import json_of

VERSION = b"1"

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

    def to_bytes(self) -> bytes:
        """JSON in ASCII, without spaces."""
        members = {name: getattr(self, name) for name in _NAMES}
        return json.dumps(members, separators=(",", ":")).encode("ascii")


_NAMES = tuple(field.name for field in fields(Event))


def parse_event(entry: Mapping[bytes, bytes]) -> Event:
    """Parse an entry of the stream.

    Raises MalformedEventError for another version, for anything but a JSON object, and for a field
    that is missing or of another type.
    """
    version = entry.get(b"v")
    if version != VERSION:
        raise MalformedEventError(f"version {version!r} is not {VERSION!r}")
    try:
        members = json_of(entry.get(b"event", b""), MAX_EVENT_BYTES, surrogates=True)
    except ValueError as error:
        raise MalformedEventError(f"no JSON: {error}") from error
    if not isinstance(members, dict):
        raise MalformedEventError("not a JSON object")
    values: dict[str, Any] = {}
    for name, kinds in _KINDS.items():
        value = members.get(name)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = tuple(value)
        if name not in members or type(value) not in kinds:
            raise MalformedEventError(f"{name} is missing or of a wrong type")
        values[name] = value
    return Event(**values)


def _types(hint: Any) -> tuple[type, ...]:  # noqa: ANN401
    if isinstance(hint, UnionType):
        return get_args(hint)
    if hint is float:
        return (float, int)
    return (get_origin(hint) or hint,)


_KINDS: Mapping[str, tuple[type, ...]] = {
    name: _types(hint) for name, hint in get_type_hints(Event).items()
}
"""The types that each field may have."""
