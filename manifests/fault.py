"""What is wrong with a manifest: what players tolerate, and what keeps it from being served?

A *fault* breaks a rule that players tolerate: the manifest is served and ``explain`` lists the
fault. A *manifest error* means that the gateway cannot edit the manifest safely, or that players
refuse it: nothing is served. ``rule`` is an id from ``docs/standards.md``, for code and
tests; messages name the clause of the standard instead.
"""

from dataclasses import dataclass

from manifests.standards import RULES

MAX_TEXT = 200
"""Characters of a message: it may quote the manifest, where a name can be as long as a file."""


def _cut(text: str) -> str:
    """Text for one line of a log or a terminal: an attribute of an MPD may hold line ends."""
    cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
    if cut.isprintable():
        return cut
    return "".join([each if each.isprintable() else "\ufffd" for each in cut])


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken rule that players tolerate: the line (from 1), the rule and a sentence.

    ``path`` names the element of an MPD (``MPD/Period[2]/AdaptationSet[1]``); playlists have none.
    Sentence and path are cut to ``MAX_TEXT`` characters, of which none is a control character.
    """

    line: int
    rule: str
    text: str
    path: str = ""

    def __post_init__(self) -> None:
        """Cut what is long."""
        object.__setattr__(self, "text", _cut(self.text))
        object.__setattr__(self, "path", _cut(self.path))

    @property
    def short_name(self) -> str:
        """The rule's name in metrics: ``duplicate-attribute``."""
        return RULES[self.rule].short_name

    def __str__(self) -> str:
        """``line 3: RFC 8216bis 4.2: BANDWIDTH is given twice``; an MPD's path comes first."""
        place = f"{self.path}, line {self.line}" if self.path else f"line {self.line}"
        return f"{place}: {RULES[self.rule].clause}: {self.text}"


class ManifestError(ValueError):
    """A source that cannot be served. ``line`` counts from 1, None when no single line is wrong.

    ``path`` is the element of an MPD that is wrong, "" when there is none.
    """

    def __init__(
        self, name: str, line: int | None, rule: str, problem: str, path: str = ""
    ) -> None:
        self.name = name
        self.line = line
        self.rule = rule
        self.problem = _cut(problem)
        self.path = _cut(path)
        super().__init__(name, line, rule, self.problem, self.path)

    @property
    def clause(self) -> str:
        """The clause of the standard in words: ``RFC 8216bis 4.4.6.2``."""
        return RULES[self.rule].clause

    @property
    def short_name(self) -> str:
        """The rule's name in metrics: ``bandwidth``."""
        return RULES[self.rule].short_name

    def __str__(self) -> str:
        """``film/master.m3u8, line 3: RFC 8216bis 4.4.6.2: BANDWIDTH is missing``; an MPD's path
        stands between name and line."""
        line = "" if self.line is None else f"line {self.line}"
        place = ", ".join(part for part in (self.name, self.path, line) if part)
        return f"{place}: {self.clause}: {self.problem}"


class QueryParameterError(ValueError):
    """A query parameter that the source asks for is missing or has an illegal value (A5.4)."""

    def __init__(self, parameter: str, problem: str) -> None:
        self.parameter = parameter
        self.problem = problem
        super().__init__(parameter, problem)

    def __str__(self) -> str:
        """``query parameter "token": it is missing or empty``."""
        return f'query parameter "{self.parameter}": {self.problem}'
