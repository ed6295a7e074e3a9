"""What would the gateway say of a token? Offline, unless the sets of keys are to be fetched."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from gateway.background.token_keys import TokenKeyKeeper
from gateway.config.schema import Settings
from gateway.config.token_build import protections_of, token_rules_of, token_sources_of
from gateway.trust.tokens.grant import Grant
from gateway.trust.tokens.refusal import RefusalCode, Refused
from gateway.trust.tokens.renewal import terms_of


class TokenRefusedError(Exception):
    """The gateway would refuse the token; the message says why."""


def checked(settings: Settings, text: str, asset: str | None, *, fetch: bool) -> str:
    """What the token allows, in lines; for ``asset``, whether it opens it. ``fetch``: the sets of
    keys with a URL are fetched first.

    Raises TokenRefusedError.
    """
    on = settings.tokens.model_copy(update={"enabled": True})
    settings = settings.model_copy(update={"tokens": on})
    keeper = TokenKeyKeeper(token_sources_of(settings), token_rules_of(settings))
    if fetch:
        asyncio.run(_fetched(keeper))
    found = keeper.verifier.verify(text, time.time(), checks_request=True)
    if isinstance(found, Refused):
        hint = ""
        if found.code is RefusalCode.UNKNOWN_KEY and not fetch:
            hint = " Sets of keys with a URL were not fetched; --fetch does."
        raise TokenRefusedError(f"{found.sentence}{hint} [{found.code}]")
    if asset is not None:
        _opens(settings, found, asset)
    return "\n".join(f"{name}: {value}" for name, value in _lines(found))


async def _fetched(keeper: TokenKeyKeeper) -> None:
    await keeper.look()
    await keeper.close()


def _opens(settings: Settings, grant: Grant, asset: str) -> None:
    """Raises TokenRefusedError unless the token opens the asset."""
    protection = protections_of(settings).of(asset)
    mismatch = None if protection is None else protection.mismatch(grant)
    if mismatch is None and protection is not None and not grant.allows_asset(asset):
        mismatch = "The token is for other assets."
    if mismatch is not None:
        raise TokenRefusedError(f"{mismatch} [403]")


def _lines(grant: Grant) -> Iterator[tuple[str, str]]:
    yield "valid", f"{grant.form.upper()}, verified by the key {grant.key}"
    for name, at_s in (("from", grant.starts_s), ("until", grant.expires_s)):
        if at_s is not None:
            yield name, datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = grant.limits
    shown = {
        "issuer": grant.issuer,
        "audiences": grant.audiences or None,
        "id": grant.token_id,
        "subject": grant.subject,
        "session": grant.session,
        "assets": grant.assets,
        "asset prefixes": grant.prefixes,
        "countries": grant.countries,
        "networks": grant.networks,
        "AS numbers": grant.asns,
        "anonymous networks": "refused" if grant.refuse_anonymous else None,
        "devices": grant.devices,
        "methods": grant.methods,
        "height": limits.max_height,
        "kbit/s": limits.max_bitrate_kbps,
        "codecs": limits.codecs,
        "sessions": grant.max_sessions,
        "request": "catu or cath must match" if grant.uri or grant.headers else None,
        "renewal": _renewal(grant),
    }
    for name, value in shown.items():
        if value is not None:
            yield name, _in_words(value)


def _renewal(grant: Grant) -> str | None:
    """How the token may be renewed, where ``[tokens.renewal]`` is configured."""
    terms = terms_of(grant)
    if terms is None or grant.renewal is None:
        return None if grant.renewal is None else "none, the token has no exp or no cti"
    return f"{grant.renewal.kind}, for {terms.lifetime_s} s, in its last {terms.window_s} s"


def _in_words(value: object) -> str:
    """A value on one line; what a token says may be any text."""
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(map(_in_words, value)))
    text = str(value)
    return text if text.isprintable() else ascii(text)
