"""Reads the cookies of a request."""

import re

MAX_COOKIE_CHARS = 8192
"""A longer header has no cookies for us."""
_BETWEEN = re.compile("[;,]")


def cookies_of(header: str) -> dict[str, str]:
    """The cookies of a Cookie header by name; of several with one name, the last. Lines that were
    joined with a comma are read, too.

    A browser sends the cookies of everything that runs on this host, on other ports as well. What
    is malformed there (RFC 6265, 4.1.1) hides no cookie of ours.
    """
    if len(header) > MAX_COOKIE_CHARS:
        return {}
    pairs = (each.partition("=") for each in _BETWEEN.split(header))
    return {name.strip(" \t"): value.strip(" \t") for name, equals, value in pairs if equals}
