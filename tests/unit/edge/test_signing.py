"""What a signature covers, and for how long."""

from collections.abc import Mapping
from typing import Literal

import pytest

from gateway.edge.signing import (
    Covers,
    EdgeSigning,
    SignedCookie,
    Validity,
)


class PlainSigner:
    """Writes what it is asked to sign."""

    scheme = "plain"
    key_id = "k"
    carrier: Literal["path", "cookie"] = "path"

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:
        """The folder, then the times."""
        return f"{edge_url}{folder}~{validity.starts_s}-{validity.expires_s}/"

    def cookies(self, edge_url: str, folder: str, validity: Validity) -> tuple[SignedCookie, ...]:
        """One cookie with the time."""
        return (SignedCookie("c", str(validity.expires_s), "example", f"{edge_url}{folder}"),)

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:  # noqa: ARG002
        """Nothing is refused."""
        return None


def signing(covers: Covers = "asset", segments: int = 0, skew_s: int = 0) -> EdgeSigning:
    """A lifetime of 1000 s in steps of 100 s."""
    return EdgeSigning("id", PlainSigner(), 1000, 100, skew_s, covers, segments)


@pytest.mark.parametrize(
    ("now_s", "skew_s", "expected"),
    [
        (0, 0, (0, 1100)),
        (99.9, 0, (0, 1100)),
        (100, 0, (100, 1200)),
        (1_799_999_999, 60, (1_799_999_840, 1_800_001_000)),
        (1_800_000_000, 60, (1_799_999_940, 1_800_001_100)),
    ],
)
def test_signatures_begin_and_end_on_steps(
    now_s: float, skew_s: int, expected: tuple[int, int]
) -> None:
    """The same within a step; at least the lifetime, and at most a step more."""
    validity = signing(skew_s=skew_s).validity(now_s)
    assert Validity(*expected) == validity
    assert 1000 < validity.expires_s - now_s <= 1100
    assert validity.starts_s <= now_s - skew_s
    unchanged_s = signing(skew_s=skew_s).unchanged_s(now_s)
    assert validity == signing(skew_s=skew_s).validity(int(now_s) + unchanged_s)
    assert validity != signing(skew_s=skew_s).validity(int(now_s) + unchanged_s + 1)


@pytest.mark.parametrize(
    ("covers", "segments", "path", "folder"),
    [
        ("asset", 0, "show/s1/e1/master.m3u8", "show/s1/e1/"),
        ("asset", 0, "show/s1/e1/master.m3u8?a=/b/c", "show/s1/e1/"),
        ("asset", 0, "show/master.mpd#t=/1", "show/"),
        ("asset", 0, "master.m3u8", ""),
        ("asset", 0, "", ""),
        ("edge", 0, "show/s1/e1/master.m3u8", ""),
        ("segments", 1, "show/s1/e1/master.m3u8", "show/"),
        ("segments", 2, "show/s1/e1/master.m3u8", "show/s1/"),
        ("segments", 3, "show/s1/e1/master.m3u8", "show/s1/e1/"),
        ("segments", 4, "show/s1/e1/master.m3u8", "show/s1/e1/"),
        ("segments", 2, "show/master.m3u8", "show/"),
        ("segments", 2, "master.m3u8", ""),
    ],
)
def test_what_is_covered(covers: Covers, segments: int, path: str, folder: str) -> None:
    """The folder of the manifest, all of the edge, or a number of segments; never more than the
    folder that the file is in."""
    assert folder == signing(covers, segments).folder_of(path)


def test_what_is_signed() -> None:
    """The base takes the place of url and folder; a single URL is its base and the rest."""
    given = signing()
    assert "https://e/v/a/b/~0-1100/" == given.signed_base("https://e/v/", "a/b/", 5)
    assert "https://e/v/a/b/~0-1100/c.m3u8?d" == given.signed_url("https://e/v/", "a/b/c.m3u8?d", 5)
    assert "https://e/v/~0-1100/c" == given.signed_url("https://e/v/", "c", 5)
    (cookie,) = given.cookies("https://e/v/", "a/", 5)
    assert ("c", "1100", "https://e/v/a/") == (cookie.name, cookie.value, cookie.path)


def test_the_id_stands_for_everything() -> None:
    """Equal ids are equal signings, so that an edge with another key is another edge. Neither it
    nor a cookie's value is shown."""
    one, other = signing(), EdgeSigning("other", PlainSigner(), 1000, 100)
    assert (one, hash(one)) == (signing("edge"), hash(signing("edge")))
    assert one != other
    assert "other" not in repr(other)
    assert "1100" not in repr(one.cookies("https://e/", "", 5))
