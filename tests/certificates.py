"""Certificates for tests, made by openssl with keys of elliptic curves, which takes little time."""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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
        *("-days", "60", "-subj", f"/CN={name}", "-keyout", str(pair.key)),
        *("-out", str(pair.certificate)),
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
