"""An HMAC in the path, in a form that the configuration describes.

It fits edges whose operators write the check themselves, such as Varnish in VCL. ``path`` is the
form of the signed folder, and ``message`` the text of the HMAC::

    path    = "{prefix}~{expires}~{mac}/"
    message = "{expires}{prefix}"

``{prefix}`` is the path of the folder as it is in the URL; it begins and ends with ``/``. An edge
has to find out where it ends: by what stands behind it, or, where ``{prefix}`` comes last, because
all signed folders have the same depth.

Fastly's token validation is a preset of this scheme: its documented token, in the path instead of
the query.
"""

import hmac
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.edge.signing import Validity
from gateway.trust.edge_signing.scheme import (
    NO_MATCH,
    NO_SIGNATURE,
    InPath,
    SchemeError,
    SecretKey,
    base64url,
    check_times,
    normal_origin,
    split,
)

Algorithm = Literal["sha256", "sha1"]
Encoding = Literal["hex", "base64url"]

DEFAULT_PATH: Final = "{prefix}~{expires}~{mac}/"
DEFAULT_MESSAGE: Final = "{expires}{prefix}"
FASTLY_PATH: Final = "{prefix}~{expires}_{mac}/"
FASTLY_MESSAGE: Final = "{prefix}{expires}"

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_PREFIX_LAST: Final = r"(?P<prefix>/.*)"
_IN_PATH: Final = {
    "prefix": r"(?P<prefix>/(?:.*?/)?)",
    "expires": r"(?P<expires>[0-9]{1,12})",
    "starts": r"(?P<starts>[0-9]{1,12})",
    "key": r"(?P<key>[A-Za-z0-9_-]+)",
    "mac": "",  # it has a length
}
_IN_MESSAGE: Final = frozenset({"prefix", "expires", "starts", "key", "host"})
_TEXT: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_TOGETHER: Final = re.compile(r"\}\{(?!prefix\})")
_MAC_CHARS: Final[Mapping[tuple[str, str], int]] = {
    ("sha256", "hex"): 64,
    ("sha256", "base64url"): 43,
    ("sha1", "hex"): 40,
    ("sha1", "base64url"): 27,
}


@dataclass(frozen=True, slots=True)
class TemplateSigner(InPath):
    """``path`` and ``message`` as in the configuration. Raises SchemeError when they do not fit."""

    key: SecretKey
    path: str = DEFAULT_PATH
    message: str = DEFAULT_MESSAGE
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    scheme: Literal["template", "fastly"] = "template"
    _form: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the templates, and compile the form of a signed path."""
        _check(self.path, self.message)
        chars = _MAC_CHARS[self.algorithm, self.encoding]
        forms = {**_IN_PATH, "mac": rf"(?P<mac>[A-Za-z0-9_-]{{{chars}}})"}
        if self.path.endswith("{prefix}"):
            forms["prefix"] = _PREFIX_LAST
        parts = enumerate(_FIELD.split(self.path))
        form = "".join(forms[part] if at % 2 else re.escape(part) for at, part in parts)
        object.__setattr__(self, "_form", re.compile(form + ".*"))

    @property
    def key_id(self) -> str:
        """The id of the key that signs."""
        return self.key.id

    def signed_base(self, edge_url: str, folder: str, validity: Validity) -> str:
        """The edge's scheme and host, and ``path`` filled in."""
        origin, prefix = split(f"{edge_url}{folder}")
        values = {
            "prefix": prefix,
            "expires": str(validity.expires_s),
            "starts": str(validity.starts_s),
            "key": self.key.id,
            "host": _host(edge_url),
        }
        return origin + _filled(self.path, {**values, "mac": self._mac(values)})

    def refusal(self, url: str, cookies: Mapping[str, str], now_s: float) -> str | None:  # noqa: ARG002
        """As an edge that checks the HMAC first, then the times."""
        found = self._form.fullmatch(split(url)[1])
        if found is None:
            return NO_SIGNATURE
        values = {"host": _host(url), **found.groupdict()}
        if not any(
            hmac.compare_digest(values["mac"], self._mac({**values, "prefix": prefix}))
            for prefix in self._prefixes(values["prefix"])
        ):
            return NO_MATCH
        return check_times(int(values.get("starts", 0)), int(values["expires"]), now_s)

    def _prefixes(self, found: str) -> Iterator[str]:
        """What may be the signed folder."""
        if not self.path.endswith("{prefix}"):
            yield found
            return
        for cut in re.finditer("/", found):
            yield found[: cut.end()]

    def _mac(self, values: Mapping[str, str]) -> str:
        text = _filled(self.message, values).encode()
        mac = hmac.digest(self.key.secret, text, self.algorithm)
        return mac.hex() if self.encoding == "hex" else base64url(mac)


def has_start(path: str) -> bool:
    """Whether the template has a time from which the signature is good."""
    return "{starts}" in path


def _check(path: str, message: str) -> None:
    """Raise SchemeError for templates that cannot be filled in, or that no edge could check."""
    in_path = _fields("path", path, _IN_PATH.keys())
    in_message = _fields("message", message, _IN_MESSAGE)
    if not path.startswith(("/", "{prefix}")) or not path.endswith(("/", "{prefix}")):
        allowed = "a path that begins and ends with / or {prefix}"
        raise SchemeError("path", "is not the path of a folder", allowed)
    if _TOGETHER.search(path):
        problem = "has two fields with nothing between them, which no edge can tell apart"
        raise SchemeError("path", problem, "a character between two fields")
    for needed in ("prefix", "expires", "mac"):
        if needed not in in_path:
            problem = f"has no {{{needed}}}"
            raise SchemeError("path", problem, "a path with {prefix}, {expires} and {mac}")
    for needed in ("prefix", "expires"):
        if needed not in in_message:
            problem = f"has no {{{needed}}}, which anybody could change then"
            raise SchemeError("message", problem, "a text with {prefix} and {expires}")
    for given in ("starts", "key"):
        if (given in in_path) is not (given in in_message):
            without = "message" if given in in_path else "path"
            problem = f"has no {{{given}}}, and the other template has"
            raise SchemeError(without, problem, f"{{{given}}} in path and message, or in neither")


def _fields(key: str, template: str, known: Collection[str]) -> Collection[str]:
    """The fields of a template. Raises SchemeError."""
    names = _FIELD.findall(template)
    allowed = "text with " + ", ".join(f"{{{name}}}" for name in sorted(known))
    if any(name not in known for name in names):
        raise SchemeError(key, "has a field that is not known", allowed)
    if len(set(names)) < len(names):
        raise SchemeError(key, "has a field twice", allowed)
    if not _TEXT.fullmatch(_FIELD.sub("", template)):
        raise SchemeError(key, "has a character that is not allowed in a path", allowed)
    return names


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda found: values[found[1]], template)


def _host(url: str) -> str:
    return normal_origin(url).partition("://")[2]
