"""An OpenID provider on loopback that issues whatever ID tokens an attack wants.

Otherwise it is strict: a code is good once, for the client, redirect URL and verifier that it was
issued for.
"""

import contextlib
import hmac
import json
import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

KEY_ID = "p"
CLIENT_ID, CLIENT_SECRET = "gateway", "a-secret"
Claims = dict[str, Any]


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def assembled(header: Claims, claims: Claims, signature: bytes = b"") -> str:
    """A JWT with this signature, whatever its header says."""
    parts = [base64url(json.dumps(each).encode()) for each in (header, claims)]
    return ".".join([*parts, base64url(signature)])


@dataclass(frozen=True)
class _Code:
    token: str
    challenge: str | None


class Provider:
    """One provider. ``token_requests`` counts how often its token endpoint was asked, ``strays``
    has the paths that nobody should ask for."""

    def __init__(self, port: int, redirect_url: str) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = RSAKey.generate_key(2048, {"kid": KEY_ID})
        self.token_requests = 0
        self.strays: list[str] = []
        self._port = port
        self._redirect_url = redirect_url
        self._codes: dict[str, _Code] = {}

    def signed(self, claims: Claims, key: RSAKey | None = None, **header: Any) -> str:
        """A token with these claims; its header has ``header`` as well."""
        head = {"alg": "RS256", "kid": KEY_ID, **header}
        return jwt.encode(head, claims, key or self.key)

    def code(self, token: str, challenge: str | None) -> str:
        """A code for a token. ``challenge`` is that of the flow (RFC 7636); None checks none."""
        made = secrets.token_urlsafe(24)
        self._codes[made] = _Code(token, challenge)
        return made

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answers until the end."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_post("/token", self._token)
        app.router.add_route("*", "/{path:.*}", self._stray)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def _token(self, request: web.Request) -> web.Response:
        self.token_requests += 1
        form = await request.post()
        pair = b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {pair}":
            return web.json_response({"error": "invalid_client"}, status=401)
        found = self._codes.pop(str(form.get("code", "")), None)
        verifier = str(form.get("code_verifier", ""))
        if (
            found is None
            or form.get("redirect_uri") != self._redirect_url
            or (found.challenge is not None and not _fits(verifier, found.challenge))
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(
            {"access_token": "opaque", "token_type": "Bearer", "id_token": found.token}
        )

    async def _stray(self, request: web.Request) -> web.Response:
        self.strays.append(request.path)
        return web.json_response({"keys": []})


def _fits(verifier: str, challenge: str) -> bool:
    made = base64url(sha256(verifier.encode()).digest())
    return hmac.compare_digest(made, challenge)
