"""Which asset does this path name, and is that a name at all?"""

import re

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+"
_ASSET_ID = re.compile(rf"(?=.{{1,512}}\Z){_SEGMENT}(?:/{_SEGMENT})*\Z", re.DOTALL)


class AssetError(ValueError):
    """The path names no asset that could exist: the gateway answers 404."""


def asset_id(text: str) -> str:
    """Return ``text`` when it is an asset id (docs/http.md).

    An asset id is 1-512 characters of ``A-Z a-z 0-9 . _ ~ / -`` without an empty, ``.`` or ``..``
    segment, so it can neither leave a folder nor need escaping in a URL. ``text`` has been
    percent-decoded once, by the server; a ``%`` that is left makes it no id.

    Raises:
        AssetError: ``text`` is anything else. The message holds no player text.
    """
    if _ASSET_ID.match(text) is None:
        raise AssetError("not an asset id: 1-512 characters of A-Z a-z 0-9 . _ ~ / -")
    return text
