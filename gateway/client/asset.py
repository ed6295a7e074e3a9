"""Is this text a valid asset id?"""

import re

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+"
NO_PREFIX = (
    "cannot begin an asset id; allowed are 1 to 512 characters of A-Z a-z 0-9 . _ ~ / -, without a "
    "segment that is empty, . or .."
)
"""Why a text is no prefix of asset ids."""
_ASSET_ID = re.compile(rf"(?=.{{1,512}}\Z){_SEGMENT}(?:/{_SEGMENT})*\Z", re.DOTALL)


class AssetError(ValueError):
    """The text is not an asset id; the gateway answers 404."""


def asset_id(text: str) -> str:
    """Return ``text`` if it is an asset id (docs/http.md).

    An asset id has 1-512 characters of ``A-Z a-z 0-9 . _ ~ / -`` and no segment that is empty,
    ``.`` or ``..``. It therefore cannot leave a folder, and needs no escaping in a URL. The server
    has percent-decoded ``text`` once; a remaining ``%`` is not allowed.

    Raises:
        AssetError: ``text`` is not an asset id. The message does not contain the text.
    """
    if _ASSET_ID.match(text) is None:
        raise AssetError("not an asset id: 1-512 characters of A-Z a-z 0-9 . _ ~ / -")
    return text


def is_asset_prefix(text: str) -> bool:
    """Whether an asset id may begin with ``text``, which may end within a segment: ``a/..`` begins
    ``a/..b``. An empty prefix is refused: a typing error must not mean everything."""
    ids = (text, f"{text}a")
    return text != "" and any(_ASSET_ID.match(each) for each in ids)
