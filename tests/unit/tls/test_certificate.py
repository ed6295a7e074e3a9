"""Which files can be served, and what is said of those that cannot."""

import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.tls.certificate import CertificateError, load
from gateway.tls.files import TlsFiles
from tests.certificates import Pair, authority, issued, run

DAY_S = 86_400


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """An authority."""
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(ca: Pair, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate that it has issued."""
    return issued(ca, tmp_path_factory.mktemp("leaf"))


@pytest.fixture(scope="module")
def other(ca: Pair, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Another one."""
    return issued(ca, tmp_path_factory.mktemp("other"))


def files(pair: Pair, **other: Any) -> TlsFiles:
    """The files of a listener."""
    plain = TlsFiles("server.tls", pair.certificate, pair.key, None, "1.2", None, "off")
    return replace(plain, **other)


def test_what_is_known_of_a_certificate(ca: Pair, pair: Pair, tmp_path: Path) -> None:
    """Its names and times, whatever follows it in the chain."""
    chain = tmp_path / "chain.pem"
    chain.write_text("A comment\n" + pair.certificate.read_text() + ca.certificate.read_text())
    found = load(files(pair, certificate_file=chain))
    assert ("DNS:localhost", "DNS:*.example.com", "IP Address:127.0.0.1") == found.names
    assert 30 * DAY_S == found.expires_s - found.valid_from_s
    assert pair.certificate.read_text() == found.pem
    assert [None, "has expired", "is not valid yet"] == [
        found.trouble(now_s)
        for now_s in (found.valid_from_s, found.expires_s, found.valid_from_s - 1)
    ]


def test_what_openssl_may_do(pair: Pair) -> None:
    """No old version, no compression, no renegotiation."""
    context = load(files(pair, minimum="1.3")).context
    assert ssl.TLSVersion.TLSv1_3 == context.minimum_version
    off = ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    assert off == context.options & off


def test_a_password_opens_the_key(pair: Pair, tmp_path: Path) -> None:
    """The line end behind it does not belong to it. Nothing asks on the terminal."""
    key, password = tmp_path / "key.pem", tmp_path / "password"
    run("ec", "-in", str(pair.key), "-aes128", "-passout", "pass:secret", "-out", str(key))
    password.write_text("secret\n")
    assert load(files(pair, key_file=key, password_file=password)).names
    password.write_text("wrong\n")
    for given, said in (
        (password, "password_file: does not open the key"),
        (None, "key_file: is encrypted; password_file is missing"),
    ):
        with pytest.raises(CertificateError) as raised:
            load(files(pair, key_file=key, password_file=given))
        assert said == str(raised.value)


Spoil = Callable[[Path, TlsFiles, Pair], TlsFiles]


def chain(content: Callable[[str], str]) -> Spoil:
    """The certificate with other content."""

    def spoil(folder: Path, given: TlsFiles, _: Pair) -> TlsFiles:
        path = folder / "spoilt.pem"
        path.write_text(content(given.certificate_file.read_text()))
        return replace(given, certificate_file=path)

    return spoil


def key(content: Callable[[str], str]) -> Spoil:
    """The key with other content."""

    def spoil(folder: Path, given: TlsFiles, _: Pair) -> TlsFiles:
        path = folder / "spoilt-key.pem"
        path.write_text(content(given.key_file.read_text()))
        return replace(given, key_file=path)

    return spoil


SPOILT: list[tuple[str, Spoil, str]] = [
    (
        "the key of another",
        lambda _, given, other: replace(given, key_file=other.key),
        "key_file: is not the key of the certificate",
    ),
    (
        "a missing file",
        lambda folder, given, _: replace(given, key_file=folder / "none"),
        "key_file: cannot be read (No such file or directory): ",
    ),
    (
        "a folder",
        lambda folder, given, _: replace(given, certificate_file=folder),
        "certificate_file: cannot be read (Is a directory): ",
    ),
    ("nothing", chain(lambda _: ""), "certificate_file: has no certificate in PEM"),
    (
        "half a certificate",
        chain(lambda text: text[: len(text) // 2]),
        "certificate_file: is not complete: 1 certificates begin and 0 end",
    ),
    (
        "half of the chain",
        chain(lambda text: text + text[: len(text) // 2]),
        "certificate_file: is not complete: 2 certificates begin and 1 end",
    ),
    (
        "no base64",
        chain(lambda text: text.replace("M", "!")),
        "certificate_file: cannot be used (",
    ),
    ("half a key", key(lambda text: text[: len(text) // 2]), "key_file: cannot be used ("),
    ("an empty key", key(lambda _: ""), "key_file: cannot be used ("),
    (
        "very much",
        chain(lambda text: text * 3000),
        "certificate_file: has more than 1048576 bytes: ",
    ),
    (
        "authorities that are none",
        lambda _, given, other: replace(
            given, client_ca_file=other.key, client_certificates="required"
        ),
        "client_ca_file: has no usable certificates (",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "said"), [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT]
)
def test_files_that_cannot_be_used(
    pair: Pair, other: Pair, tmp_path: Path, spoil: Spoil, said: str
) -> None:
    """The reason names the file's key, and shows nothing of a private key."""
    with pytest.raises(CertificateError) as raised:
        load(spoil(tmp_path, files(pair), other))
    assert str(raised.value).startswith(said)
    assert pair.key.read_text().splitlines()[1] not in str(raised.value)
