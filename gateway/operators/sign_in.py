"""Who sends a request to the operators' listener? Finds the credential and has it verified."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.config.operator_build import api_keys_of
from gateway.config.schema import Settings
from gateway.trust.operators.api_key import ApiKeys
from gateway.trust.operators.operator import Operator, Refusal


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with its credential: the method, the headers by their lower-case names, the path
    and the query as they were sent, and the body, None where it was not read."""

    method: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways to sign in, of one configuration."""

    on: bool
    keys: ApiKeys


class SignIn:
    """Verifies credentials by the current configuration. ``clock`` gives Unix time in seconds."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ways = _ways_of(settings)

    @property
    def on(self) -> bool:
        """Whether operators have to sign in."""
        return self._ways.on

    def configure(self, settings: Settings) -> None:
        """Use the credentials of a new configuration."""
        self._ways = _ways_of(settings)

    def has_credential(self, asked: Asked) -> bool:
        """Whether a request has anything to verify."""
        return "authorization" in asked.headers

    async def who(self, asked: Asked) -> Operator | Refusal | None:
        """Who has sent a request; None when it has no credential."""
        authorization = asked.headers.get("authorization")
        if authorization is not None:
            return self._bearer(authorization)
        return None

    def _bearer(self, authorization: str) -> Operator | Refusal:
        scheme, _, credential = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return Refusal("other-scheme", "the scheme of Authorization is not Bearer")
        return self._ways.keys.verify(credential.strip(" "), self._clock())


def _ways_of(settings: Settings) -> _Ways:
    admin = settings.admin
    return _Ways(on=admin.sign_in, keys=api_keys_of(admin))
