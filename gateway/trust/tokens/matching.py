"""Does a URI or a header field match what a token says of it (CTA-5007: ``catu``, ``cath``)?

A component matches when all its rules do. Regular expressions are not supported: what they cost
depends on text that anyone may write.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from gateway.trust.tokens.refusal import RefusalCode, TokenError

_EXACT, _PREFIX, _SUFFIX, _CONTAINS, _REGEX, _SHA256, _SHA512_256 = 0, 1, 2, 3, 4, -1, -2
_TEXTS: Final = frozenset({_EXACT, _PREFIX, _SUFFIX, _CONTAINS})
_HASHES: Final[Mapping[int, str]] = {_SHA256: "sha256", _SHA512_256: "sha512_256"}
_HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its kind, and the text, or the hash of the text, that it wants."""

    kind: int
    wanted: str | bytes

    def matches(self, text: str) -> bool:
        """Whether ``text`` follows the rule."""
        if isinstance(self.wanted, bytes):
            data = hashlib.new(_HASHES[self.kind], text.encode("utf-8", "replace")).digest()
            return hmac.compare_digest(data, self.wanted)
        match self.kind:
            case 0:
                return text == self.wanted
            case 1:
                return text.startswith(self.wanted)
            case 2:
                return text.endswith(self.wanted)
            case _:
                return self.wanted in text


Rules = tuple[Rule, ...]


def _port(url: SplitResult) -> str:
    default = {"http": "80", "https": "443"}.get(url.scheme, "")
    return default if url.port is None else str(url.port)


def _file(url: SplitResult) -> str:
    return url.path.rpartition("/")[2]


def _extension(url: SplitResult) -> str:
    _, dot, extension = _file(url).partition(".")
    return dot + extension


_COMPONENTS: Final[Mapping[int, Callable[[SplitResult], str]]] = {
    0: lambda url: url.scheme,
    1: lambda url: url.hostname or "",
    2: _port,
    3: lambda url: url.path,
    5: lambda url: url.path.rpartition("/")[0],
    6: _file,
    7: lambda url: _file(url).partition(".")[0],
    8: _extension,
}
"""Scheme, host, port, path, parent path, file name, stem and extension; 4 is the query, to which
players add their own parameters."""
_QUERY: Final = 4


@dataclass(frozen=True, slots=True)
class UriRules:
    """What the components of a URI must match, by their numbers."""

    components: tuple[tuple[int, Rules], ...]

    def match(self, uri: str) -> bool:
        """Whether an absolute URI follows all rules."""
        try:
            parts = urlsplit(uri)
            return all(
                rule.matches(_COMPONENTS[number](parts))
                for number, rules in self.components
                for rule in rules
            )
        except ValueError:  # a URI that cannot be taken apart
            return False


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """What header fields must match, by their names in lower case."""

    fields: tuple[tuple[str, Rules], ...]

    def match(self, value_of: Callable[[str], str | None]) -> bool:
        """Whether all fields are there and follow their rules. ``value_of`` gives the value of a
        field by its name in lower case."""
        return all(
            value is not None and all(rule.matches(value) for rule in rules)
            for name, rules in self.fields
            for value in [value_of(name)]
        )


def uri_rules(value: object) -> UriRules:
    """The rules of ``catu``. Raises TokenError."""
    if not isinstance(value, dict) or not value:
        raise _bad("catu")
    for number in value:
        if number == _QUERY:
            raise _unsupported("the query of the URI (catu)")
        if type(number) is not int or number not in _COMPONENTS:
            raise _unsupported("a component of the URI (catu) that it does not know")
    return UriRules(tuple((number, _rules("catu", each)) for number, each in value.items()))


def header_rules(value: object) -> HeaderRules:
    """The rules of ``cath``. Raises TokenError."""
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise _bad("cath")
    return HeaderRules(tuple((name.lower(), _rules("cath", each)) for name, each in value.items()))


def _rules(claim: str, value: object) -> Rules:
    if not isinstance(value, dict) or not value:
        raise _bad(claim)
    return tuple(_rule(claim, kind, wanted) for kind, wanted in value.items())


def _rule(claim: str, kind: Any, wanted: Any) -> Rule:  # noqa: ANN401
    if type(kind) is int and kind == _REGEX:
        raise _unsupported(f"a regular expression in the claim {claim}")
    if type(kind) is not int or kind not in {*_TEXTS, *_HASHES}:
        raise _unsupported(f"a kind of match in the claim {claim}")
    of_text = kind in _TEXTS and isinstance(wanted, str)
    if not of_text and not (
        kind in _HASHES and isinstance(wanted, bytes) and len(wanted) == _HASH_BYTES
    ):
        raise _bad(claim)
    return Rule(kind, wanted)


def _bad(claim: str) -> TokenError:
    return TokenError(RefusalCode.CLAIM, f"The claim {claim} does not have its form.")


def _unsupported(what: str) -> TokenError:
    return TokenError(RefusalCode.UNSUPPORTED, f"The token has {what}, which is not supported.")
