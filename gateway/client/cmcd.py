"""What does the player say about itself in CMCD? (CTA-5004 versions 1 and 2)

CMCD arrives as a query argument, as four headers, or as lines of a posted report; all of them have
the same dictionary. Players break the rules (wrong units, decimals, ``key=true``). Members that
cannot be read are dropped and listed in ``faults``, the others are used, and no request fails
because of CMCD (D2.6, D3.1).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.client.cmcd_dictionary import (
    MAX_TEXT,
    Value,
    read_dictionary,
    read_json,
    without_encoding,
)

MAX_FAULTS = 16
"""The most faults that are listed for one request."""

_MORE_LAYERS = 2
"""A player encodes once more than it should (media3 up to 1.2), and a proxy may do so again."""

_VIDEO_FIRST = {"v": 0, "av": 1, None: 2}
_OTHER_TYPE = 3
SMALL_OBJECTS = frozenset({"a", "c", "tt", "k"})
"""Objects (``ot``) that are too small to measure the network."""
_SESSION_ID = re.compile(r"[\x20-\x7e]{1,64}")
_MAX_CONTENT_ID = {1: 64, 2: 128}
_MAX_CDN = 128
_MAX_CODE = 64
TOKENS = {
    "ot": frozenset({"m", "a", "v", "av", "i", "c", "tt", "k", "o"}),
    "sf": frozenset({"d", "h", "s", "o", "e"}),
    "st": frozenset({"v", "l", "ll"}),
    "sta": frozenset({"s", "p", "k", "r", "a", "w", "e", "f", "q", "d"}),
}
"""The values that the standard knows, by key."""


@dataclass(frozen=True, slots=True)
class Cmcd:
    """The CMCD of one request, or of one line of a report.

    ``version`` is 1 or 2; None when there is no CMCD, or none of a known version. Bit rates and
    throughputs are in kbit/s (D3.3; steering uses bit/s), and ``bl_ms`` is the buffer length in
    milliseconds. Of an inner list with object types (D2.1), the number for video is used, otherwise
    that for muxed content, then one without a type, then the largest. ``msd_ms`` is the media start
    delay, ``ts_ms`` the time of an event by the player's clock in milliseconds since 1970, and
    ``ec`` has the error codes in the order given. ``raw`` has every key that could be read, custom
    keys included, as ``cmcd_dictionary`` returns them. ``faults`` are safe to
    log. ``encoded_again``: it was percent-encoded more often than it should be.
    """

    version: Literal[1, 2] | None = None
    sid: str | None = None
    cid: str | None = None
    mtp_kbps: int | None = None
    br_kbps: int | None = None
    tb_kbps: int | None = None
    rtp_kbps: int | None = None
    bl_ms: int | None = None
    ot: str | None = None
    sf: str | None = None
    st: str | None = None
    sta: str | None = None
    cdn: str | None = None
    ec: tuple[str, ...] = ()
    msd_ms: int | None = None
    ts_ms: int | None = None
    su: bool = False
    bs: bool = False
    raw: Mapping[str, Value] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    encoded_again: bool = False

    @property
    def speed_kbps(self) -> int | None:
        """``mtp`` in kbit/s if it measures the network; otherwise None.

        Audio, captions, timed text and keys are too small to use the full bandwidth: in captures of
        one player on one connection, ``mtp`` is 3 to 10 Mbit/s for audio and 60 to 130 for video.
        """
        return _figure(self.raw.get("mtp"), self.ot, SMALL_OBJECTS)


def parse_query(value: str) -> Cmcd:
    """Read the ``CMCD`` query argument after one percent-decoding, or one line of a report.

    JSON objects are read as well (D1.1). Never raises.
    """
    return _read([value])


def parse_headers(
    object_: str | None = None,
    request: str | None = None,
    session: str | None = None,
    status: str | None = None,
) -> Cmcd:
    """Read ``CMCD-Object``, ``-Request``, ``-Session`` and ``-Status``. Never raises.

    Any key is accepted in any of them (D3.1). Together they may be ``MAX_TEXT`` characters long.
    """
    lines = [line for line in (object_, request, session, status) if line]
    if sum(map(len, lines)) > MAX_TEXT:
        return Cmcd(faults=(f"longer than {MAX_TEXT} characters: not read",))
    return _read(lines)


def _read(lines: list[str]) -> Cmcd:
    """Read all lines; without further percent-encodings, if they cannot be read as they are and
    more can be read then (D1.1)."""
    best = _cmcd(*_members(lines))
    for _ in range(_MORE_LAYERS):
        if not best.faults or not any("%" in line for line in lines):
            break
        lines = [without_encoding(line) for line in lines]
        decoded = _cmcd(*_members(lines))
        if decoded.version is None or (decoded.faults and _score(decoded) <= _score(best)):
            continue
        best = replace(decoded, encoded_again=True)
    return best


def _score(cmcd: Cmcd) -> int:
    """How well could it be read?"""
    return len(cmcd.raw) - len(cmcd.faults)


def _members(lines: list[str]) -> tuple[dict[str, Value], list[str]]:
    members: dict[str, Value] = {}
    faults: list[str] = []
    for line in lines:
        stripped = line.strip()
        read = read_json if stripped.startswith("{") else read_dictionary
        read_members, found = read(stripped)
        members |= read_members
        faults += found
    return members, faults


def prefer(headers: Cmcd, query: Cmcd) -> Cmcd:
    """The CMCD to use when both arrive: the headers, if they can be read (D1.1)."""
    return query if headers.version is None else headers


def _cmcd(members: dict[str, Value], faults: list[str]) -> Cmcd:
    """Interpret the members. A value of the wrong type is a fault, and stays in ``raw``."""
    given = members.get("v", 1)
    if not members:
        return Cmcd(faults=tuple(faults[:MAX_FAULTS]))
    if isinstance(given, bool) or given not in (1, 2):
        return Cmcd(faults=(*faults[: MAX_FAULTS - 1], "v: neither 1 nor 2, CMCD is ignored"))
    version: Literal[1, 2] = 1 if given == 1 else 2
    typed = _Typed(members, faults)
    ot = typed.token("ot")
    return Cmcd(
        version=version,
        sid=typed.session_id("sid"),
        cid=typed.text("cid", _MAX_CONTENT_ID[version]),
        mtp_kbps=typed.figure("mtp", ot),
        br_kbps=typed.figure("br", ot),
        tb_kbps=typed.figure("tb", ot),
        rtp_kbps=typed.figure("rtp", ot),
        bl_ms=typed.figure("bl", ot),
        ot=ot,
        sf=typed.token("sf"),
        st=typed.token("st"),
        sta=typed.token("sta"),
        cdn=typed.text("cdn", _MAX_CDN),
        ec=typed.codes("ec"),
        msd_ms=typed.figure("msd", None),
        ts_ms=typed.figure("ts", None),
        su=typed.flag("su"),
        bs=typed.flag("bs"),
        raw=members,
        faults=tuple(faults[:MAX_FAULTS]),
    )


class _Typed:
    """Reads members by key and type. A value of another type gives None and a fault."""

    __slots__ = ("_faults", "_members")

    def __init__(self, members: Mapping[str, Value], faults: list[str]) -> None:
        self._members = members
        self._faults = faults

    def figure(self, key: str, ot: str | None) -> int | None:
        value = self._members.get(key)
        figure = _figure(value, ot, frozenset())
        if figure is None and value is not None:
            self._faults.append(f"{key}: not a number from 0 up")
        return figure

    def text(self, key: str, longest: int) -> str | None:
        value = self._members.get(key)
        if value is None or (isinstance(value, str) and 0 < len(value) <= longest):
            return value
        self._faults.append(f"{key}: not a string of 1 to {longest} characters")
        return None

    def session_id(self, key: str) -> str | None:
        value = self._members.get(key)
        if value is None or (isinstance(value, str) and _SESSION_ID.fullmatch(value)):
            return value
        self._faults.append(f"{key}: not a string of 1 to 64 ASCII characters")
        return None

    def codes(self, key: str) -> tuple[str, ...]:
        """The texts of an inner list of strings (D2.2). Players also send one without a list, and
        numbers."""
        value = self._members.get(key)
        if value is None:
            return ()
        given = [item.value for item in value] if isinstance(value, tuple) else [value]
        found = tuple(str(code) for code in given if not isinstance(code, bool))
        codes = tuple(code for code in found if 0 < len(code) <= _MAX_CODE)
        if len(codes) < len(given):
            self._faults.append(f"{key}: not a list of strings of 1 to {_MAX_CODE} characters")
        return codes

    def token(self, key: str) -> str | None:
        value = self._members.get(key)
        if value is None or (isinstance(value, str) and value in TOKENS[key]):
            return value
        self._faults.append(f"{key}: not a value that the standard knows")
        return None

    def flag(self, key: str) -> bool:
        value = self._members.get(key, False)
        if not isinstance(value, bool):
            self._faults.append(f"{key}: not a flag")
        return value is True


def _figure(value: Value | None, ot: str | None, without: frozenset[str]) -> int | None:
    """The rounded number of a scalar or an inner list; None when there is none from 0 up."""
    if value is None or isinstance(value, bool | str):
        return None
    if not isinstance(value, tuple):
        return None if value < 0 or ot in without else round(value)
    ranked: list[tuple[int, float]] = []
    for item in value:
        figure = item.value
        if isinstance(figure, bool | str) or figure < 0 or (item.object_type or ot) in without:
            continue
        ranked.append((-_VIDEO_FIRST.get(item.object_type, _OTHER_TYPE), figure))
    return round(max(ranked)[1]) if ranked else None
