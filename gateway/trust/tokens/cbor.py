"""Is CBOR that anyone may have written small and simple enough to be read?

``cbor2`` follows shared references, builds numbers of any size and compiles regular expressions
where tags say so. So data is looked through before it is decoded: only the tags that are expected,
nothing of indefinite length (RFC 8949, 4.2.1), no deep nesting, and one item alone.
"""

from collections.abc import Set as AbstractSet
from typing import Any, Final

MAX_DEPTH: Final = 10
MAX_ITEMS: Final = 1024
"""Items of all levels together."""

_ARGUMENT_FOLLOWS: Final = 24
_LAST_ARGUMENT: Final = 27
_FALSE, _NULL, _HALF_FLOAT = 20, 22, 25
_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 2, 3, 4, 5, 6, 7


def cbor_of(data: bytes, tags: AbstractSet[int] = frozenset()) -> Any:  # noqa: ANN401
    """The value of one CBOR item (RFC 8949) that uses only ``tags``, which must have no meaning to
    ``cbor2``. Raises ValueError, which says why, for anything else."""
    _look_through(data, tags)
    from cbor2 import CBORDecodeError, loads  # noqa: PLC0415

    try:
        return loads(data)
    except (CBORDecodeError, ValueError, TypeError):  # text that is not UTF-8
        raise ValueError("has text that is not UTF-8") from None


def _look_through(data: bytes, tags: AbstractSet[int]) -> None:
    at, items = 0, 0
    pending = [1]  # items that are still to come, on each level
    while pending:
        if pending[-1] == 0:
            pending.pop()
            continue
        pending[-1] -= 1
        items += 1
        major, number, at = _head(data, at)
        if major in {_BYTES, _TEXT}:
            if number > len(data) - at:
                raise ValueError("ends early")
            at += number
        elif major == _TAG and number not in tags:
            raise ValueError("has a tag that is not expected")
        elif major in {_ARRAY, _MAP, _TAG}:
            pending.append({_ARRAY: number, _MAP: 2 * number, _TAG: 1}[major])
        if items > MAX_ITEMS or pending[-1] > MAX_ITEMS:
            raise ValueError(f"has more than {MAX_ITEMS} items")
        if len(pending) > MAX_DEPTH + 1:
            raise ValueError("is nested too deeply")
    if at != len(data):
        raise ValueError("has bytes behind its end")


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """The major type of the item at ``at``, its argument, and where what follows begins."""
    if at >= len(data):
        raise ValueError("ends early")
    major, number = data[at] >> 5, data[at] & 31
    at += 1
    if number > _LAST_ARGUMENT:
        raise ValueError("has an item of indefinite length")
    if major == _SIMPLE and not (_FALSE <= number <= _NULL or number >= _HALF_FLOAT):
        raise ValueError("has a simple value that is not expected")
    if number < _ARGUMENT_FOLLOWS:
        return major, number, at
    end = at + (1 << (number - _ARGUMENT_FOLLOWS))
    if end > len(data):
        raise ValueError("ends early")
    return major, int.from_bytes(data[at:end]), end
