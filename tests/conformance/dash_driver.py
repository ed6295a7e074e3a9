"""Reads one case of the conformance set of DASH, and runs it through the gateway's own functions.

A case is a folder named after the rule that it shows, as in ``driver.py``:

- ``source.mpd``: the MPD of the source.
- ``case.toml``: the request and the policy, by the keys of ``driver.py``, and ``reasons``: the
  codes of what the fit did, if they are what the case shows.
- ``expected.mpd``: what is left when the filter is done, before any URI moves; absent when the
  player gets an error.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.ladder.fit import Fit
from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints
from gateway.play.dash.edit import gone_of
from gateway.play.dash.ladder import rungs_of
from gateway.reason import Step
from manifests.dash.filtering import filter_splices
from manifests.dash.model import Mpd
from manifests.dash.reading import parse
from manifests.dash.splices import apply
from tests.conformance.driver import limits_of

FOLDER = Path(__file__).parent / "dash"


@dataclass(frozen=True, slots=True)
class Case:
    """One case; ``expected`` None: the player gets an error."""

    name: str
    rule: str
    source: bytes
    expected: bytes | None
    status: int
    rungs: int | None
    reasons: Sequence[str] | None
    limits: Constraints


def case_of(folder: Path) -> Case:
    """Read a case."""
    about = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    expected = folder / "expected.mpd"
    limits = limits_of(about.get("profile", {}), about.get("query", {}), about.get("device", {}))
    return Case(
        name=folder.name,
        rule=about["rule"],
        source=(folder / "source.mpd").read_bytes(),
        expected=expected.read_bytes() if expected.exists() else None,
        status=about.get("status", 200),
        rungs=about.get("rungs"),
        reasons=about.get("reasons"),
        limits=limits,
    )


CASES = [case_of(path) for path in sorted(FOLDER.iterdir())]


def fitted(mpd: Mpd, limits: Constraints) -> Fit:
    """What stays of the ladder of an MPD."""
    return fit_all(rungs_of(mpd), limits)


def filtered(source: bytes, limits: Constraints) -> bytes:
    """The MPD that is left of a source, its URIs as they are."""
    mpd = parse(source)
    gone = gone_of(mpd, fitted(mpd, limits).kept, limits)
    return apply(mpd.document, filter_splices(mpd, gone))


def codes(found: Fit) -> list[str]:
    """The codes of what the fit did to the ladder."""
    return [reason.code for reason in found.reasons if reason.step is Step.LADDER]
