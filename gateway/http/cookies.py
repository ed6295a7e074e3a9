"""Reads the cookies of a request."""

from http.cookies import CookieError, SimpleCookie

MAX_COOKIE_CHARS = 8192
"""A longer header has no cookies for us."""


def cookies_of(header: str) -> dict[str, str]:
    """The cookies of a Cookie header by name. Lines that were joined with a comma are read, too."""
    if len(header) > MAX_COOKIE_CHARS:
        return {}
    found: SimpleCookie = SimpleCookie()
    try:
        found.load(header.replace(",", ";"))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in found.items()}
