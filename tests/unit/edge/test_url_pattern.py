"""Which URLs registered edges may have."""

import pytest

from gateway.edge.url_pattern import UrlPattern

MATCHES = [
    ("https://*.cdn.example.com/", "https://fra-3.cdn.example.com/", True),
    ("https://*.cdn.example.com/", "https://a.b.cdn.example.com/v/", True),
    ("https://*.cdn.example.com/", "https://FRA.CDN.example.com./", True),
    ("https://*.cdn.example.com/", "https://fra.cdn.example.com:443/", True),
    ("https://*.cdn.example.com/", "https://fra.cdn.example.com:444/", False),
    ("https://*.cdn.example.com/", "http://fra.cdn.example.com/", False),
    ("https://*.cdn.example.com/", "https://cdn.example.com/", False),
    ("https://*.cdn.example.com/", "https://.cdn.example.com/", False),
    ("https://*.cdn.example.com/", "https://evilcdn.example.com/", False),
    ("https://*.cdn.example.com/", "https://cdn.example.com.evil.example/", False),
    ("https://*.cdn.example.com/", "https://a.cdn.example.com@evil.example/", False),
    ("https://a.example/videos", "https://a.example/videos/", True),
    ("https://a.example/videos/", "https://a.example/videos/x/", True),
    ("https://a.example/videos/", "https://a.example/videosx/", False),
    ("https://a.example/videos/", "https://a.example/videos/../x/", False),
    ("https://a.example/videos/", "https://a.example/videos/%2e%2E/x/", False),
    ("https://a.example/videos/", "https://a.example/videos/..%5cx/", False),
    ("https://a.example/", "https://b.example/", False),
    ("http://*:*/", "http://127.0.0.1:8081/v/", True),
    ("http://*:8081/", "http://a:8082/", False),
    ("http://*/", "http://a/", True),
    ("http://[::1]:*/", "http://[::1]:8081/", True),
    ("http://*/", "http://a:99999/", False),
    ("http://*/", "javascript:1", False),
    ("http://*/", "http:///", False),
]


@pytest.mark.parametrize(("pattern", "url", "expected"), MATCHES)
def test_matches(pattern: str, url: str, expected: bool) -> None:
    """Scheme, host, port and path."""
    assert expected == UrlPattern.of(pattern).matches(url)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "*",
            "https://",
            "https://a",
            "ftp://a/",
            "https://a*/",
            "https://*a/",
            "https://a:x/",
        ),
        *("https://a/*", "https://a/?q", "https://u@a/", "https://*.*/", "https://a/../"),
    ],
)
def test_what_is_no_pattern(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="is not a pattern of URLs"):
        UrlPattern.of(text)
