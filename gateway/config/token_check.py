"""Do the keys of ``[tokens]`` fit together, and the rest of the configuration?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from gateway.config.problem import ConfigProblem, nearest, shown
from gateway.config.read import read_defaults
from gateway.trust.edge_signing import akamai, cat, cloudfront, media_cdn

_SIGNED_COOKIES: Final[Mapping[str, tuple[str, ...]]] = {
    "akamai": (akamai.TOKEN_NAME,),
    "cat": (cat.COOKIE,),
    "cloudfront": cloudfront.COOKIES,
    "media-cdn": (media_cdn.COOKIE,),
}
"""The names of the cookies with the signatures of a scheme, where ``token_name`` gives none."""
ProblemOf = Callable[..., ConfigProblem]


def check_tokens(tables: Mapping[str, Any], problem: ProblemOf) -> Iterator[ConfigProblem]:
    """All problems between keys. They are reported whether tokens are on or not."""
    given = tables.get("tokens")
    if not isinstance(given, dict):
        return
    yield from _use(given, problem)
    yield from _lifetime(given, problem)
    yield from _ring_keys(tables, given, problem)
    yield from _protect(tables, given, problem)
    yield from _renewal(given, problem)
    yield from _cookies(tables, given, problem)


def _renewal(given: Mapping[str, Any], problem: ProblemOf) -> Iterator[ConfigProblem]:
    """Are renewed tokens accepted, and as long as it says?"""
    renewal = given.get("renewal")
    if not isinstance(renewal, dict):
        return
    keys = [str(each.get("id")) for each in _tables(given, "keys")]
    where = ("tokens", "renewal", "other_keys")
    yield from _named(where, renewal, keys, "[[tokens.keys]]", problem)
    for each in _tables(given, "keys"):
        bounds = [name for name in ("not_before", "not_after") if name in each]
        if each.get("id") == renewal.get("key") and bounds:
            path = ("tokens", "renewal", "key")
            text = f"has {' and '.join(bounds)}, and renews nothing outside of that time"
            yield problem(path, text, value=shown(each["id"]), severity="warning")
    most, longest = renewal.get("total_lifetime_s"), given.get("max_lifetime_s")
    if isinstance(most, int) and isinstance(longest, int) and 0 < longest < most:
        path = ("tokens", "renewal", "total_lifetime_s")
        text, allowed = "is above tokens.max_lifetime_s, which ends renewals", f"at most {longest}"
        yield problem(path, text, value=shown(most), allowed=allowed, severity="warning")


def _cookies(
    tables: Mapping[str, Any], given: Mapping[str, Any], problem: ProblemOf
) -> Iterator[ConfigProblem]:
    """A player keeps one cookie of a name: a token for the gateway, or one for an edge. Pages send
    cookies only where their origin is listed."""
    cookies = given.get("cookies")
    if not isinstance(cookies, list) or not cookies:
        return
    server = tables.get("server")
    origins = server.get("cors_origins") if isinstance(server, dict) else None
    if isinstance(origins, list) and "*" in origins:
        text, path = "keeps web pages from sending tokens.cookies", ("server", "cors_origins")
        allowed = "the origins of the pages, one by one"
        yield problem(path, text, value=shown(origins), allowed=allowed, severity="warning")
    for edge in _tables(tables, "edges"):
        signing = edge.get("signing")
        if not isinstance(signing, dict) or signing.get("cookie_domain") is None:
            continue
        named = signing.get("token_name")
        usual = _SIGNED_COOKIES.get(str(signing.get("scheme")), ())
        for name in usual if named is None else (named,):
            if name not in cookies:
                continue
            text = f"is the cookie with the signature of edge {shown(edge.get('id'))}"
            yield problem(("tokens", "cookies"), text, value=shown(name), allowed="another name")


def is_for_everybody(protect: Mapping[str, Any]) -> bool:
    """Whether a table of ``[[tokens.protect]]`` wants no token, and viewers may be anywhere."""
    somewhere = protect.get("countries") or protect.get("refuse_anonymous")
    return protect.get("access") == "open" and not somewhere


def _use(given: Mapping[str, Any], problem: ProblemOf) -> Iterator[ConfigProblem]:
    if given.get("enabled") is not True:
        return
    protected = [each for each in _tables(given, "protect") if each.get("access") != "open"]
    keys = [each for each in _tables(given, "keys") if each.get("status") != "retired"]
    if all(map(is_for_everybody, _tables(given, "protect"))):
        text = "is true, but no [[tokens.protect]] wants a token"
        yield problem(("tokens", "enabled"), text, severity="warning")
    if protected and not keys and not _tables(given, "jwks"):
        text = "has no key that verifies tokens, so nothing opens what [[tokens.protect]] protects"
        yield problem(("tokens", "keys"), text, allowed="[[tokens.keys]] or [[tokens.jwks]]")
    least, most = given.get("jwks_min_refresh_s"), given.get("jwks_max_refresh_s")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        path = ("tokens", "jwks_min_refresh_s")
        text = "is above tokens.jwks_max_refresh_s"
        yield problem(path, text, value=shown(least), allowed=f"at most {most}")


def _lifetime(given: Mapping[str, Any], problem: ProblemOf) -> Iterator[ConfigProblem]:
    """A token without an end lives longer than any bound. The shipped one is for other tokens."""
    most, shipped = given.get("max_lifetime_s"), read_defaults()["tokens"]["max_lifetime_s"]
    if given.get("require_expiry") is False and isinstance(most, int) and most not in (0, shipped):
        text = "does not bound tokens without exp, which tokens.require_expiry = false accepts"
        allowed = "0, or tokens.require_expiry = true"
        yield problem(("tokens", "max_lifetime_s"), text, value=shown(most), allowed=allowed)


def _ring_keys(
    tables: Mapping[str, Any], given: Mapping[str, Any], problem: ProblemOf
) -> Iterator[ConfigProblem]:
    keys = tables.get("keys")
    ring = {
        each.get("id"): each for each in _tables(keys if isinstance(keys, dict) else {}, "ring")
    }
    for position, key in enumerate(_tables(given, "keys")):
        name = key.get("ring_key")
        path = ("tokens", "keys", position, "ring_key")
        if not isinstance(name, str):
            continue
        if name not in ring:
            known = sorted(map(str, ring))
            yield problem(
                path,
                "is not the id of a key of [[keys.ring]]",
                value=shown(name),
                allowed=", ".join(known) or "no key is configured there",
                suggestion=nearest(name, known),
            )
        elif ring[name].get("status") == "retired" and key.get("status") != "retired":
            text = "is retired in [[keys.ring]], so this key verifies nothing"
            yield problem(path, text, value=shown(name), severity="warning")


def _protect(
    tables: Mapping[str, Any], given: Mapping[str, Any], problem: ProblemOf
) -> Iterator[ConfigProblem]:
    keys = [str(each.get("id")) for each in _tables(given, "keys")]
    sources = (*_tables(given, "keys"), *_tables(given, "jwks"))
    issuers = [str(each["issuer"]) for each in sources if "issuer" in each]
    any_issuer = any("issuer" not in each for each in _tables(given, "keys"))
    geo = tables.get("geo")
    has_database = isinstance(geo, dict) and geo.get("anonymous_ip_database") is not None
    for position, each in enumerate(_tables(given, "protect")):
        path = ("tokens", "protect", position)
        if not _tables(given, "jwks"):  # whose keys have ids of their own
            yield from _named((*path, "keys"), each, keys, "[[tokens.keys]]", problem)
        if not any_issuer:
            yield from _named((*path, "issuers"), each, issuers, "a key or a set", problem)
        if each.get("refuse_anonymous") is True and not has_database:
            text = "needs geo.anonymous_ip_database"
            allowed = "false, or geo.anonymous_ip_database as well"
            yield problem((*path, "refuse_anonymous"), text, value="true", allowed=allowed)


def _named(
    path: tuple[str | int, ...],
    table: Mapping[str, Any],
    known: list[str],
    where: str,
    problem: ProblemOf,
) -> Iterator[ConfigProblem]:
    """Names in a list that nothing has."""
    names = table.get(str(path[-1]))
    for position, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and name not in known:
            yield problem(
                (*path, position),
                f"is not that of {where}",
                value=shown(name),
                allowed=", ".join(known),
                suggestion=nearest(name, known),
            )


def _tables(given: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The tables in a list; empty ones in place of what is none, so that positions stay."""
    found = given.get(name)
    return (
        [each if isinstance(each, dict) else {} for each in found]
        if isinstance(found, list)
        else []
    )
