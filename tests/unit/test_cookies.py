"""The cookies of a request, among those of everything else that runs on the same host."""

import pytest

from gateway.play.cookies import MAX_COOKIE_CHARS, cookies_of

OURS = "__Host-gateway-session=2026-11.AbC-_x"


@pytest.mark.parametrize(
    "header",
    [
        OURS,
        f"a=1; {OURS}; b=2",
        f'prefs={{"a":1}}; {OURS}',
        f"a[b]=1; {OURS}",
        f"a=b c; {OURS}",
        f"no-value; {OURS}",
        f'open="quote; {OURS}',
        f"path=/; {OURS}",
        f"\xe9=\xe9; {OURS}",
        f";;=;\t{OURS} ;",
        f"__Host-gateway-session=tossed; {OURS}",
    ],
)
def test_malformed_neighbours_hide_no_cookie(header: str) -> None:
    assert "2026-11.AbC-_x" == cookies_of(header)["__Host-gateway-session"]


@pytest.mark.parametrize("between", [",", ", ", "\t,"])
def test_a_value_names_no_cookie(between: str) -> None:
    """Any host of the domain may set such a cookie, but none whose name begins with __Host-."""
    planted = OURS.replace("AbC", "planted")
    assert {"a": f"x{between}{planted}"} == cookies_of(f"a=x{between}{planted}")
    both = cookies_of(f"{OURS}; a=x{between}{planted}")
    assert "2026-11.AbC-_x" == both["__Host-gateway-session"]


@pytest.mark.parametrize("header", ["", ";", "a", "a" * MAX_COOKIE_CHARS + "=1"])
def test_no_cookies(header: str) -> None:
    assert {} == cookies_of(header)
