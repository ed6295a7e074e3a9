"""How long an origin's response is fresh: RFC 9111 and RFC 5861 within bounds, as tables."""

from dataclasses import replace
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.source.origin.freshness import (
    CopyState,
    Lifetime,
    directives,
    http_date,
    lifetime_of,
    live_lifetime,
    retry_after,
)
from gateway.source.origin.origin_config import FreshnessBounds

NOW = 1_800_000_000.0
BOUNDS = FreshnessBounds(
    default_fresh_s=10,
    min_fresh_s=1,
    max_fresh_s=3600,
    stale_while_revalidate_s=30,
    max_stale_while_revalidate_s=60,
    stale_if_error_s=500,
    max_stale_if_error_s=1000,
)


def date(offset_s: float) -> str:
    """An HTTP date this many seconds after NOW."""
    return formatdate(NOW + offset_s, usegmt=True)


# headers, age, fresh, while revalidating, if error, shareable
LIFETIMES = [
    ("nothing is said", {}, (0, 10, 30, 500, True)),
    ("max-age", {"cache-control": "max-age=100"}, (0, 100, 30, 500, True)),
    ("capitals and spaces", {"cache-control": "Public , MAX-AGE = 100"}, (0, 100, 30, 500, True)),
    ("quoted", {"cache-control": 'max-age="100"'}, (0, 100, 30, 500, True)),
    ("s-maxage comes first", {"cache-control": "max-age=5, s-maxage=50"}, (0, 50, 30, 500, True)),
    ("of two the first", {"cache-control": "max-age=5, max-age=500"}, (0, 5, 30, 500, True)),
    ("more than the most", {"cache-control": "max-age=9999999"}, (0, 3600, 30, 500, True)),
    ("a huge number", {"cache-control": f"max-age={10**40}"}, (0, 3600, 30, 500, True)),
    ("less than the least", {"cache-control": "max-age=0"}, (0, 1, 30, 500, True)),
    ("no number", {"cache-control": "max-age=soon"}, (0, 1, 30, 500, True)),
    ("negative", {"cache-control": "max-age=-5"}, (0, 1, 30, 500, True)),
    ("without a value", {"cache-control": "max-age"}, (0, 1, 30, 500, True)),
    ("Expires less Date", {"expires": date(90), "date": date(-10)}, (10, 90, 30, 500, True)),
    ("Expires alone", {"expires": date(90)}, (0, 90, 30, 500, True)),
    ("Expires: 0", {"expires": "0"}, (0, 1, 30, 500, True)),
    ("Expires in the past", {"expires": date(-90)}, (0, 1, 30, 500, True)),
    (
        "max-age beats Expires",
        {"expires": date(-90), "cache-control": "max-age=5"},
        (0, 5, 30, 500, True),
    ),
    ("Age", {"age": "40", "cache-control": "max-age=100"}, (40, 60, 30, 500, True)),
    ("an old Date", {"date": date(-40), "cache-control": "max-age=100"}, (40, 60, 30, 500, True)),
    ("a Date to come", {"date": date(40), "cache-control": "max-age=100"}, (0, 100, 30, 500, True)),
    ("no Date", {"date": "yesterday", "age": "old"}, (0, 10, 30, 500, True)),
    ("two Ages", {"age": "40, 50", "cache-control": "max-age=100"}, (40, 60, 30, 500, True)),
    ("over already", {"age": "400", "cache-control": "max-age=100"}, (400, 1, 30, 500, True)),
    ("no-cache", {"cache-control": "no-cache, max-age=50"}, (0, 1, 0, 500, True)),
    ("no-store", {"cache-control": "no-store"}, (0, 1, 0, 500, False)),
    ("private", {"cache-control": "private, max-age=50"}, (0, 50, 30, 500, False)),
    ("must-revalidate", {"cache-control": "max-age=50, must-revalidate"}, (0, 50, 0, 500, True)),
    ("proxy-revalidate", {"cache-control": "max-age=50,proxy-revalidate"}, (0, 50, 0, 500, True)),
    (
        "stale directives",
        {"cache-control": "max-age=5, stale-while-revalidate=7, stale-if-error=70"},
        (0, 5, 7, 70, True),
    ),
    (
        "stale directives, above the bounds",
        {"cache-control": "stale-while-revalidate=7000, stale-if-error=70000"},
        (0, 10, 60, 1000, True),
    ),
    ("no stale copy wanted", {"cache-control": "stale-if-error=0"}, (0, 10, 30, 0, True)),
    ("unknown ones", {"cache-control": 'x="max-age=1", ;;,=,"'}, (0, 10, 30, 500, True)),
]


@pytest.mark.parametrize(
    ("headers", "expected"), [row[1:] for row in LIFETIMES], ids=[row[0] for row in LIFETIMES]
)
def test_the_lifetime_of_a_response(
    headers: dict[str, str], expected: tuple[float, float, float, float, bool]
) -> None:
    """Age, fresh for, stale while revalidating, stale if error, shareable."""
    found = lifetime_of(headers, NOW, NOW, BOUNDS)
    actual = (found.age_s, found.fresh_s, found.revalidate_s, found.error_s, found.shareable)
    assert expected == actual


def test_the_response_delay_counts() -> None:
    """``corrected_age_value`` (RFC 9111, 4.2.3): the response delay is added."""
    found = lifetime_of({"age": "3", "cache-control": "max-age=10"}, NOW - 2, NOW, BOUNDS)
    assert (5, 5) == (found.age_s, found.fresh_s)


STATES = [
    (-100, CopyState.FRESH), (0, CopyState.FRESH), (9, CopyState.FRESH),
    (10, CopyState.STALE), (39, CopyState.STALE),
    (40, CopyState.LAST_RESORT), (509, CopyState.LAST_RESORT),
    (510, CopyState.EXPIRED),
]  # fmt: skip


@pytest.mark.parametrize(("after_s", "expected"), STATES)
def test_what_a_copy_may_be_used_for(after_s: float, expected: CopyState) -> None:
    """Fresh for 10 s, then 30 s while revalidating, then until 500 s after it became stale."""
    life = Lifetime(NOW, 3, 10, 30, 500)
    assert expected is life.state(NOW + after_s)
    assert 3 + max(0, after_s) == life.age(NOW + after_s)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 30, 2.0**31),
        (date(30), 30.0),
        (date(-30), 0.0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("١٢", None),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    """RFC 9110, 10.2.3: seconds or a date."""
    assert expected == retry_after(value, NOW)


# update, fresh, while revalidating, if error; without it these are 100, 30 and 500 s
LIVE = [
    ("half is fresh, half is served meanwhile", 4.0, (2, 2, 60)),
    ("never less than the least", 0.0, (1, 0, 60)),
    ("a long one leaves what the origin says", 1000.0, (100, 30, 60)),
]


@pytest.mark.parametrize(
    ("update_s", "expected"), [row[1:] for row in LIVE], ids=[row[0] for row in LIVE]
)
def test_live_manifests(update_s: float, expected: tuple[float, float, float]) -> None:
    """Players ask again after ``update_s``, and must not get what they have."""
    bounds = replace(BOUNDS, max_stale_live_s=60)
    found = live_lifetime(Lifetime(NOW, 0, 100, 30, 500), update_s, bounds)
    assert expected == (found.fresh_s, found.revalidate_s, found.error_s)


def test_a_live_manifest_is_not_fresher_than_its_origin_says() -> None:
    """Nor is it served for longer."""
    life = Lifetime(NOW, 0, 1, 0, 5)
    assert life == live_lifetime(life, 60.0, BOUNDS)


@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_no_header_can_do_harm(cache: str, expires: str, when: str, age: str) -> None:
    """Any header gives a lifetime within the bounds, and no exception."""
    headers = {"cache-control": cache, "expires": expires, "date": when, "age": age}
    found = lifetime_of(headers, NOW - 1, NOW, BOUNDS)
    assert BOUNDS.min_fresh_s <= found.fresh_s <= BOUNDS.max_fresh_s
    assert 0 <= found.revalidate_s <= BOUNDS.max_stale_while_revalidate_s
    assert 0 <= found.error_s <= BOUNDS.max_stale_if_error_s
    assert found.age_s >= 1


@given(st.text(max_size=300))
def test_dates_and_directives_never_raise(text: str) -> None:
    """Invalid input gives None or nothing."""
    assert all(isinstance(name, str) for name in directives(text))
    assert http_date(text) is None or isinstance(http_date(text), float)
