"""Do the URLs of two edges differ in the host alone? Content steering has to know.

A pathway clone replaces the host of every URI and nothing else (HOST; RFC 8216bis, section 7.3). So
an edge can be a clone of another when their URLs differ in the host alone: they have the same
*shape*, which is the scheme, the port and the path. Where URLs are signed, the path has the
signature as well: it has to be the same on both.
"""

import re
from hashlib import blake2b
from typing import Final
from urllib.parse import urlsplit

from gateway.edge.signing import EdgeSigning, Validity

_URL = re.compile(r"(https?)://([^/:\[\]]+|\[[^/\]]+\])(?::([0-9]+))?(/.*)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


def host_of(url: str) -> str | None:
    """The host of an edge's URL in lower case; None for one that HOST cannot name, such as an
    IPv6 address, whose last group players take for a port."""
    found = _URL.fullmatch(url)
    host = "" if found is None else found[2].lower().removesuffix(".")
    return host if _NAME.fullmatch(host) else None


def has_default_port(url: str) -> bool:
    """Whether the URL has the port of its scheme, given or not."""
    found = _URL.fullmatch(url)
    return found is not None and found[3] in (None, _DEFAULT_PORTS[found[1].lower()])


_SAMPLE: Final = Validity(0, 1)
_OTHER: Final = "clone.invalid"


def signed_shape(shape: int, url: str, signing: EdgeSigning) -> int:
    """The shape of an edge whose URLs have signatures. Equal where a signature for one edge, moved
    to the host of the other, is a signature for that one."""
    signer, parts = signing.signer, urlsplit(url)
    moved = parts._replace(netloc=_OTHER).geturl()
    signed = urlsplit(signer.signed_base(url, "a/", _SAMPLE))._replace(netloc=_OTHER).geturl()
    names_host = signed != signer.signed_base(moved, "a/", _SAMPLE)
    text = f"{shape}\0{signing.id}\0{parts.netloc if names_host else ''}"
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest())


def shape_of(url: str) -> int:
    """32 bits that are equal for URLs that differ in their hosts alone, and in every process."""
    found = _URL.fullmatch(url)
    if found is None:
        return 0
    scheme = found[1].lower()
    port = found[3] or _DEFAULT_PORTS[scheme]
    text = f"{scheme}\0{port}\0{found[4]}"
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=4).digest())
