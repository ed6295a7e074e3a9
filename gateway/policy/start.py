"""Within which bit rate does playback start while the speed of a network is unknown?

Ordered rules over what every request tells: its place and network, the class of its device, and
hints of the browser. The first rule that holds counts. They decide where playback starts and
nothing else: never the profile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.policy.rules import ConditionList, Subject, When


@dataclass(frozen=True, slots=True)
class StartRule:
    """A request for which ``when`` holds starts within ``kbps`` (kbit/s)."""

    when: When
    kbps: int


@dataclass(frozen=True, slots=True)
class StartRules:
    """Ordered start rules; none when they are switched off."""

    rules: Sequence[StartRule] = ()
    conditions: ConditionList = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the conditions."""
        object.__setattr__(self, "conditions", ConditionList([rule.when for rule in self.rules]))

    def first_match(self, subject: Subject) -> int | None:
        """The position of the first rule that holds for ``subject``; None when none does."""
        return self.conditions.first(subject) if self.rules else None


NO_START_RULES = StartRules()
