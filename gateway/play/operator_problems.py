"""Error answers of the operators' listener about who asks, and what that person may do."""

from gateway.play.problems import Problem
from gateway.trust.operators.operator import Role, Scope, SignInRefusal

_CHALLENGE = 'Bearer realm="streaming-gateway"'


def not_signed_in() -> Problem:
    """401: the request has no credential (RFC 9110, 15.5.2)."""
    detail = "operators have to sign in: send an API key as Authorization: Bearer, or sign requests"
    headers = {"WWW-Authenticate": _CHALLENGE}
    return Problem(401, "not-signed-in", "Not signed in", detail, headers=headers)


def refused(refusal: SignInRefusal) -> Problem:
    """401: the credential is not valid (RFC 6750, 3.1)."""
    headers = {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'}
    return Problem(401, "bad-credential", "Bad credential", refusal.text, headers=headers)


def forbidden(needed: Role, scope: Scope | None, has: str) -> Problem:
    """403: who asks may not do this. ``has`` says in words what the credential has."""
    within = f' and the scope "{scope}"' if scope is not None else ""
    detail = f'this needs the role "{needed}"{within}; {has}'
    extra = {"role": needed.value} | ({} if scope is None else {"scope": scope})
    challenge = f'{_CHALLENGE}, error="insufficient_scope"'
    headers = {"WWW-Authenticate": challenge}
    return Problem(403, "forbidden", "Forbidden", detail, extra, headers)


def too_many_failures(wait_s: int) -> Problem:
    """429: too many credentials from this address were refused (RFC 6585, 4)."""
    detail = f"too many credentials from this address were refused; try again in {wait_s} s"
    headers = {"Retry-After": str(wait_s)}
    return Problem(429, "too-many-failures", "Too many failures", detail, headers=headers)


def sign_in_is_off() -> Problem:
    """403: nobody may do or read this over HTTP, as nobody signs in."""
    detail = (
        "this needs admin.sign_in = true, so that it is known who asks; without it, use the "
        "gateway's commands on a host that has the configuration file, such as gateway edge drain, "
        "gateway steer, gateway purge and gateway audit"
    )
    return Problem(403, "sign-in-off", "Sign-in is off", detail)


def config_refused(faults: list[str]) -> Problem:
    """409: the configuration file has errors, and the one in force stays."""
    detail = f"the file was refused as a whole, and the configuration in force stays: {faults[0]}"
    return Problem(409, "config-refused", "Configuration refused", detail, {"errors": faults})


def reload_takes_long() -> Problem:
    """503: the reload was not finished in time; it goes on."""
    detail = "the reload is still running; GET /v1/config shows what is in force"
    return Problem(503, "reload-takes-long", "Reload takes long", detail)


def provider_unavailable(reason: str) -> Problem:
    """503: nobody can sign in, as the OpenID provider cannot be asked."""
    detail = f"the OpenID provider cannot be asked: {reason}; API keys and sessions go on"
    title = "The OpenID provider cannot be asked"
    return Problem(503, "provider-unavailable", title, detail, headers={"Retry-After": "10"})


def no_csrf_header(name: str) -> Problem:
    """403: a request that acts with a cookie lacks the header that foreign pages cannot
    send."""
    detail = f"a request that acts with the cookie of a browser needs the header {name}"
    return Problem(403, "no-csrf-header", "Header is missing", detail)
