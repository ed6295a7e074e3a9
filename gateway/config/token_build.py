"""Builds what verifies playback tokens from the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from gateway.config.build import signing_keys_of
from gateway.config.schema import Settings
from gateway.config.token_settings import TokenKeySettings, TokenProtectSettings, TokenSettings
from gateway.trust.keys import Purpose
from gateway.trust.tokens.key import KeyUse, TokenKey, public_key, secret_key
from gateway.trust.tokens.key_set import SetUse
from gateway.trust.tokens.protection import Protection, Protections
from gateway.trust.tokens.renewal import RenewalRules, secret_renewal_key
from gateway.trust.tokens.rules import TokenRules
from gateway.trust.tokens.sources import KeyFile, KeySetPlace, RefreshBounds, TokenSources


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
        countries=given.countries,
    )


def renewal_rules_of(settings: Settings) -> RenewalRules | None:
    """How tokens are renewed; None while they are not. Renewed tokens have to be accepted, so
    ``tokens.max_lifetime_s`` bounds their lifetime as well."""
    given = settings.tokens
    renewal = given.renewal
    if not given.enabled or renewal is None:
        return None
    key = next(each for each in given.keys if each.id == renewal.key)
    signs = given.private_renewal_key(key)
    if signs is None:
        secret = next(_made(key, key.use, _derived(settings)), None)
        if secret is None:  # a retired key of the ring, of which the check warns
            return None
        signs = secret_renewal_key(secret)
    most_s = renewal.total_lifetime_s
    return RenewalRules(signs, min(most_s, given.max_lifetime_s or most_s))


def token_sources_of(settings: Settings) -> TokenSources:
    """Where the keys of tokens come from; nowhere while tokens are off. Retired keys are left
    out."""
    given = settings.tokens
    if not given.enabled:
        return TokenSources()
    derived = _derived(settings)
    active = [(key, _use_of(given, key)) for key in given.keys if key.status == "active"]
    ca_file = given.ca_file
    return TokenSources(
        keys=tuple(made for key, use in active for made in _made(key, use, derived)),
        files=tuple(
            KeyFile(use, str(key.public_key_file))
            for key, use in active
            if key.public_key_file is not None
        ),
        sets=tuple(
            KeySetPlace(
                SetUse(each.issuer, each.rsa_algorithm, each.subject_is),
                None if each.file is None else str(each.file),
                each.url,
            )
            for each in given.jwks
        ),
        refresh=RefreshBounds(
            min_s=given.jwks_min_refresh_s,
            max_s=max(given.jwks_min_refresh_s, given.jwks_max_refresh_s),
            unknown_s=given.jwks_unknown_key_s,
            keep_s=given.jwks_keep_s,
            timeout_s=given.jwks_timeout_ms / 1000,
            ca_file=None if ca_file is None else str(ca_file),
        ),
    )


def _derived(settings: Settings) -> Mapping[str, bytes]:
    """The secrets of ``ring_key``, by the ids of the keys of the ring."""
    return {
        key.id: key.derived[Purpose.PLAYBACK_TOKEN]
        for key in signing_keys_of(settings)
        if key.status != "retired"
    }


def _use_of(given: TokenSettings, key: TokenKeySettings) -> KeyUse:
    """For which tokens one of the keys is."""
    renewal = given.renewal
    renews = renewal is not None and (key.id == renewal.key or key.id in renewal.other_keys)
    return replace(key.use, renews=renews)


def _made(given: TokenKeySettings, use: KeyUse, derived: Mapping[str, bytes]) -> Iterator[TokenKey]:
    """The key, if the configuration has it itself."""
    if given.public_key is not None:
        yield public_key(use, given.public_key_text)
    elif given.ring_key is not None:
        if given.ring_key in derived:
            yield secret_key(use, derived[given.ring_key])
    elif given.public_key_file is None:
        yield secret_key(use, given.secret_bytes)
