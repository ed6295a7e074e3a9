"""What is wrong with a playlist: what players tolerate, and what keeps it from being served?

A *fault* breaks a rule that players tolerate: the playlist is served and ``explain`` lists the
fault. A *manifest error* means that the gateway cannot edit the playlist safely, or that players
refuse it: nothing is served. ``rule`` is an id from ``docs/standards.md``, for code and
tests; messages name the clause of the standard instead.
"""

from dataclasses import dataclass

from manifests.standards import RULES

MAX_TEXT = 200
"""Characters of a message: it may quote the playlist, where a name can be as long as a file."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken rule that players tolerate: the line (from 1), the rule and a sentence, which is cut
    to ``MAX_TEXT`` characters."""

    line: int
    rule: str
    text: str

    def __post_init__(self) -> None:
        """Cut the text."""
        if len(self.text) > MAX_TEXT:
            object.__setattr__(self, "text", f"{self.text[:MAX_TEXT]}…")

    @property
    def short_name(self) -> str:
        """The rule's name in metrics: ``duplicate-attribute``."""
        return RULES[self.rule].short_name

    def __str__(self) -> str:
        """``line 3: RFC 8216bis 4.2: BANDWIDTH is given twice``."""
        return f"line {self.line}: {RULES[self.rule].clause}: {self.text}"


class ManifestError(ValueError):
    """A source that cannot be served. ``line`` counts from 1, None when no single line is wrong."""

    def __init__(self, name: str, line: int | None, rule: str, problem: str) -> None:
        self.name = name
        self.line = line
        self.rule = rule
        self.problem = problem if len(problem) <= MAX_TEXT else f"{problem[:MAX_TEXT]}…"
        super().__init__(name, line, rule, self.problem)

    @property
    def clause(self) -> str:
        """The clause of the standard in words: ``RFC 8216bis 4.4.6.2``."""
        return RULES[self.rule].clause

    @property
    def short_name(self) -> str:
        """The rule's name in metrics: ``bandwidth``."""
        return RULES[self.rule].short_name

    def __str__(self) -> str:
        """``film/master.m3u8, line 3: RFC 8216bis 4.4.6.2: BANDWIDTH is missing``."""
        place = self.name if self.line is None else f"{self.name}, line {self.line}"
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
