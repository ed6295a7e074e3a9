"""What is told of attacks: one row each."""

from tests.attack.attack import MAX_FAULTS_SHOWN
from tests.attack.run import Shown

NAME, SENT, TIME, VERDICT = 26, 8, 8, 7
HEAD = f"{'attack':{NAME}}  {'sent':>{SENT}}  {'took':>{TIME}}  {'verdict':{VERDICT}}  figures"


def row(shown: Shown) -> str:
    """One line of the table."""
    outcome = shown.outcome
    figures = outcome.skipped or "; ".join(outcome.figures)
    took = f"{shown.seconds:.1f} s"
    return (
        f"{shown.attack.name:{NAME}}  {outcome.sent:>{SENT}}  {took:>{TIME}}  "
        f"{outcome.verdict:{VERDICT}}  {figures}"
    )


def complaints(shown: Shown) -> list[str]:
    """Why it is red; empty when it is green."""
    faults = shown.outcome.faults
    more = len(faults) - MAX_FAULTS_SHOWN
    return [*faults[:MAX_FAULTS_SHOWN], *([f"… and {more} faults more"] if more > 0 else [])]
