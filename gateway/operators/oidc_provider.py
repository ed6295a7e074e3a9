"""Asks an OpenID provider where its endpoints are, which keys it signs with, and whom codes name.

What it has said is kept while it cannot be asked. Keys are fetched again when they are old, or when
a token names one that is not known, but at most once in ``MIN_REFRESH_S``. A caller that needs what
is not known waits for the answer. One that needs a key that is old waits for ``WAIT_S``, and not at
all while the provider does not answer: a key may have been replaced since.
"""

import asyncio
import contextlib
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import structlog

from gateway.trust.operators.oidc import ProviderKeys, import_joserfc, key_set_of
from gateway.untrusted import json_of

TIMEOUT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 256 * 1024
REFRESH_S: Final = 3600.0
MIN_REFRESH_S: Final = 10.0
WAIT_S: Final = 1.0
_OK: Final = 200
_BAD_REQUEST: Final = 400

log = structlog.get_logger()


class ProviderError(Exception):
    """The provider cannot be asked, or its answer not be used; the message says why."""


class CodeRefusedError(Exception):
    """The provider does not accept a code: it has not issued it, not for this flow, or has seen it
    before."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the provider is asked (OpenID Connect Discovery 1.0, 3)."""

    authorization: str
    token: str
    jwks: str
    names_issuer: bool
    """Whether the provider says who it is when it sends a browser back (RFC 9207, 3)."""


@dataclass(frozen=True, slots=True)
class Client:
    """The gateway as the provider knows it."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_url: str | None


class OidcProvider:
    """One provider. ``clock`` gives monotonic seconds."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        # Imported now: a request would keep the event loop busy for more than 100 ms with it.
        import aiohttp  # noqa: F401, PLC0415  # only where a provider is configured

        import_joserfc()
        self.client = client
        self._clock = clock
        self._refreshing: asyncio.Task[None] | None = None
        self._endpoints: Endpoints | None = None
        self._keys: ProviderKeys | None = None
        self._tried_s = float("-inf")
        self._fetched_s = float("-inf")
        self._trouble = ""

    async def keys(self, key_id: str | None) -> ProviderKeys:
        """The keys with which the provider signs, fetched again if none of them has the id
        ``key_id``. Raises ProviderError when there are none."""
        now_s = self._clock()
        missing = self._keys is None or (key_id is not None and key_id not in self._keys.ids)
        if missing or now_s - self._fetched_s > REFRESH_S:
            running = self._refreshing
            if running is None and now_s - self._tried_s >= MIN_REFRESH_S:
                running = self._refreshing = asyncio.create_task(self._refresh(now_s))
            if running is not None and (missing or not self._trouble):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if missing else WAIT_S):
                        await asyncio.shield(running)
        if self._keys is None:
            raise ProviderError(self._trouble)
        return self._keys

    async def authorization_url(self, parameters: Mapping[str, str]) -> str:
        """Where a browser signs in. Raises ProviderError."""
        endpoint = (await self._found()).authorization
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"

    async def may_be_from(self, issuer: str | None) -> bool:
        """Whether a browser that comes back with ``issuer`` (None: with none) may come from this
        provider (RFC 9207, 2.4). Raises ProviderError."""
        if issuer is None:
            return not (await self._found()).names_issuer
        return issuer == self.client.issuer

    async def id_token(self, code: str, verifier: str) -> str:
        """The ID token for a code (OpenID Connect Core 1.0, 3.1.3). Raises ProviderError and
        CodeRefusedError."""
        endpoint = (await self._found()).token
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_url or "",
            "code_verifier": verifier,
            "client_id": self.client.client_id,
        }
        headers = {}
        if self.client.client_secret is not None:
            pair = f"{quote(self.client.client_id)}:{quote(self.client.client_secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        answer = await _ask(endpoint, form, headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("the provider's answer for the code has no ID token")
        return token

    async def _found(self) -> Endpoints:
        await self.keys(None)
        if self._endpoints is None:
            raise ProviderError(self._trouble)
        return self._endpoints

    async def _refresh(self, now_s: float) -> None:
        """Fetch endpoints and keys; those that were known stay when that fails."""
        self._tried_s = now_s
        try:
            endpoints = await _discover(self.client.issuer)
            answer = await _ask(endpoints.jwks)
            keys = _keys_of(answer)
        except ProviderError as error:
            self._trouble = str(error)
            log.warning("oidc_provider_not_read", issuer=self.client.issuer, reason=str(error))
        else:
            self._endpoints, self._keys, self._fetched_s = endpoints, keys, now_s
            self._trouble = ""
        finally:
            self._refreshing = None


def _keys_of(answer: Mapping[str, Any]) -> ProviderKeys:
    """The keys of a provider's answer. Raises ProviderError."""
    try:
        return key_set_of(answer)
    except ValueError as error:
        raise ProviderError(f"the provider's set of keys {error}") from error
    except Exception as error:  # of a library, for what the provider has sent
        reason = f"the provider's set of keys cannot be read ({type(error).__name__})"
        raise ProviderError(reason) from error


async def _discover(issuer: str) -> Endpoints:
    found = await _ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != issuer:
        raise ProviderError("the provider says that it is another issuer")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    urls = [found.get(name) for name in names]
    for name, url in zip(names, urls, strict=True):
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise ProviderError(f"the provider's configuration has no {name}")
        if issuer.startswith("https://") and not url.startswith("https://"):
            raise ProviderError(f"the provider's {name} is not https, and its issuer is")
    names_issuer = found.get("authorization_response_iss_parameter_supported") is True
    authorization, token, jwks = map(str, urls)
    return Endpoints(authorization, token, jwks, names_issuer=names_issuer)


async def _ask(
    url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object at ``url``, for a POST of ``form`` if there is one. Raises ProviderError, and
    CodeRefusedError for a form with a grant that is not valid (RFC 6749, 5.2)."""
    import aiohttp  # noqa: PLC0415

    method = "GET" if form is None else "POST"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.request(
                method, url, data=form, headers=headers, allow_redirects=False
            ) as answer,
        ):
            data = await answer.content.read(MAX_ANSWER_BYTES + 1)
            while len(data) <= MAX_ANSWER_BYTES and not answer.content.at_eof():
                data += await answer.content.read(MAX_ANSWER_BYTES + 1 - len(data))
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ProviderError(f"the provider does not answer ({type(error).__name__})") from error
    if status not in {_OK, _BAD_REQUEST}:
        raise ProviderError(f"the provider answers {status}")
    try:
        found = json_of(data, MAX_ANSWER_BYTES)
    except ValueError as error:
        if status != _OK:
            raise ProviderError(f"the provider answers {status}") from error
        raise ProviderError(f"the provider's answer cannot be read: {error}") from error
    if status == _BAD_REQUEST:
        if form is not None and isinstance(found, dict) and found.get("error") == "invalid_grant":
            raise CodeRefusedError
        raise ProviderError(f"the provider answers {status}")
    if not isinstance(found, dict):
        raise ProviderError("the provider's answer is no JSON object")
    return found
