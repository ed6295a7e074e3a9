"""Builds what verifies playback tokens from the settings."""

from gateway.config.schema import Settings
from gateway.config.token_settings import TokenProtectSettings
from gateway.trust.tokens.protection import Protection, Protections
from gateway.trust.tokens.rules import TokenRules


def token_rules_of(settings: Settings) -> TokenRules:
    """What a token must fulfil, whatever it opens."""
    given = settings.tokens
    of_assets = (each.audiences or frozenset() for each in given.protect)
    return TokenRules(
        max_chars=given.max_chars,
        leeway_s=given.leeway_s,
        require_expiry=given.require_expiry,
        max_lifetime_s=given.max_lifetime_s or None,
        audiences=given.audiences.union(*of_assets),
    )


def protections_of(settings: Settings) -> Protections:
    """Which assets want a token; none while tokens are off."""
    given = settings.tokens
    return Protections(map(_protection, given.protect if given.enabled else ()))


def _protection(given: TokenProtectSettings) -> Protection:
    return Protection(
        asset_prefix=given.asset_prefix,
        is_open=given.access == "open",
        issuers=given.issuers,
        keys=given.keys,
        audiences=given.audiences,
        required=tuple(sorted(given.required_claims)),
        refuse_anonymous=given.refuse_anonymous,
    )
