"""Can the URLs of an edge be signed as its table says? Every key signs a sample."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from gateway.config.section import fault
from gateway.config.signing_build import signers_of
from gateway.config.signing_settings import EdgeSigningSettings
from gateway.trust.edge_signing.fit import check_url, described, sample_of
from gateway.trust.edge_signing.scheme import SchemeError


def check_signing(given: EdgeSigningSettings, url: str) -> None:
    """Raise the fault of the table ``signing`` of an edge with this ``url``."""
    host = urlsplit(url).hostname or ""
    domain = given.cookie_domain
    if domain is not None and not f".{host}".endswith(f".{domain}"):
        problem = f"is no parent of {host}, so no player would send the cookie there"
        raise fault("signing.cookie_domain", problem, "a parent domain of the edge's host")
    if domain is not None and not url.startswith("https:"):
        problem = "is not https; players send the cookies of its signatures over https alone"
        raise fault("url", problem, "a URL that begins with https://")
    try:
        for signer in signers_of(given):
            check_url(signer, url)
            sample_of(signer, url)
    except SchemeError as error:
        key = error.key if error.key == "url" else f"signing.{error.key}"
        raise fault(key, error.problem, error.allowed) from None


def samples_of(signed: Iterable[tuple[str, str, EdgeSigningSettings | None]]) -> Iterator[str]:
    """What players would get of each edge with a signing, in the year 2000. ``signed`` has the id,
    the url and the table of each edge."""
    for edge_id, url, given in signed:
        for signer in signers_of(given) if given is not None else ():
            yield f"edge {edge_id}: {described(signer)}: {sample_of(signer, url)}"
