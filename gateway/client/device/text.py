"""What does a User-Agent say, read once and at a bounded cost?

Everything that looks at a User-Agent looks at this: the text cut to ``MAX_CHARS`` and freed of
control characters, its lower case, and the set of its words. Set lookups on words replace the
long regular expressions that make other classifiers slow, and no later step can cost more than
``MAX_CHARS`` allow.
"""

import re
from typing import NamedTuple

MAX_CHARS = 1024

_WORD = re.compile(r"[a-z][a-z0-9]*")
_CONTROL = dict.fromkeys((*range(0x20), 0x7F), " ")


class UserAgentText(NamedTuple):
    """One User-Agent: ``raw`` as sent but bounded, ``low`` its lower case, ``words`` of ``low``.

    A word starts with a letter and goes on with letters and digits: ``Web0S; Linux/SmartTV`` has
    the words ``web0s``, ``linux`` and ``smarttv``.
    """

    raw: str
    low: str
    words: frozenset[str]

    def has(self, *parts: str) -> bool:
        """Does any of these lower-case parts occur anywhere?"""
        low = self.low
        for part in parts:  # noqa: SIM110 - two thirds of what any() costs
            if part in low:
                return True
        return False

    def says(self, vocabulary: frozenset[str]) -> bool:
        """Is any word of the vocabulary among the words?"""
        return not self.words.isdisjoint(vocabulary)


def read_user_agent(user_agent: str | None) -> UserAgentText:
    """Cut, clean and split a User-Agent; None reads like an empty one."""
    raw = (user_agent or "")[:MAX_CHARS]
    if not raw.isascii():
        # Lone surrogates cannot be handed to the Rust engine; a question mark stands for each.
        raw = raw.encode("utf-8", "replace").decode("utf-8")
    if not raw.isprintable():
        raw = raw.translate(_CONTROL)
    raw = raw.strip()
    low = raw.lower()[:MAX_CHARS]
    return UserAgentText(raw, low, frozenset(_WORD.findall(low)))


def word_set(text: str) -> frozenset[str]:
    """The blank-separated words of a table, as the set that lookups want."""
    return frozenset(text.split())


def after(text: str, mark: str, limit: int = 64) -> str:
    """The up to ``limit`` characters behind the first ``mark``; empty when it does not occur."""
    start = text.find(mark)
    if start < 0:
        return ""
    start += len(mark)
    return text[start : start + limit]


def version_after(text: str, mark: str) -> str | None:
    """The dotted version that directly follows ``mark`` (``chrome/120.0`` → ``120.0``).

    One separator of ``/``, ``-``, ``_``, ``:`` or blank may stand between. At most 24 characters.
    """
    tail = after(text, mark, 25)
    found = _VERSION.match(tail)
    return found[1].replace("_", ".") if found else None


_VERSION = re.compile(r"[ /_:-]?v?(\d{1,9}(?:[._]\d{1,9}){0,3})")
