"""Who is the bearer of a token of an OpenID provider, and which role has that person?

ID tokens and JWT access tokens are checked alike (OpenID Connect Core 1.0, 3.1.3.7; RFC 9068): the
signature by a key of the provider and an algorithm of the list, the issuer, the audience, the time,
and in a flow the nonce. A claim says which role it is.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.trust.operators.operator import Operator, Role, SignInRefusal

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
)
"""What a provider signs with. No algorithm has a secret that the gateway shares."""
MAX_TOKEN_CHARS: Final = 16 * 1024
MAX_SUBJECT_CHARS: Final = 255
LEEWAY_S: Final = 60.0
"""How far the clocks of the provider and the gateway may differ, in seconds."""


@dataclass(frozen=True, slots=True)
class OidcRules:
    """What a token must fulfil. ``roles`` are those of the values of ``role_claim``, which may be
    the path of a claim within claims, such as ``realm_access.roles``."""

    issuer: str
    client_id: str
    audiences: frozenset[str]
    role_claim: str
    roles: Mapping[str, Role]


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """The keys of a provider, and the ids by which tokens name them."""

    keys: "KeySet"
    ids: frozenset[str | None]


def import_joserfc() -> None:
    """Import what verifies tokens, so that the first token does not have to wait for it."""
    from joserfc import jws, jwt  # noqa: F401, PLC0415  # only where a provider is configured


def looks_like_jwt(text: str) -> bool:
    """Whether a text may be a JWT: three parts."""
    return text.count(".") == 2 and len(text) <= MAX_TOKEN_CHARS  # noqa: PLR2004


def key_set_of(jwks: Mapping[str, Any]) -> ProviderKeys:
    """The keys of a JSON Web Key Set that can verify. Raises ValueError when it has none."""
    from joserfc.errors import JoseError  # noqa: PLC0415  # only where a provider is configured
    from joserfc.jwk import JWKRegistry, KeySet  # noqa: PLC0415

    found = []
    listed = jwks.get("keys")
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        if each.get("kty") not in ("RSA", "EC"):  # a list may be there
            continue
        try:
            found.append(JWKRegistry.import_key(each))
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # a provider may have keys of kinds that are not known
    if not found:
        raise ValueError("has no key that verifies signatures")
    return ProviderKeys(KeySet(found), frozenset(key.kid for key in found))


def key_id_of(text: str) -> str | None:
    """The id of the key that a token names; None when it names none, or is malformed."""
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jws import extract_compact  # noqa: PLC0415

    try:
        found = extract_compact(text.encode("ascii")).headers().get("kid")
    except (JoseError, ValueError):
        return None
    return found if isinstance(found, str) else None


def verify_token(
    text: str, keys: ProviderKeys, rules: OidcRules, now_s: float, nonce: str | None = None
) -> Operator | SignInRefusal:
    """Who has the token ``text`` at ``now_s`` (Unix time). ``nonce`` is that of the flow in which
    it was asked for; None outside of one."""
    from joserfc import jwt  # noqa: PLC0415
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        claims = jwt.decode(text, keys.keys, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError, KeyError):
        return SignInRefusal("bad-token", "the token is not signed by a key of the provider")
    trouble = _trouble(claims, rules, now_s, nonce)
    if trouble is not None:
        return SignInRefusal("bad-claims", trouble)
    subject = claims["sub"]
    role = role_of(claims, rules)
    if role is None:
        text = f"the claim {rules.role_claim} has no value to which a role belongs"
        return SignInRefusal("no-role", text, subject)
    return Operator("oidc", subject, role)


def role_of(claims: Mapping[str, Any], rules: OidcRules) -> Role | None:
    """The highest role of the values of the role's claim; None when there is none."""
    found: Any = claims.get(rules.role_claim)
    if found is None:
        found = claims
        for part in rules.role_claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    values = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    given = {rules.roles[each] for each in values if isinstance(each, str) and each in rules.roles}
    return next((role for role in reversed(Role) if role in given), None)


def _trouble(
    claims: Mapping[str, Any], rules: OidcRules, now_s: float, nonce: str | None
) -> str | None:
    """Why the claims are not accepted; None when they are."""
    if claims.get("iss") != rules.issuer:
        return "the token is of another issuer"
    if not _is_for(claims, rules):
        return "the token is for another audience"
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARS:
        return "the token has no subject"
    if nonce is not None and not _is_of_flow(claims, rules, nonce):
        return "the token has another nonce, or was issued to another client"
    return _trouble_in_time(claims, now_s)


def _is_for(claims: Mapping[str, Any], rules: OidcRules) -> bool:
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list):
        return False
    return any(isinstance(each, str) and each in rules.audiences for each in audiences)


def _is_of_flow(claims: Mapping[str, Any], rules: OidcRules, nonce: str) -> bool:
    given = claims.get("nonce")
    same = isinstance(given, str) and hmac.compare_digest(given.encode(), nonce.encode())
    return same and claims.get("azp", rules.client_id) == rules.client_id


def _trouble_in_time(claims: Mapping[str, Any], now_s: float) -> str | None:
    if not _is_number(claims.get("exp")) or now_s >= claims["exp"] + LEEWAY_S:
        return "the token has expired, or does not say when it will"
    for name in ("nbf", "iat"):
        moment = claims.get(name)
        if moment is not None and (not _is_number(moment) or moment > now_s + LEEWAY_S):
            return f"the token is not valid yet ({name})"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
