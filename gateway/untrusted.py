"""How is JSON read that anyone may have written? Whole, within bounds, or not at all."""

import json
import math
import re
from typing import Any

MAX_NUMBER = 2**53
"""The largest number; up to here a float is exact."""

MAX_NESTING = 200
"""So deep every Python reads, compares and writes a value. How deep it reads at most differs."""

_MAX_DIGITS = 17
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def json_of(data: bytes, max_bytes: int, *, surrogates: bool = False) -> Any:  # noqa: ANN401
    """The value of a JSON text of up to ``max_bytes`` bytes in UTF-8.

    Raises ValueError, which says why, for anything else: more bytes, no JSON, a value that lies in
    more than ``MAX_NESTING`` arrays and objects, a number beyond ±``MAX_NUMBER``, NaN, infinity,
    or, unless ``surrogates`` allows it, half a character.
    """
    if len(data) > max_bytes:
        raise ValueError(f"has {len(data)} bytes, more than {max_bytes}")
    text = data.decode()
    try:
        value = json.loads(text, parse_int=_int, parse_float=_float, parse_constant=_constant)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_NESTING and _nesting(value) > MAX_NESTING:
        raise ValueError("is nested too deeply")
    if not surrogates and _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return value


def _nesting(value: Any) -> int:  # noqa: ANN401
    """How many arrays and objects lie in each other, at the deepest place."""
    found, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        found += 1
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return found


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
