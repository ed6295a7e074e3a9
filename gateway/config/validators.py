"""Is one value well formed? Every function takes a value and returns its normal form.

They raise ``ValueError`` with the second half of a sentence that starts with the value:
``"10.0.0.1/8" has host bits set``. Relative paths start at the folder of the configuration file
(``context["folder"]``).
"""

import re
import ssl
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr, ValidationInfo

from gateway.client.asset import is_asset_prefix
from gateway.edge.url_pattern import UrlPattern
from gateway.policy.rules import TimeWindow
from geodata.regions import is_country

# Printable ASCII allowed in a URL inside a manifest: no quotes, spaces or control characters.
_URL_TEXT: Final = re.compile(r"[!#-;=?-\[\]_a-z~%]+")
_SECRET: Final = re.compile(r"[!-~]{1,4096}")
_SIGNING_SECRET: Final = re.compile(r"[!-~]{32,4096}")
_MAX_SECRET_FILE_BYTES: Final = 8192
_MAX_KEY_FILE_BYTES: Final = 65_536
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_OTHER_PEM: Final = re.compile(rb"-----BEGIN (?:[A-Z]+ )*(?:PUBLIC KEY|CERTIFICATE)-----")
_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*\.?")
_DNS_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_MAX_NAME_CHARS: Final = 253
_MAX_PORT: Final = 65_535
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_PATH: Final = re.compile(r"[A-Za-z0-9._~/-]+")
_ORIGIN_SLASHES: Final = 2
_EMBEDDED: Final = Path("embedded")


def host(text: str) -> str:
    """A host name, or an IPv4 or IPv6 address without brackets."""
    if _HOST_NAME.fullmatch(text) and len(text) <= _MAX_NAME_CHARS:
        return text
    try:
        ip_address(text)
    except ValueError:
        raise ValueError("is not a host") from None
    return text


def host_name(text: str) -> str:
    """``*``, or a host name in lower case, without the dot at its end."""
    name = text.removesuffix(".").lower()
    if name != "*" and (len(name) > _MAX_NAME_CHARS or not _HOST_NAME.fullmatch(name)):
        raise ValueError("is not a host name")
    return name


def dns_name(text: str) -> str:
    """A DNS name in lower case, without the dot at its end."""
    name = text.removesuffix(".").lower()
    if len(name) > _MAX_NAME_CHARS or not _DNS_NAME.fullmatch(name):
        raise ValueError("is not a DNS name")
    return name


def resolver(text: str) -> str:
    """An IP address, optionally with a port; an IPv6 address is in brackets then."""
    parse_resolver(text)
    return text


def parse_resolver(text: str) -> tuple[str, int]:
    """The address and port of a DNS server. Raises ValueError for anything else."""
    address, port = text, "53"
    if text.startswith("["):
        address, _, port = text[1:].partition("]:")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ip_address(address)
    except ValueError:
        raise ValueError("is not an IP address") from None
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _MAX_PORT):
        raise ValueError("does not end with a port")
    return address, int(port)


def network(text: str) -> str:
    """A network in CIDR form; an address alone is a network of one address."""
    try:
        whole = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is not a network") from None
    if ip_address(text.partition("/")[0]) != whole.network_address:
        raise ValueError(f"has host bits set; write {whole}")
    return text


def absolute_url(text: str) -> str:
    """An absolute http(s) URL of printable ASCII, without user, query, or fragment."""
    if not _URL_TEXT.fullmatch(text):
        raise ValueError("has a character that is not allowed in a URL")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("has brackets without an IPv6 address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not an absolute URL")
    if not _is_good_port(parts):
        if _is_ipv6(parts.netloc):
            raise ValueError("has an IPv6 address without brackets")
        raise ValueError("has a port that is not a number from 1 to 65535")
    if parts.username is not None:
        raise ValueError("must not have a user name or password")
    if not _is_url_host(parts.hostname, in_brackets="[" in parts.netloc):
        raise ValueError("has a host that is neither a name nor an IP address")
    if "?" in text or "#" in text:
        raise ValueError("must not have a query or a fragment")
    return text


def _is_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _is_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6  # noqa: PLR2004
    except ValueError:
        return False


def _is_url_host(name: str, *, in_brackets: bool) -> bool:
    """Whether a URL may have this host, in lower case. Names may have an underscore; nobody can
    look up an empty or a very long label."""
    if in_brackets:
        return _is_ipv6(name) and "%" not in name
    host = name.removesuffix(".")
    return len(host) <= _MAX_NAME_CHARS and _DNS_NAME.fullmatch(host) is not None


def jwks_url(text: str) -> str:
    """An :func:`absolute_url` that is https, or on this machine."""
    parts = urlsplit(absolute_url(text))
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise ValueError("is not https; whoever is on the way could replace the keys")
    return text


def _is_loopback(host_of_url: str) -> bool:
    if host_of_url == "localhost":
        return True
    try:
        return ip_address(host_of_url).is_loopback
    except ValueError:
        return False


def instant(text: str) -> str:
    """Text that :func:`parse_instant` can read."""
    parse_instant(text)
    return text


def parse_instant(text: str) -> float:
    """``2026-11-01T00:00:00Z`` (RFC 3339) as Unix seconds. Raises ValueError for other text."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("is not a time in UTC")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ValueError("is not a time") from None


def folder_url(text: str) -> str:
    """An :func:`absolute_url` that ends with a slash; a missing one is added."""
    return absolute_url(text).rstrip("/") + "/"


def edge_url_pattern(text: str) -> str:
    """Text that :class:`gateway.edge.url_pattern.UrlPattern` can read."""
    UrlPattern.of(text)
    return text


def probe_url(text: str) -> str:
    """An absolute http(s) URL, or a path on the edge's own host; either may have a query."""
    address, _, query = text.partition("?")
    if query and not _URL_TEXT.fullmatch(query.replace("?", "/")):
        raise ValueError("has a character that is not allowed in a URL")
    if "://" in address:
        absolute_url(address)
    else:
        _relative(address.removeprefix("/"))
    return text


def probe_path(text: str) -> str:
    """A relative path."""
    return _relative(text)


def _relative(text: str) -> str:
    if not _PATH.fullmatch(text) or text.startswith("/") or ".." in text.split("/"):
        raise ValueError("is not a relative path")
    return text


def origin(text: str) -> str:
    """``*``, or a scheme, host and port as in the Origin header."""
    if text != "*" and absolute_url(text).count("/") != _ORIGIN_SLASHES:
        raise ValueError("is not an origin")
    return text


def country_code(text: str) -> str:
    """An ISO 3166-1 alpha-2 code, in upper case."""
    if not is_country(text.upper()):
        raise ValueError("is not a known country code")
    return text.upper()


def asset_prefix(text: str) -> str:
    """The start of an asset id, or nothing."""
    if text and not is_asset_prefix(text):
        raise ValueError('has a segment that no asset id has: an empty one, "." or ".."')
    return text


def time_zone(text: str) -> str:
    """A name of the IANA time zone database."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a known time zone") from None
    return text


def parse_window(text: str) -> TimeWindow:
    """``22:00-06:00`` as minutes of the day. Raises ValueError for other text."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("is not a time of day")
    start_hour, start_minute, end_hour, end_minute = (int(part) for part in found.groups() if part)
    window = TimeWindow(start_hour * 60 + start_minute, end_hour * 60 + end_minute)
    if window.start == window.end:
        raise ValueError("is an empty span of time")
    return window


def time_of_day(text: str) -> str:
    """Text that :func:`parse_window` can read."""
    parse_window(text)
    return text


def source_path(text: str) -> str:
    """The relative path of a source manifest; it contains ``{asset}``."""
    return _template(text, "{asset}")


def rung_path(text: str) -> str:
    """The relative path of a rung in its asset's folder; it contains ``{name}``."""
    return _template(text, "{name}")


def _template(text: str, placeholder: str) -> str:
    if placeholder not in text:
        raise ValueError(f"does not contain {placeholder}")
    path = text.replace(placeholder, "x")
    if not _PATH.fullmatch(path) or path.startswith("/") or ".." in path.split("/"):
        raise ValueError("is not a relative path")
    return text


def store_url(secret: SecretStr) -> SecretStr:
    """``embedded``, ``memory``, or a URL that the store can connect to; secret because of its
    password."""
    if secret.get_secret_value() not in {"embedded", "memory"}:
        from gateway.store.connection.address import check_url  # noqa: PLC0415  # brings a client

        check_url(secret.get_secret_value())
    return secret


def secret(given: SecretStr) -> SecretStr:
    """A secret that can be sent in a header field: printable ASCII without spaces."""
    if not _SECRET.fullmatch(given.get_secret_value()):
        raise ValueError("cannot be sent in a header field")
    return given


def signing_secret(given: SecretStr) -> SecretStr:
    """A secret that is long enough for a key: printable ASCII without spaces."""
    if not _SIGNING_SECRET.fullmatch(given.get_secret_value()):
        raise ValueError("is not long enough for a key, or has other characters")
    return given


def secret_file(path: Path, info: ValidationInfo) -> SecretStr:
    """The :func:`signing_secret` in a file, without the line end behind it."""
    full = file(path, info)
    try:
        with full.open("rb") as opened:
            content = opened.read(_MAX_SECRET_FILE_BYTES)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror}); the file is {full}") from None
    text = content.decode("ascii", "replace").removesuffix("\n").removesuffix("\r")
    if not _SIGNING_SECRET.fullmatch(text):
        raise ValueError(f"holds no usable secret; the file is {full}")
    return SecretStr(text)


def private_key_file(path: Path, info: ValidationInfo) -> SecretStr:
    """The private key in a file in PEM. Who uses it checks its kind."""
    full = file(path, info)
    try:
        with full.open("rb") as opened:
            content = opened.read(_MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror}); the file is {full}") from None
    if not _PRIVATE_KEY.search(content):
        what = "a public key or a certificate" if _OTHER_PEM.search(content) else "no private key"
        raise ValueError(f"holds {what}; the file is {full}")
    return SecretStr(content.decode("ascii", "replace"))


def file(path: Path, info: ValidationInfo) -> Path:
    """The absolute path of a file that exists."""
    full = _beside_config(path, info)
    if not _holds(Path.is_file, full):
        raise ValueError(f"does not exist; looked for the file {full}")
    return full


def certificates(path: Path, info: ValidationInfo) -> Path:
    """A :func:`file` of usable certificates."""
    full = file(path, info)
    try:
        ssl.create_default_context(cafile=full)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"has no usable certificates ({error}); the file is {full}") from error
    return full


def database(path: Path, info: ValidationInfo) -> Path:
    """``embedded``, or a :func:`file`."""
    return path if path == _EMBEDDED else file(path, info)


def folder(path: Path, info: ValidationInfo) -> Path:
    """The absolute path of a folder that exists."""
    full = _beside_config(path, info)
    if not _holds(Path.is_dir, full):
        raise ValueError(f"does not exist; looked for the folder {full}")
    return full


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    return info.context["folder"] / path if info.context else path


def _holds(test: Callable[[Path], bool], path: Path) -> bool:
    try:
        return test(path)
    except (OSError, ValueError):  # no permission, a name too long, a null character
        return False
