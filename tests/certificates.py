"""Certificates for tests, made by openssl with keys of elliptic curves, which takes little time."""

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from tests.missing import missing


@cache
def _openssl() -> str:
    found = shutil.which("openssl")
    if found is None:
        missing("TLS: there is no openssl to make certificates")
    return found


def run(*arguments: str) -> None:
    """Run openssl."""
    subprocess.run([_openssl(), *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str = "ca") -> Pair:
    """A certificate authority."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.pem", folder / f"{name}-key.pem")
    run(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *(
            "-days",
            "60",
            "-subj",
            f"/CN={name}",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ),
        *("-keyout", str(pair.key), "-out", str(pair.certificate)),
    )
    return pair


def issued(
    ca: Pair,
    folder: Path,
    name: str = "leaf",
    *,
    subject: str = "/CN=leaf",
    names: str = "DNS:localhost,DNS:*.example.com,IP:127.0.0.1",
    days: int = 30,
) -> Pair:
    """A certificate that ``ca`` has issued."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.pem", folder / f"{name}-key.pem")
    run(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", subject, "-addext", f"subjectAltName={names}"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-CA", str(ca.certificate), "-CAkey", str(ca.key), "-days", str(days)),
        *("-keyout", str(pair.key), "-out", str(pair.certificate)),
    )
    return pair


def expired(ca: Pair, folder: Path, name: str = "old") -> Pair:
    """A certificate that ``ca`` has issued, and that ended yesterday; openssl makes none."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.pem", folder / f"{name}-key.pem")
    issuer = x509.load_pem_x509_certificate(ca.certificate.read_bytes())
    signer = load_pem_private_key(ca.key.read_bytes(), None)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))
        .sign(cast("ec.EllipticCurvePrivateKey", signer), SHA256())
    )
    pair.certificate.write_bytes(made.public_bytes(Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pair
