"""Can this certificate be served? Reads the files of a listener, and refuses them as a whole.

A pair is loaded into a new :class:`ssl.SSLContext`, so that running connections keep theirs. A
handshake in memory then proves that the pair works, and shows the names and times of the
certificate, which :mod:`ssl` shows of a peer alone.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from gateway.tls.files import TlsFiles
from gateway.tls.names import alternative_names

ALPN: Final = ("http/1.1",)
"""The protocols that are offered (RFC 7301). HTTP/2 is not among them."""

MAX_FILE_BYTES: Final = 1024 * 1024

_PARTIAL_CHAIN: Final = 0x80000
_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's flags of the same names; :mod:`ssl` does not name the second."""
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_DEMANDS: Final = {
    "off": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_LEAF: Final = re.compile(b"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class CertificateError(ValueError):
    """The files cannot be used. ``key`` is the key of the config whose file is at fault."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one listener serves. Times are Unix seconds; ``names`` are its subject alternative
    names, ``pem`` is the certificate itself, and ``ciphers`` are the numbers of cipher suites by
    name."""

    context: ssl.SSLContext
    pem: str
    valid_from_s: float
    expires_s: float
    names: tuple[str, ...]
    ciphers: Mapping[str, int]

    def trouble(self, now_s: float) -> str | None:
        """Why clients refuse it at ``now_s``, as far as time decides."""
        if self.expires_s <= now_s:
            return "has expired"
        return "is not valid yet" if self.valid_from_s > now_s else None


class FollowedCertificate(Protocol):
    """A certificate whose files are followed. ``trouble`` says why the files that are there now are
    not in use, and ``since_s`` (Unix time) since when."""

    current: Certificate
    trouble: str | None
    since_s: float


def load(files: TlsFiles) -> Certificate:
    """Read the files and check that they fit. Raises :class:`CertificateError`."""
    contents = {key: _read(key, path) for key, path in files.paths.items()}
    _check_whole(contents["certificate_file"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[files.minimum]
    context.options |= (
        ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_alpn_protocols(list(ALPN))
    _load_pair(context, files, contents.get("password_file"))
    facts, pem = _facts(context, contents["certificate_file"])
    if files.client_ca_file is not None:
        _load_client_ca(context, files.client_ca_file)
    context.verify_mode = _DEMANDS[files.client_certificates]
    for key, path in files.paths.items():
        if _read(key, path) != contents[key]:
            raise CertificateError(key, "has changed while it was read")
    return Certificate(
        context,
        pem,
        ssl.cert_time_to_seconds(facts["notBefore"]),
        ssl.cert_time_to_seconds(facts["notAfter"]),
        alternative_names(facts),
        {each["name"]: each["id"] & 0xFFFF for each in context.get_ciphers()},
    )


def _read(key: str, path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CertificateError(key, f"cannot be read ({error.strerror}): {path}") from None
    if len(content) > MAX_FILE_BYTES:
        raise CertificateError(key, f"has more than {MAX_FILE_BYTES} bytes: {path}")
    return content


def _check_whole(chain: bytes) -> None:
    """OpenSSL ignores what follows the last certificate that it can read."""
    begun, ended = chain.count(b"-----BEGIN CERT"), chain.count(b"-----END CERT")
    if not begun:
        raise CertificateError("certificate_file", "has no certificate in PEM")
    if begun != ended:
        raise CertificateError(
            "certificate_file", f"is not complete: {begun} certificates begin and {ended} end"
        )


def _load_pair(context: ssl.SSLContext, files: TlsFiles, password: bytes | None) -> None:
    asked = False

    def given() -> bytes:
        """Without a function OpenSSL would ask on the terminal."""
        nonlocal asked
        asked = True
        return b"" if password is None else password.rstrip(b"\r\n")

    try:
        context.load_cert_chain(files.certificate_file, files.key_file, given)
    except ssl.SSLError as error:
        if asked and password is None:
            raise CertificateError("key_file", "is encrypted; password_file is missing") from None
        if asked:
            problem = "does not open the key" if error.reason != "KEY_VALUES_MISMATCH" else ""
            if problem:
                raise CertificateError("password_file", problem) from None
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError("key_file", "is not the key of the certificate") from None
        raise CertificateError(_at_fault(files), f"cannot be used ({_words(error)})") from None
    except (OSError, ValueError) as error:
        raise CertificateError("key_file", f"cannot be used ({error})") from None


def _at_fault(files: TlsFiles) -> str:
    """Which file of a pair OpenSSL cannot read."""
    try:
        ssl.create_default_context(cafile=files.certificate_file)
    except OSError:
        return "certificate_file"
    return "key_file"


def _words(error: ssl.SSLError) -> str:
    """OpenSSL's reason, which shows nothing of the file."""
    return (error.reason or "not PEM").replace("_", " ").lower()


def _load_client_ca(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:
        raise CertificateError("client_ca_file", f"has no usable certificates ({error})") from None


def _facts(context: ssl.SSLContext, chain: bytes) -> tuple[dict[str, Any], str]:
    """The certificate as a client gets it, decoded and as PEM."""
    found = _LEAF.search(chain)
    if found is None:
        raise CertificateError("certificate_file", "has no certificate in PEM")
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname = False
    asking.verify_flags |= _PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        asking.load_verify_locations(cadata=found[0].decode("ascii"))
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = asking.wrap_bio(to_client, to_server)
        server = context.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, server, client):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        facts, der = client.getpeercert(), client.getpeercert(binary_form=True)
    except (ssl.SSLError, ValueError) as error:
        reason = _words(error) if isinstance(error, ssl.SSLError) else str(error)
        raise CertificateError("certificate_file", f"no client accepts it ({reason})") from None
    if not facts or der is None:
        raise CertificateError("certificate_file", "has nothing that a client can read")
    return dict(facts), ssl.DER_cert_to_PEM_cert(der)
