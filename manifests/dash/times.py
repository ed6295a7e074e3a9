"""Times in an MPD: ``xs:duration`` and ``xs:dateTime`` (XML Schema part 2, 3.2.6 and 3.2.7)."""

import re

_DURATION = re.compile(
    r"[ \t\r\n]*P(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})D)?"
    r"(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9}(?:\.[0-9]{0,20})?)S)?)?[ \t\r\n]*"
)
_SECONDS = (365 * 86_400, 30 * 86_400, 86_400, 3600, 60, 1)
"""Of a year, a month and so on; MPDs have no years, whose length differs."""
_DAYS_TO_1970 = 719_162
_DATE_TIME = re.compile(
    r"[ \t\r\n]*([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,20}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))?[ \t\r\n]*"
)


def duration_s(text: str | None) -> float | None:
    """A duration such as ``PT1H2.5S`` in seconds; None when it is absent, negative, or none."""
    found = None if text is None else _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    return sum(
        float(number) * seconds
        for number, seconds in zip(found.groups(), _SECONDS, strict=True)
        if number is not None
    )


def date_time_s(text: str | None) -> float | None:
    """A time such as ``2026-11-29T10:00:00.5Z`` in Unix seconds; None when it is absent or none.
    Without a time zone it is UTC (ISO/IEC 23009-1, 5.3.1.2)."""
    found = None if text is None else _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, ahead_h, ahead_m = found.groups()
    days = _days(int(year), int(month), int(day))
    if days is None:
        return None
    of_day_s = int(hour) * 3600 + int(minute) * 60 + int(second)
    ahead_s = int(ahead_h or 0) * 3600 + int(ahead_m or 0) * 60
    whole_s = days * 86_400 + of_day_s - (-ahead_s if sign == "-" else ahead_s)
    return whole_s + float(f"0.{fraction or 0}")


def _days(year: int, month: int, day: int) -> int | None:
    """Days from 1970-01-01 to a date of the Gregorian calendar; None for one that is none."""
    leaps = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    months = (31, 29 if leaps else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not (year and 1 <= month <= len(months) and 1 <= day <= months[month - 1]):
        return None
    before = year - 1
    of_years = before * 365 + before // 4 - before // 100 + before // 400
    return of_years + sum(months[: month - 1]) + day - 1 - _DAYS_TO_1970
