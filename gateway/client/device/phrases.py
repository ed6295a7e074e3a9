"""Does a text contain any of these phrases or patterns? Searched by ua-parser's Rust engine.

The time is linear in the text, however many phrases there are: 180 phrases take about 2 µs, where a
loop over ``in`` takes 30 µs.
"""

import re
from collections.abc import Iterable

from ua_parser_rs import OSExtractor


class LinearPattern:
    """A regular expression without look-around and back-references."""

    __slots__ = ("_engine", "_pattern")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._engine: OSExtractor | None = None

    def occurs_in(self, text: str) -> bool:
        """Whether the pattern occurs anywhere in ``text``."""
        engine = self._engine
        if engine is None:  # compiled when first used: all patterns together take 100 ms
            engine = OSExtractor([(f"({self._pattern})", "found", None, None, None, None)])
            self._engine = engine
        return engine.extract(text) is not None


class Phrases(LinearPattern):
    """A set of literal phrases."""

    __slots__ = ()

    def __init__(self, phrases: Iterable[str]) -> None:
        super().__init__("|".join(re.escape(phrase) for phrase in phrases))
