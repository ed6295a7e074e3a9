"""Why did the gateway choose this? A name for every branch taken.

``explain``, the JSON decision, metrics and logs use the same codes. A code is stable, so that it
can be a metric label and searched for. The text is for people and may contain figures.
"""

from enum import StrEnum
from typing import NamedTuple


class Step(StrEnum):
    """The stages of one request, in the order in which they are taken."""

    ADDRESS = "address"
    PLACE = "place"
    DEVICE = "device"
    NETWORK = "network"
    TOKEN = "token"  # noqa: S105  # a stage, no password
    PROFILE = "profile"
    SOURCE = "source"
    LADDER = "ladder"
    START = "start"
    EDGE = "edge"
    LEASE = "lease"
    STEERING = "steering"
    STORE = "store"


class Reason(NamedTuple):
    """One branch taken: the step, a stable ``kebab-case`` code, and a sentence for people."""

    step: Step
    code: str
    text: str

    def __str__(self) -> str:
        """``step: text [code]``, as ``reasons`` of the JSON decision and ``explain`` show it."""
        return f"{self.step}: {self.text} [{self.code}]"
