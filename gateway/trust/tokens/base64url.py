"""base64url without padding (RFC 4648, 5), in its only form.

The last character of a text may have bits that no byte uses. A text in which they are not zero is
refused, so that no two texts are the same token.
"""

import re
from binascii import a2b_base64, b2a_base64
from typing import Final

_TEXT: Final = re.compile(r"[A-Za-z0-9_-]*")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


def decoded(text: str) -> bytes | None:
    """The bytes of ``text``; None when it is not base64url in its only form."""
    if not _TEXT.fullmatch(text) or len(text) % 4 == 1:
        return None
    data = a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4))
    return data if encoded(data) == text else None


def encoded(data: bytes) -> str:
    """``data`` in base64url."""
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")
