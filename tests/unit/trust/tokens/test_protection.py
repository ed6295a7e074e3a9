"""Which assets want a token, and which tokens open them?"""

import pytest

from gateway.trust.tokens.protection import Protection, Protections, RequiredClaim
from gateway.trust.tokens.verified import VerifiedToken

GRANT = VerifiedToken("k", b"", issuer="a", audiences=frozenset({"x"}))
FULL = VerifiedToken(
    "k",
    b"",
    assets=frozenset({"a"}),
    token_id="t",
    subject="s",
    session="s",
    countries=frozenset({"GB"}),
    asns=frozenset({1}),
    devices=frozenset(),
    max_sessions=1,
)


OF_KEY = "The key of the token does not open this asset."
NEEDS = "This asset needs a token with the claim "


def test_the_longest_prefix_decides() -> None:
    """Letter by letter; an open one needs no token."""
    everything, kids = Protection(), Protection("kids/", required=(RequiredClaim.COUNTRIES,))
    found = Protections([everything, kids, Protection("kids/trailers/", is_open=True)])
    assert found
    assert [everything, kids, None, everything] == [
        found.of(asset) for asset in ("film", "kids/one", "kids/trailers/one", "kids")
    ]


def test_where_assets_are_licensed() -> None:
    """With a token or without one; the longest prefix decides alone."""
    nordic = Protection("a/", is_open=True, countries=frozenset({"NO", "SE"}))
    found = Protections([nordic, Protection("a/b/", is_open=True), Protection("c/")])
    rows = [(asset, found.over(asset), found.is_public(asset)) for asset in ("a/x", "a/b/x", "z")]
    assert [("a/x", nordic, False), ("a/b/x", Protection("a/b/", is_open=True), True)] == rows[:2]
    assert ("z", None, True) == rows[2]
    assert not found.is_public("c/x")
    assert not Protections([Protection(is_open=True, refuse_anonymous=True)]).is_public("a")
    for country, unknown, expected in (
        *(("NO", False, True), ("DK", True, False)),
        *((None, False, False), (None, True, True)),
    ):
        assert expected is nordic.is_licensed(country, unknown=unknown)
        assert Protection().is_licensed(country, unknown=unknown)


def test_nothing_is_protected() -> None:
    """Without protections, or with open ones alone."""
    assert not Protections()
    assert Protections().of("a") is None
    assert not Protections([Protection(is_open=True)])
    assert Protections([Protection("a")]).of("b") is None


@pytest.mark.parametrize(
    ("protection", "grant", "expected"),
    [
        (Protection(), GRANT, None),
        (Protection(keys=frozenset({"k"})), GRANT, None),
        (
            Protection(keys=frozenset({"j"})),
            GRANT,
            OF_KEY,
        ),
        (Protection(issuers=frozenset({"a"})), GRANT, None),
        (
            Protection(issuers=frozenset({"b"})),
            GRANT,
            "The issuer of the token does not open this asset.",
        ),
        (Protection(audiences=frozenset({"x", "y"})), GRANT, None),
        (Protection(audiences=frozenset({"y"})), GRANT, "The token is for another audience."),
        (Protection(required=tuple(RequiredClaim)), FULL, None),
        *(
            (
                Protection(required=(each,)),
                GRANT,
                NEEDS + f"{each}.",
            )
            for each in RequiredClaim
        ),
    ],
)
def test_which_tokens_open(
    protection: Protection, grant: VerifiedToken, expected: str | None
) -> None:
    """By their key, issuer, audience and claims."""
    assert expected == protection.mismatch(grant)
