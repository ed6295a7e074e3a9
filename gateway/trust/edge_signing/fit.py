"""Can the URLs of an edge be signed by its scheme, and would the edge accept what is signed?"""

from gateway.edge.signing import EdgeSigner, Validity
from gateway.trust.edge_signing.scheme import SchemeError, check_path, split

SAMPLE_FOLDER = "sample-asset/"
SAMPLE_VALIDITY = Validity(946_684_800, 946_688_400)
"""An hour of the year 2000: a sample signature opens nothing."""

_WILDCARDS = ("akamai", "cloudfront")
_DECODED_BY_EDGE = ("bunny",)


def check_url(signer: EdgeSigner, edge_url: str) -> None:
    """Raise SchemeError for an edge's url whose signatures might not match, or whose cookies no
    player would send."""
    check_path(edge_url)
    path = split(edge_url)[1]
    if signer.scheme in _WILDCARDS and "*" in path:
        problem = f"has a *, which is a wildcard in what {signer.scheme} signs"
        raise SchemeError("url", problem, "a path without *")
    if signer.scheme in _DECODED_BY_EDGE and "%" in path:
        problem = f"has a %, and {signer.scheme} does not document which form of it is signed"
        raise SchemeError("url", problem, "a path without %")
    if signer.carrier == "cookie" and (";" in path or "," in path):
        problem = "has a character that the path of a cookie cannot have"
        raise SchemeError("url", problem, "a path without ; and ,")


def sample_of(signer: EdgeSigner, edge_url: str) -> str:
    """What a player would get for a made-up asset of the edge, in the year 2000: a URL, or the
    names of cookies. Raises SchemeError when the scheme itself would refuse it, or would accept it
    for another folder or at another time."""
    validity = SAMPLE_VALIDITY
    base = signer.signed_base(edge_url, SAMPLE_FOLDER, validity)
    given = signer.cookies(edge_url, SAMPLE_FOLDER, validity)
    cookies = {cookie.name: cookie.value for cookie in given}
    other = base.replace(SAMPLE_FOLDER, "other-asset/")
    accepted = signer.refusal(f"{base}a/b.m3u8", cookies, validity.starts_s) is None
    wrong = (
        signer.refusal(f"{base}a/b.m3u8", cookies, validity.expires_s + 1),
        signer.refusal(f"{other}a/b.m3u8", cookies, validity.starts_s),
    )
    if not accepted or None in wrong:
        problem = "makes signatures that do not hold for exactly one folder and time"
        raise SchemeError("scheme", problem, "a form that an edge can check")
    names = ", ".join(cookies)
    return f"{names} for {given[0].domain}{given[0].path}" if given else base


def described(signer: EdgeSigner) -> str:
    """How a signer signs, for people: ``nginx, key 2026-11, in the path``."""
    where = "in the path" if signer.carrier == "path" else "in cookies"
    return f"{signer.scheme}, key {signer.key_id}, {where}"
