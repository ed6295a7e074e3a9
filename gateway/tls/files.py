"""Which files does TLS on a listener need? The config says it, and each is read again when it
changes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TlsVersion = Literal["1.2", "1.3"]
ClientCertificates = Literal["off", "optional", "required"]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of one listener's TLS, and what it demands of clients. ``section`` is the table of
    the config (``server.tls``)."""

    section: str
    certificate_file: Path
    key_file: Path
    password_file: Path | None
    minimum: TlsVersion
    client_ca_file: Path | None
    client_certificates: ClientCertificates

    @property
    def paths(self) -> dict[str, Path]:
        """The files by their keys in the config."""
        given = {
            "certificate_file": self.certificate_file,
            "key_file": self.key_file,
            "password_file": self.password_file,
            "client_ca_file": self.client_ca_file,
        }
        return {key: path for key, path in given.items() if path is not None}
