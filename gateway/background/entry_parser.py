"""Parses entries of the register that are read again and again."""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import structlog

from gateway.observe import metrics

log = structlog.get_logger()
_Parsed = TypeVar("_Parsed")


def _garbage(edge_id: bytes, reason: str) -> None:
    metrics.REGISTRY_GARBAGE.inc()
    log.warning("registry_garbage", edge=repr(edge_id[:64]), reason=reason[:500])


class EntryParser(Generic[_Parsed]):
    """Parses what each read brings. An entry that the previous read had as well is neither parsed
    (25 µs) nor, when malformed, logged and counted again."""

    def __init__(
        self,
        parse: Callable[[bytes, bytes | None], _Parsed],
        report: Callable[[bytes, str], None] = _garbage,
    ) -> None:
        """``parse`` takes an edge id and an entry, and raises ValueError for a malformed one.
        ``report`` is told its id and the reason."""
        self._parse = parse
        self._report = report
        self._previous: Mapping[tuple[bytes, bytes | None], _Parsed | None] = {}

    def parse(self, entries: Iterable[tuple[bytes, bytes | None]]) -> dict[bytes, _Parsed]:
        """The well-formed entries of one read, by edge id."""
        self._previous = {
            entry: self._previous[entry] if entry in self._previous else self._parse_new(*entry)
            for entry in entries
        }
        return {
            edge_id: parsed for (edge_id, _), parsed in self._previous.items() if parsed is not None
        }

    def _parse_new(self, edge_id: bytes, entry: bytes | None) -> _Parsed | None:
        try:
            return self._parse(edge_id, entry)
        except ValueError as error:
            self._report(edge_id, str(error))
            return None
