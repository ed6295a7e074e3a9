"""What does a request say of its TLS? The ASGI TLS extension
(https://asgi.readthedocs.io/en/latest/specs/tls.html)."""

import ssl
from typing import Any

from gateway.tls.certificate import Certificate
from gateway.tls.names import alternative_names, distinguished_name

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def tls_extension(found: ssl.SSLObject, certificate: Certificate) -> dict[str, Any]:
    """The extension ``tls`` of a scope, after the handshake.

    A client certificate is there only when it was verified: with one that is not, there is no
    connection. ``client_cert_chain`` has the client's own certificate alone. Besides what the
    extension names there is ``client_cert_alt_names``, the subject alternative names as
    :func:`gateway.tls.names.alternative_names` writes them.
    """
    facts, der = found.getpeercert(), found.getpeercert(binary_form=True)
    suite = found.cipher()
    return {
        "server_cert": certificate.pem,
        "client_cert_chain": [] if der is None else [ssl.DER_cert_to_PEM_cert(der)],
        "client_cert_name": distinguished_name(facts) if facts else None,
        "client_cert_error": None,
        "client_cert_alt_names": alternative_names(facts) if facts else (),
        "tls_version": _VERSIONS.get(found.version() or ""),
        "cipher_suite": certificate.ciphers.get(suite[0]) if suite else None,
    }
