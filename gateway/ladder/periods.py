"""What may it play of each Period? The fit of a title whose Periods play one after the other.

An HLS title is one Period. In DASH, each Period has a ladder of its own. Each is fitted by itself,
within the same limits (rule E10). So what stays of a Period does not depend on the others, and does
not change when a live title gets another one.

A Period that has none of the codecs that the request names is fitted without this limit, as long as
another Period has them: an advertisement must not make the title unplayable.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from operator import attrgetter

from gateway.ladder import words
from gateway.ladder.fit import Fit, fit, is_asked
from gateway.ladder.rung import Constraints, Rung, by_period, counted
from gateway.reason import Reason, Step

_of_any_period = attrgetter(
    *[field.name for field in fields(Rung) if field.name not in {"index", "period"}]
)
_NONE_YET = Reason(Step.LADDER, "no-rungs", "the source lists no rung, or none yet")
_NAMED = 3
"""How many Periods a reason names; it counts the others."""
_MAX_REASONS = 50


def fit_all(rungs: Sequence[Rung], limits: Constraints, home_pathway: str | None = None) -> Fit:
    """Fit every Period; ``rungs`` in the source's order. A live title may have none yet.

    ``home_pathway`` is the pathway on which the content steering of an HLS title starts. Raises
    :class:`gateway.ladder.fit.NothingToPlayError` when no rung uses only the codecs that the
    request asks for.
    """
    if not rungs:
        return Fit((), (_NONE_YET,), 0)
    periods = by_period(rungs)
    if len(periods) == 1 or not any(_is_any_asked(period, limits) for period in periods):
        return fit(periods[0], limits, home_pathway)
    known: dict[tuple[object, ...], Fit] = {}
    fits = []
    for period in periods:
        content = tuple(map(_of_any_period, period))
        found = known.get(content)
        if found is None:
            found = known[content] = _by_position(period, _fit_one(period, limits))
        fits.append(replace(found, kept=tuple([period[at].index for at in found.kept])))
    return Fit(
        kept=tuple([index for found in fits for index in found.kept]),
        reasons=_merged([period[0].period + 1 for period in periods], fits),
        rungs=max(found.rungs for found in fits),
    )


def _by_position(period: Sequence[Rung], found: Fit) -> Fit:
    """The fit with positions within the Period, which hold for every equal Period."""
    at = {rung.index: position for position, rung in enumerate(period)}
    return replace(found, kept=tuple([at[index] for index in found.kept]))


def _fit_one(period: Sequence[Rung], limits: Constraints) -> Fit:
    """Fit one of several Periods."""
    wanted = limits.wanted_codecs
    if wanted is None or _is_any_asked(period, limits):
        return fit(period, limits)
    text = f"the request is limited to {words.names(wanted)}, but no rung uses only these; "
    text += "this is ignored"
    reason = Reason(Step.LADDER, "codecs-asked-relaxed", text)
    found = fit(period, replace(limits, wanted_codecs=None))
    return replace(found, reasons=(reason, *found.reasons))


def _is_any_asked(period: Sequence[Rung], limits: Constraints) -> bool:
    return any(is_asked(rung, limits) for rung in counted(period))


def _merged(numbers: Sequence[int], fits: Iterable[Fit]) -> tuple[Reason, ...]:
    """The reasons of the Periods with these numbers, each once. One that does not hold for all of
    them names its Periods. Playback starts in the first, so only its start is explained."""
    where: dict[Reason, list[int]] = {}
    for number, found in zip(numbers, fits, strict=True):
        for reason in dict.fromkeys(found.reasons):
            if number == numbers[0] or reason.step is not Step.START:
                where.setdefault(reason, []).append(number)
    merged = [
        reason
        if len(names) == len(numbers) or reason.step is Step.START
        else reason._replace(text=f"in {_period_names(names)}: {reason.text}")
        for reason, names in where.items()
    ]
    starts = [reason for reason in merged if reason.step is Step.START]
    others = [reason for reason in merged if reason.step is not Step.START]
    if len(others) > _MAX_REASONS:
        text = f"{len(others) - _MAX_REASONS} more reasons, for other Periods"
        others[_MAX_REASONS:] = [Reason(Step.LADDER, "reasons-omitted", text)]
    return (*others, *starts)


def _period_names(numbers: Sequence[int]) -> str:
    """``Period 3``, or ``Periods 1, 2, 4 and 7 more``."""
    names = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"Period {names}" if len(numbers) == 1 else f"Periods {names}{more}"
