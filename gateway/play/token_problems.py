"""The error answers about playback tokens (RFC 6750, 3). They say what is wrong, and nothing of the
token."""

from gateway.play.problems import Problem
from gateway.trust.admission import Denial
from gateway.trust.tokens.refusal import Refused

_REALM = 'Bearer realm="playback"'


def token_wanted() -> Problem:
    """401: the asset wants a token, and the request has none."""
    detail = (
        "this asset wants a playback token: Authorization: Bearer, CTA-Common-Access-Token, "
        "or ?token="
    )
    return Problem(401, "token-wanted", "No token", detail, headers={"WWW-Authenticate": _REALM})


def no_shared_manifest() -> Problem:
    """401: the asset wants a token, so the manifest of a class is not answered to everybody."""
    detail = "this asset wants a playback token, so it has no class manifests; ask for /v1/play"
    return Problem(401, "token-wanted", "No token", detail, headers={"WWW-Authenticate": _REALM})


def no_shared_licence() -> Problem:
    """403: the asset is not for viewers everywhere, so the manifest of a class is not answered to
    everybody."""
    detail = (
        "this asset is licensed in some countries alone, or is not for viewers behind VPNs, so it "
        "has no class manifests; ask for /v1/play"
    )
    return Problem(403, "no-class-manifests", "No class manifests", detail)


def not_licensed() -> Problem:
    """451: the asset, or the token, is for other countries (RFC 7725)."""
    detail = "this asset, or the token, is not for the country from which the request comes"
    return Problem(451, "country-not-licensed", "Not licensed in this country", detail)


def invalid_token(refused: Refused) -> Problem:
    """401: the token is not valid. Its type names the reason."""
    return _invalid(refused.code.value, refused.sentence)


def token_expired() -> Problem:
    """401: the token that an earlier answer was for has expired."""
    return _invalid("token-expired", "The token has expired.")


def _invalid(kind: str, sentence: str) -> Problem:
    plain = sentence.encode("ascii", "replace").decode("ascii").replace('"', "'")
    challenge = f'{_REALM}, error="invalid_token", error_description="{plain}"'
    return Problem(401, kind, "Invalid token", sentence, headers={"WWW-Authenticate": challenge})


def several_tokens() -> Problem:
    """400: the request has two different tokens."""
    challenge = f'{_REALM}, error="invalid_request"'
    detail = "the request has several different tokens; only one is allowed"
    return Problem(
        400, "several-tokens", "Several tokens", detail, headers={"WWW-Authenticate": challenge}
    )


def other_asset() -> Problem:
    """403: the token is for other assets."""
    return Problem(403, "token-asset", "Token for other assets", "the token is for other assets")


def other_request(claim: str) -> Problem:
    """403: the token is for other methods, URIs or header fields, as ``claim`` says (CTA-5007)."""
    detail = f"the token is for other requests ({claim})"
    return Problem(403, "token-request", "Token for other requests", detail)


def not_open(sentence: str) -> Problem:
    """403: the token is valid, and opens nothing here."""
    return Problem(403, "token-does-not-open", "Token does not open this asset", sentence)


def denied(denial: Denial) -> Problem:
    """401, 403 or 451: the token, or the asset, is for other viewers."""
    if denial is Denial.EXPIRED:
        return token_expired()
    if denial is Denial.COUNTRY:
        return not_licensed()
    anonymous = denial is Denial.ANONYMOUS  # also of an asset that needs no token
    title = "Not for viewers behind VPNs" if anonymous else "Token for other viewers"
    return Problem(403, f"token-{denial.value}", title, _DENIED[denial])


_DENIED = {
    Denial.SESSION: "the token is for one session, and the request does not name it "
    "(?session=, or sid in CMCD)",
    Denial.ANONYMOUS: "this asset is not for viewers behind VPNs, proxies and hosting networks",
    Denial.NETWORK: "the token is for other networks",
    Denial.DEVICE: "the token is for other kinds of devices",
}


def too_many_sessions(most: int, wait_s: int) -> Problem:
    """403: as many sessions of the subject play as its token allows."""
    detail = (
        f"{most} sessions of this subject play already, as many as its token allows; "
        "end one of them, and ask again"
    )
    headers = {"Retry-After": str(wait_s)}
    return Problem(403, "too-many-sessions", "Too many sessions", detail, headers=headers)
