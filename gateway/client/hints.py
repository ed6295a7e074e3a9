"""What do the client hints say about the device and its network?

User-Agent client hints and the network hints (rules F1–F3). Only Chromium sends them, over HTTPS,
and a gateway on another origin gets only the low-entropy ones unless the page delegates more. They
can correct a decision, but no decision needs them. Values are structured fields (RFC 9651). A value
that is malformed, too long or out of range counts as absent.
"""

import math
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, get_args

from http_sf import StructuredFieldError, Token, parse

Ect = Literal["slow-2g", "2g", "3g", "4g"]

_ECT: Final = {name: name for name in get_args(Ect)}
_MAX_CHARS: Final = 512
_MAX_NAMES: Final = 16
_MAX_NAME_CHARS: Final = 64
_MAX_DOWNLINK_MBPS: Final = 10_000.0


class ClientHints(NamedTuple):
    """The hints about the device of one request. None and empty values mean that the hint is
    absent."""

    mobile: bool | None = None
    platform: str | None = None
    platform_version: str | None = None
    model: str | None = None
    form_factors: tuple[str, ...] = ()


NO_HINTS: Final = ClientHints()
DEVICE_HINT_HEADERS: Final = (
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-ch-ua-platform-version",
    "sec-ch-ua-model",
    "sec-ch-ua-form-factors",
)
"""The headers with hints about the device, in lower case. Their values rarely change."""
NETWORK_HINT_HEADERS: Final = ("save-data", "downlink", "ect")
"""The headers with hints about the network, in lower case. Browsers vary ``Downlink`` on purpose,
so it must not be part of a cache key (F2)."""
_DEVICE: Final = frozenset(DEVICE_HINT_HEADERS)
_NETWORK: Final = frozenset(NETWORK_HINT_HEADERS)


class NetworkHints(NamedTuple):
    """The hints about the network of one request; None means that the hint is absent.

    Chromium caps ``downlink_mbps`` at 10 Mbit/s, so 10 means "at least 10" (F2).
    """

    save_data: bool = False
    downlink_mbps: float | None = None
    ect: Ect | None = None


_NO_NETWORK_HINTS: Final = NetworkHints()


def parse_network_hints(headers: Mapping[str, str]) -> NetworkHints:
    """Read the network hints among ``headers`` (lower-case names). Never raises."""
    if _NETWORK.isdisjoint(headers):
        return _NO_NETWORK_HINTS
    return NetworkHints(
        save_data=(headers.get("save-data") or "").strip().lower() == "on",
        downlink_mbps=_number(headers.get("downlink"), _MAX_DOWNLINK_MBPS),
        ect=_ect(headers.get("ect")),
    )


def parse_hints(headers: Mapping[str, str]) -> ClientHints:
    """Read the hints about the device in ``headers``, whose names are in lower case. Never
    raises."""
    if _DEVICE.isdisjoint(headers):
        return NO_HINTS
    return ClientHints(
        mobile=_boolean(headers.get("sec-ch-ua-mobile")),
        platform=_text(headers.get("sec-ch-ua-platform")),
        platform_version=_text(headers.get("sec-ch-ua-platform-version")),
        model=_text(headers.get("sec-ch-ua-model")),
        form_factors=_names(headers.get("sec-ch-ua-form-factors")),
    )


def _item(value: str | None) -> object:
    """The bare item of a structured field; None when it is absent or malformed."""
    if not value or len(value) > _MAX_CHARS or not value.isascii():
        return None
    try:
        parsed = parse(value.encode("ascii"), tltype="item")
    except StructuredFieldError:
        return None
    return parsed[0] if isinstance(parsed, tuple) else None


def _boolean(value: str | None) -> bool | None:
    item = _item(value)
    return item if isinstance(item, bool) else None


def _text(value: str | None) -> str | None:
    """A quoted string, or the token that some senders write instead."""
    item = _item(value)
    return _bounded(str(item)) if isinstance(item, str | Token) else None


def _bounded(text: str) -> str | None:
    text = text.strip()
    return text if 0 < len(text) <= _MAX_NAME_CHARS else None


def _names(value: str | None) -> tuple[str, ...]:
    """The strings of a list, limited in number and length."""
    if not value or len(value) > _MAX_CHARS or not value.isascii():
        return ()
    try:
        parsed = parse(value.encode("ascii"), tltype="list")
    except StructuredFieldError:
        return ()
    members = parsed[:_MAX_NAMES] if isinstance(parsed, list) else []
    items = (member[0] for member in members if isinstance(member, tuple))
    names = (_bounded(item) for item in items if isinstance(item, str))
    return tuple(name for name in names if name)


def _number(value: str | None, largest: float) -> float | None:
    """A finite decimal between 0 and ``largest``."""
    if not value or len(value) > _MAX_NAME_CHARS:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number <= largest else None


def _ect(value: str | None) -> Ect | None:
    return _ECT.get((value or "").strip().lower())
