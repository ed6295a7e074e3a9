"""Asset ids, as docs/http.md describes them."""

import pytest

from gateway.client.asset import AssetError, asset_id, is_asset_prefix


@pytest.mark.parametrize(
    "text",
    ["demo", "a", "shows/one/e01", "A-Z_a.z~09", ".hidden", "...", "a..b/c", "x" * 512],
)
def test_an_asset_id_comes_back_as_it_is(text: str) -> None:
    """What docs/http.md allows is returned unchanged."""
    assert text == asset_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a/..",
        "a%2fb",
        "a b",
        "a\\b",
        "a\n",
        "a\nb",
        "a?b",
        "é",
        "a\x00",
        "x" * 513,
        "a/" * 100_000,
    ],
)
def test_anything_else_is_no_asset(text: str) -> None:
    """A path is refused when it could leave the folder, needs escaping, or is too long."""
    with pytest.raises(AssetError, match="not an asset id"):
        asset_id(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", True),
        ("kids/", True),
        ("kids/a", True),
        (".", True),
        ("..", True),
        ("a/.", True),
        ("a/..", True),
        ("a/..b/", True),
        ("x" * 512, True),
        ("x" * 511 + "/", False),
        ("x" * 510 + "/.", False),
        ("x" * 513, False),
        ("", False),
        ("/", False),
        ("premium//", False),
        ("a//b", False),
        ("./", False),
        ("../x", False),
        ("kids/./x/", False),
        ("a/../", False),
        ("a b", False),
        ("a\n", False),
    ],
)
def test_what_an_asset_id_may_begin_with(text: str, expected: bool) -> None:
    """A last segment without an end may go on; the others must be those of an asset id."""
    assert expected == is_asset_prefix(text)
