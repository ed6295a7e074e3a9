"""Reads the cookies of a request."""

MAX_COOKIE_CHARS = 8192
"""A longer header has no cookies for us."""


def cookies_of(header: str) -> dict[str, str]:
    """The cookies of a Cookie header by name; of several with one name, the last. Several lines are
    joined with ``; `` (RFC 9113, 8.2.3).

    A browser sends the cookies of everything that runs on this host or may set cookies for its
    domain. What is malformed there (RFC 6265, 4.1.1) hides no cookie of ours. A comma ends no
    cookie: browsers send it within a value, where another host could name a cookie that only this
    one may set (``__Host-``).
    """
    if len(header) > MAX_COOKIE_CHARS:
        return {}
    pairs = (each.partition("=") for each in header.split(";"))
    return {name.strip(" \t"): value.strip(" \t") for name, equals, value in pairs if equals}
