"""How is JSON read that anyone may have written? Whole, within bounds, or not at all."""

import json
import math
import re
from typing import Any

MAX_NUMBER = 2**53
"""The largest number; up to here a float is exact."""

_MAX_DIGITS = 17
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def json_of(data: bytes, max_bytes: int, *, surrogates: bool = False) -> Any:  # noqa: ANN401
    """The value of a JSON text of up to ``max_bytes`` bytes in UTF-8.

    Raises ValueError, which says why, for anything else: more bytes, no JSON, nested too deeply, a
    number beyond ±``MAX_NUMBER``, NaN, infinity, or, unless ``surrogates`` allows it, half a
    character.
    """
    if len(data) > max_bytes:
        raise ValueError(f"has {len(data)} bytes, more than {max_bytes}")
    text = data.decode()
    try:
        value = json.loads(text, parse_int=_int, parse_float=_float, parse_constant=_constant)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not surrogates and _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS or abs(number := int(digits)) > MAX_NUMBER:
        raise ValueError("has a number that is too large")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number) or abs(number) > MAX_NUMBER:
        raise ValueError("has a number that is too large")
    return number


def _constant(name: str) -> float:
    raise ValueError(f"has {name}, which is no number")
