"""Builds what the sign-in of operators uses from the settings."""

from gateway.config.admin_settings import AdminSettings, OidcSettings, moment_s
from gateway.trust.operators.api_key import ApiKey, ApiKeys, digest_of
from gateway.trust.operators.message_signature import ServiceKey, ServiceKeys
from gateway.trust.operators.oidc import OidcRules


def service_keys_of(admin: AdminSettings) -> ServiceKeys:
    """The keys of services."""
    keys = (
        ServiceKey(given.id, given.secret_bytes, given.role, given.scopes, given.status)
        for given in admin.services
    )
    return ServiceKeys(keys, admin.signature_window_s)


def oidc_rules_of(given: OidcSettings) -> OidcRules:
    """What tokens of the OpenID provider must fulfil."""
    return OidcRules(
        issuer=given.issuer,
        client_id=given.client_id,
        audiences=given.audiences | {given.client_id},
        role_claim=given.role_claim,
        roles=dict(given.roles),
    )


def api_keys_of(admin: AdminSettings) -> ApiKeys:
    """The API keys."""
    return ApiKeys(
        ApiKey(
            id=given.id,
            digest=digest_of(given.hash.get_secret_value()),
            role=given.role,
            scopes=given.scopes,
            expires_s=None if given.expires is None else moment_s(given.expires),
            state=given.status,
        )
        for given in admin.keys
    )
