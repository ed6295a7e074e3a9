"""Prepares a User-Agent for classification, at a bounded cost.

All steps use the same three forms: the text cut to ``MAX_CHARS`` without control characters, its
lower case, and the set of its words. Looking up words in sets is faster than the long regular
expressions of other classifiers. ``MAX_CHARS`` bounds the cost of all later steps.
"""

import re
from typing import NamedTuple

from gateway.client.device.mangled import restored

MAX_CHARS = 1024

_WORD = re.compile(r"[a-z][a-z0-9]*")
_CONTROL = dict.fromkeys((*range(0x20), 0x7F), " ")


class UserAgentText(NamedTuple):
    """A User-Agent: ``sent`` is the text as sent, but cut and without control characters, ``raw``
    is ``sent`` with the separators that its maker wrote (``mangled``), ``low`` is ``raw`` in lower
    case, and ``words`` are the words in ``low``.

    A word is a letter followed by letters and digits: ``Web0S; Linux/SmartTV`` has the words
    ``web0s``, ``linux`` and ``smarttv``.
    """

    raw: str
    low: str
    words: frozenset[str]
    sent: str

    def has(self, *parts: str) -> bool:
        """Whether any of these lower-case parts occurs anywhere."""
        low = self.low
        for part in parts:  # noqa: SIM110 - takes two thirds of the time of any()
            if part in low:
                return True
        return False

    def says(self, vocabulary: frozenset[str]) -> bool:
        """Whether any word of the vocabulary is among the words."""
        return not self.words.isdisjoint(vocabulary)


def read_user_agent(user_agent: str | None) -> UserAgentText:
    """Prepare a User-Agent; None counts as an empty one."""
    raw = (user_agent or "")[:MAX_CHARS]
    if not raw.isascii():
        # The Rust engine does not accept lone surrogates; replace them by question marks.
        raw = raw.encode("utf-8", "replace").decode("utf-8")
    sent = _printable(raw).strip()
    raw = _printable(restored(sent))[:MAX_CHARS].strip()
    low = raw.lower()[:MAX_CHARS]
    return UserAgentText(raw, low, frozenset(_WORD.findall(low)), sent)


def _printable(text: str) -> str:
    return text if text.isprintable() else text.translate(_CONTROL)


def says_android(low: str) -> bool:
    """Whether it is Android: by name, by UC Browser's abbreviation, by Fire OS's Silk, or by its
    build: ``(Linux; U; 4.2.2; Foo One Build/JDQ39)``."""
    for mark in ("android", "andr0id", "; adr ", "silk/", "dalvik/"):
        if mark in low:
            return True
    return "(linux; " in low and " build/" in low


def word_set(text: str) -> frozenset[str]:
    """The set of the words in ``text``, which are separated by white space."""
    return frozenset(text.split())


def after(text: str, mark: str, limit: int = 64) -> str:
    """Up to ``limit`` characters after the first ``mark``; empty when it does not occur."""
    start = text.find(mark)
    if start < 0:
        return ""
    start += len(mark)
    return text[start : start + limit]


def version_after(text: str, mark: str) -> str | None:
    """The dotted version directly after ``mark`` (``chrome/120.0`` → ``120.0``).

    One ``/``, ``-``, ``_``, ``:`` or space may be between them. At most 25 characters are read.
    """
    tail = after(text, mark, 25)
    found = _VERSION.match(tail)
    return found[1].replace("_", ".") if found else None


_VERSION = re.compile(r"[ /_:-]?v?(\d{1,9}(?:[._]\d{1,9}){0,3})")
