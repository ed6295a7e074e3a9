"""What would the gateway say of a token? Offline, unless the sets of keys are to be fetched."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from gateway.background.token_keys import TokenKeyKeeper
from gateway.config.schema import Settings
from gateway.config.token_build import protections_of, token_rules_of, token_sources_of
from gateway.trust.tokens.refusal import RefusalCode, Refused
from gateway.trust.tokens.renewal import terms_of
from gateway.trust.tokens.verified import VerifiedToken


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


def _opens(settings: Settings, token: VerifiedToken, asset: str) -> None:
    """Raises TokenRefusedError unless the token opens the asset."""
    protection = protections_of(settings).of(asset)
    mismatch = None if protection is None else protection.mismatch(token)
    if mismatch is None and protection is not None and not token.allows_asset(asset):
        mismatch = "The token is for other assets."
    if mismatch is not None:
        raise TokenRefusedError(f"{mismatch} [403]")


def _lines(token: VerifiedToken) -> Iterator[tuple[str, str]]:
    yield "valid", f"{token.form.upper()}, made with the key {token.key}"
    for name, at_s in (("from", token.starts_s), ("until", token.expires_s)):
        if at_s is not None:
            yield name, datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = token.limits
    shown = {
        "issuer": token.issuer,
        "audiences": token.audiences or None,
        "id": token.token_id,
        "subject": token.subject,
        "session": token.session,
        "assets": token.assets,
        "asset prefixes": token.prefixes,
        "countries": token.countries,
        "networks": token.networks,
        "AS numbers": token.asns,
        "anonymous networks": "refused" if token.refuse_anonymous else None,
        "devices": token.devices,
        "methods": token.methods,
        "height": limits.max_height,
        "kbit/s": limits.max_bitrate_kbps,
        "codecs": limits.codecs,
        "sessions": token.max_sessions,
        "request": "catu or cath must match" if token.uri or token.headers else None,
        "renewal": _renewal(token),
    }
    for name, value in shown.items():
        if value is not None:
            yield name, _in_words(value)


def _renewal(token: VerifiedToken) -> str | None:
    """How the token may be renewed, where ``[tokens.renewal]`` is configured."""
    terms = terms_of(token)
    if terms is None or token.renewal is None:
        return None if token.renewal is None else "none, the token has no exp or no cti"
    return f"{token.renewal.kind}, for {terms.lifetime_s} s, in its last {terms.window_s} s"


def _in_words(value: object) -> str:
    """A value on one line; what a token says may be any text."""
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(map(_in_words, value)))
    text = str(value)
    return text if text.isprintable() else ascii(text)
