"""Why has a TLS handshake failed? A fixed set of reasons for the metric. (Pure.)"""

import ssl
from typing import Final, Literal

Failure = Literal[
    "plain-http",
    "timeout",
    "closed",
    "protocol-version",
    "no-shared-parameters",
    "client-certificate-missing",
    "client-certificate-refused",
    "alert",
    "malformed",
]

_OF_REASON: Final[dict[str, Failure]] = {
    "UNSUPPORTED_PROTOCOL": "protocol-version",
    "VERSION_TOO_LOW": "protocol-version",
    "BAD_PROTOCOL_VERSION_NUMBER": "protocol-version",
    "WRONG_SSL_VERSION": "protocol-version",
    "INAPPROPRIATE_FALLBACK": "protocol-version",
    "NO_SHARED_CIPHER": "no-shared-parameters",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "no-shared-parameters",
    "NO_SHARED_SIGNATURE_ALGORITHMS": "no-shared-parameters",
    "NO_SUITABLE_KEY_SHARE": "no-shared-parameters",
    "NO_SUITABLE_GROUPS": "no-shared-parameters",
    "NO_SHARED_GROUPS": "no-shared-parameters",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "client-certificate-missing",
    "CERTIFICATE_VERIFY_FAILED": "client-certificate-refused",
    "HTTP_REQUEST": "plain-http",
}


def failure_of(error: ssl.SSLError) -> Failure:
    """The reason of a handshake that OpenSSL has ended. ``alert``: the client has refused."""
    reason = error.reason or ""
    if reason in _OF_REASON:
        return _OF_REASON[reason]
    return "alert" if "_ALERT_" in reason else "malformed"
