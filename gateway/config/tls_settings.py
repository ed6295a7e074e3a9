"""How is TLS configured on a listener?"""

from typing import Self

from pydantic import Field, model_validator

from gateway.config.fields import CertificateFile, ConfigFile
from gateway.config.section import Section, fault
from gateway.tls.files import ClientCertificates, TlsFiles, TlsVersion


class TlsSettings(Section):
    """Makes a listener speak HTTPS alone (`docs/tls.md`). Files that change are used without a
    restart; other changes need one."""

    certificate_file: ConfigFile = Field(examples=["tls/fullchain.pem"])
    """The certificate and, behind it, those that lead to the root (PEM)."""
    key_file: ConfigFile = Field(examples=["tls/privkey.pem"])
    """The private key of the certificate (PEM)."""
    password_file: ConfigFile | None = Field(None, examples=["/run/secrets/tls-password"])
    """A file with the password of an encrypted key."""
    minimum: TlsVersion = "1.2"
    """The lowest version of TLS."""
    client_ca_file: CertificateFile | None = Field(None, examples=["tls/operators-ca.pem"])
    """Certificates of the authorities whose client certificates are accepted (PEM)."""
    client_certificates: ClientCertificates = "off"
    """Whether clients are asked for a certificate. One that is not valid is refused in any case;
    with `required`, so is a client without one."""

    @model_validator(mode="after")
    def _knows_whom_to_accept(self) -> Self:
        asks = self.client_certificates != "off"
        if asks and self.client_ca_file is None:
            problem = f'is missing; client_certificates is "{self.client_certificates}"'
            raise fault("client_ca_file", problem, "a file of certificates in PEM")
        if not asks and self.client_ca_file is not None:
            problem = 'is "off", and client_ca_file is set'
            raise fault("client_certificates", problem, "optional, required; or no client_ca_file")
        return self

    def files(self, section: str) -> TlsFiles:
        """The same for the listener of this section of the config."""
        return TlsFiles(
            section,
            self.certificate_file,
            self.key_file,
            self.password_file,
            self.minimum,
            self.client_ca_file,
            self.client_certificates,
        )
