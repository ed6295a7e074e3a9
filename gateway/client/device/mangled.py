"""Undoes what logs, proxies and exports did to the separators of a User-Agent.

Players behind such middlemen send ``Linux%3B Android 9``, ``Linux\\x3b Android 9``,
``Linux## U## Android 9`` or ``Mozilla/5.0+(Linux;+Android+9)``. The same device must be found as
from the text that the player's maker wrote. Every step is linear in the text.
"""

import html
import re
from urllib.parse import unquote

from gateway.client.device.phrases import LinearPattern

# A text without any of these is as its maker wrote it.
_SUSPECT = LinearPattern(
    r"[%\\&#\"|~$\t]|  |[^ -~]|\((?:[Ll]inux|[Xx]11|i[Pp]hone|i[Pp]ad|[Mm]acintosh)[^;)\w-]"
    r"|\([Ll]inux[^;) ]{1,6} (?:U|[Aa]ndroid)"
)
_PERCENT = re.compile(r"%[\da-fA-F]{2}")
_PERCENT_U = re.compile(r"%u00(?=[\da-fA-F]{2})")
_ESCAPE = re.compile(r"\\+(?:x([\da-fA-F]{2})|u00([\da-fA-F]{2})|([^\w\s]))")
_ENTITY = re.compile(r"&(?:#\d{1,5}|#[xX][\da-fA-F]{1,4}|[a-zA-Z]{2,6});")
# What stands where a semicolon belongs, after the first word in brackets.
_SEPARATOR = re.compile(
    r"\((?:linux|x11|iphone|ipad|ipod(?: touch)?|macintosh|compatible|web0s|windows(?: nt [\d.]+)?)"
    r"[ ]?([^\w\s;()./+'-]{1,4})",
    re.IGNORECASE,
)
# Any other text that stands there, with a space behind it: ``(Linux<SC> U<SC> Android 9<SC> X``.
_ODD_SEPARATOR = re.compile(r"\(linux([^\s;()]{1,6}) (?:u\1 )?android ", re.IGNORECASE)
_NO_SEPARATOR = re.compile(
    r"\((linux)(?: u)? (android [\d.]{1,8}) (?:([a-z]{2}-[a-z]{2}) )?(?=[^;)]{1,60} build/)",
    re.IGNORECASE,
)
_WORD_GAP = re.compile(r"(?<!\d)_|_(?!\d)")
_WIDE = str.maketrans("；（）／，＿", ";()/,_")  # noqa: RUF001 - full-width forms
_ROUNDS = 2  # a text may have been escaped twice
_MIN_GAPS = 2


def restored(text: str) -> str:
    """``text`` with the separators that its maker wrote. It is never longer than before, but for
    one character where a separator was lost."""
    if " " in text and not _SUSPECT.occurs_in(text):
        return text
    for _ in range(_ROUNDS):
        text = _unescaped(text)
    text = text.translate(_WIDE).strip(" \"'")
    if text[:11].lower() == "user-agent:":
        text = text[11:]
    if " " not in text.strip():
        text = _with_spaces(text)
    text = " ".join(text.split())
    found = _ODD_SEPARATOR.search(text)
    if found is not None:
        text = text.replace(f"{found[1]} ", "; ")
    found = _SEPARATOR.search(text)
    if found is not None:
        text = text.replace(found[1], ";")
    return _NO_SEPARATOR.sub(r"(\1; \2; ", text) if ";" not in text else text


def _unescaped(text: str) -> str:
    if "%" in text:
        text = _PERCENT_U.sub("%", text)
        if _PERCENT.search(text):
            text = unquote(text, errors="replace")
    if "\\" in text:
        text = _ESCAPE.sub(_character, text)
    if "&" in text and _ENTITY.search(text):
        text = html.unescape(text)
    return text


def _character(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else found[3]


def _with_spaces(text: str) -> str:
    """Spaces for the plus signs of IIS logs, or for underscores that are not between digits."""
    if text.count("+") >= _MIN_GAPS:
        return text.replace("+", " ")
    if ";_" in text and text.count("_") > _MIN_GAPS:
        return _WORD_GAP.sub(" ", text)
    return text
