"""What does the request itself ask for? Its query parameters, see docs/http.md.

- Unknown parameters are ignored. A known parameter that is malformed is an error that names it. A
  speed that is a number but implausible is no error: ``throughput.choose_throughput`` ignores it.
  ``NaN`` and ``Infinity`` are numbers here, because players without a measurement send them.
- The last value of a repeated parameter is used, because players and middleware append parameters.
- ``session`` and ``CMCD`` without a value count as absent; of several ``CMCD``, the last one with a
  value is used. Players append a new one to a URL that has an old one.
- ``+`` is a plus sign, as in RFC 3986 and for ``EXT-X-DEFINE:QUERYPARAM`` (A5.4). Only in ``CMCD``
  it is a space: ``URLSearchParams`` writes spaces that way, and a plus sign as ``%2B``.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

from gateway.client.facts import Limits
from manifests.codecs import CodecFamily

MAX_QUERY = 16_384
"""The most bytes of a query string."""
MAX_PARAMETERS = 64
"""The most parameters of a query string, including unknown and empty ones."""

HEIGHTS = {f"{height}p": height for height in (270, 360, 480, 540, 720, 1080, 1440, 2160)}
"""The values of ``max_resolution`` and ``min_resolution``, with their heights in pixels."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?|NaN|Infinity)")
_BITRATE = re.compile(r"0{0,8}[1-9][0-9]{0,11}")
_LONGEST_SESSION = 64
_FIELD = re.compile(r"[a-z_]{1,32}")
_SHOWN = 64
_FAMILIES = {family.value: family for family in CodecFamily}

_NO_LIMITS = Limits()
LIMIT_NAMES = ("max_resolution", "min_resolution", "max_bitrate", "codecs")
"""The query parameters by which a request limits what it may be given."""
_OF_LIMITS = frozenset(LIMIT_NAMES)
_A_HEIGHT = ", ".join(HEIGHTS)
_A_BITRATE = "a whole number of kbit/s from 1 up"
_CODEC_NAMES = f"a comma list of {', '.join(_FAMILIES)}"

T = TypeVar("T")


class ParameterError(ValueError):
    """A known query parameter is malformed; the gateway answers 400.

    ``name`` is the parameter, ``value`` its value, quoted, escaped and cut to a bounded length, and
    ``allowed`` describes valid values.
    """

    def __init__(self, name: str, value: str, allowed: str) -> None:
        """``value`` is the text from the player."""
        self.name = name
        self.value = ascii(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}...")
        self.allowed = allowed
        super().__init__(f"{name}={self.value}: allowed is {allowed}")


class RequestParameters(NamedTuple):
    """The query parameters of one request.

    ``speed_kbps`` (kbit/s) and ``bandwidth_hint_mbps`` (Mbit/s) are the player's values, and may be
    implausible. ``cmcd`` is the text for ``cmcd.parse_query``. ``fields`` are the requested members
    of a JSON answer, None for all. ``by_name`` has all parameters of the query, percent-decoded,
    for ``EXT-X-DEFINE:QUERYPARAM``. They are untrusted text.
    """

    limits: Limits
    speed_kbps: float | None
    bandwidth_hint_mbps: float | None
    session: str | None
    cmcd: str | None
    fields: tuple[str, ...] | None
    by_name: Mapping[str, str]


def parse_parameters(query: bytes) -> RequestParameters:
    """Read a percent-encoded query string, without the ``?``.

    Raises:
        ParameterError: a known parameter is malformed, a minimum is above its maximum, or the
            query is longer than ``MAX_QUERY`` bytes or ``MAX_PARAMETERS`` parameters.
    """
    by_name, cmcd = _split(query)
    return RequestParameters(
        limits=_NO_LIMITS if _OF_LIMITS.isdisjoint(by_name) else _limits(by_name),
        speed_kbps=_read(by_name, "speed", _number, "a number of kbit/s"),
        bandwidth_hint_mbps=_read(by_name, "clientBandwidthHint", _number, "a number of Mbit/s"),
        session=_read(by_name, "session", session_id, "up to 64 printable characters") or None,
        cmcd=cmcd or None,
        fields=_read(by_name, "fields", _fields, "a comma list of member names") or None,
        by_name=by_name,
    )


def _limits(by_name: Mapping[str, str]) -> Limits:
    max_height = _read(by_name, "max_resolution", HEIGHTS.get, _A_HEIGHT)
    min_height = _read(by_name, "min_resolution", HEIGHTS.get, _A_HEIGHT)
    if max_height is not None and min_height is not None and min_height > max_height:
        allowed = f"at most max_resolution, {max_height}p"
        raise ParameterError("min_resolution", by_name["min_resolution"], allowed)
    return Limits(
        max_height=max_height,
        min_height=min_height,
        max_bitrate_kbps=_read(by_name, "max_bitrate", _bitrate, _A_BITRATE),
        codecs=_read(by_name, "codecs", _codecs, _CODEC_NAMES),
    )


def _split(query: bytes) -> tuple[dict[str, str], str]:
    """All parameters by name, and the text of ``CMCD``, in which ``+`` is a space."""
    if len(query) > MAX_QUERY:
        raise ParameterError("query", f"{len(query)} bytes", f"at most {MAX_QUERY} bytes")
    if query.count(b"&") >= MAX_PARAMETERS:
        shown = f"{query.count(b'&') + 1} parameters"
        raise ParameterError("query", shown, f"at most {MAX_PARAMETERS} parameters")
    by_name: dict[str, str] = {}
    cmcd = ""
    text = query.decode("utf-8", "replace")
    plain = "%" not in text
    for pair in text.split("&"):
        name, _, escaped = pair.partition("=")
        value = escaped
        if not plain:
            name, value = unquote(name), unquote(escaped)
        if name == "CMCD":
            cmcd = (unquote(escaped.replace("+", " ")) if "+" in escaped else value) or cmcd
        if name:
            by_name[name] = value
    return by_name, cmcd


def _read(
    by_name: Mapping[str, str], name: str, read: Callable[[str], T | None], allowed: str
) -> T | None:
    """The value of a parameter; None when it is absent. Raises when ``read`` returns None."""
    text = by_name.get(name)
    if text is None:
        return None
    value = read(text)
    if value is None:
        raise ParameterError(name, text, allowed)
    return value


def _bitrate(text: str) -> int | None:
    return int(text) if _BITRATE.fullmatch(text) else None


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def session_id(text: str) -> str | None:
    """The id of a session; empty for none, and None for what is no id."""
    known = text.isprintable() and "\ufffd" not in text  # which replaces bytes that are not UTF-8
    return text if known and len(text) <= _LONGEST_SESSION else None


def _fields(text: str) -> tuple[str, ...] | None:
    names = tuple(name.strip(" ") for name in text.split(",") if name.strip(" "))
    return names if all(map(_FIELD.fullmatch, names)) else None


def _codecs(text: str) -> frozenset[CodecFamily] | None:
    families = {_FAMILIES.get(name.strip(" ").lower()) for name in text.split(",")}
    known = frozenset(family for family in families if family is not None)
    return known if len(known) == len(families) else None
