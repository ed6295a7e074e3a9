"""What is wrong with a playlist: what is only counted, and what stops it from being served?

A *fault* breaks a rule, yet players cope: the playlist is served and ``explain`` lists the fault.
A *manifest error* means that the gateway cannot rightly edit the playlist or that players refuse
it: nothing is served. ``rule`` is a row of docs/standards.md; messages name its clause.
"""

from dataclasses import dataclass

from manifests.hls.clauses import CLAUSES


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken rule that players cope with: the line (from 1), the rule and a sentence."""

    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        """``line 3: RFC 8216bis 4.2: BANDWIDTH stands twice``."""
        return f"line {self.line}: {CLAUSES[self.rule]}: {self.text}"


class ManifestError(ValueError):
    """A source that cannot be served. ``line`` counts from 1, None when no line is to blame."""

    def __init__(self, name: str, line: int | None, rule: str, problem: str) -> None:
        self.name = name
        self.line = line
        self.rule = rule
        self.problem = problem
        super().__init__(name, line, rule, problem)

    @property
    def clause(self) -> str:
        """The clause that the source breaks: ``RFC 8216bis 4.4.6.2``."""
        return CLAUSES[self.rule]

    def __str__(self) -> str:
        """``film/master.m3u8, line 3: RFC 8216bis 4.4.6.2: no readable BANDWIDTH``."""
        place = self.name if self.line is None else f"{self.name}, line {self.line}"
        return f"{place}: {self.clause}: {self.problem}"


class QueryParameterError(ValueError):
    """The source asks for a query parameter that the player did not give, or not legally (A5.4)."""

    def __init__(self, parameter: str, problem: str) -> None:
        self.parameter = parameter
        self.problem = problem
        super().__init__(parameter, problem)

    def __str__(self) -> str:
        """``query parameter "token": it is missing``."""
        return f'query parameter "{self.parameter}": {self.problem}'
