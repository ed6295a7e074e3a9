"""Can the URLs of an edge be signed as its table says? Every key signs a sample."""

from urllib.parse import urlsplit

from gateway.config.section import fault
from gateway.config.signing_build import signers_of
from gateway.config.signing_settings import EdgeSigningSettings
from gateway.trust.edge_signing.fit import check_url, sample_of
from gateway.trust.edge_signing.scheme import SchemeError


def check_signing(given: EdgeSigningSettings, url: str, within: str = "signing.") -> None:
    """Raise the fault of the table ``within`` which ``given`` is, for an edge with this ``url``."""
    host = urlsplit(url).hostname or ""
    domain = given.cookie_domain
    if domain is not None and not (host == domain or host.endswith(f".{domain}")):
        problem = f"is no parent of {host}, so no player would send the cookie there"
        raise fault(f"{within}cookie_domain", problem, "a parent domain of the edge's host")
    try:
        for signer in signers_of(given):
            check_url(signer, url)
            sample_of(signer, url)
    except SchemeError as error:
        key = error.key if error.key == "url" else f"{within}{error.key}"
        raise fault(key, error.problem, error.allowed) from None
