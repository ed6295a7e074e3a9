"""Attacks on operators who sign in by an OpenID provider."""

import hmac
import json
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from joserfc.jwk import RSAKey

from gateway.trust.keys import KeyRing, SigningKey
from gateway.trust.operators.browser import Flow, signed_flow, signed_session
from gateway.trust.operators.oidc import OidcRules
from gateway.trust.operators.operator import Operator, Role
from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.browser import CALLBACK, FLOW, SESSION, SIGN_IN, Browser, client_of
from tests.attack.provider import CLIENT_ID, CLIENT_SECRET, KEY_ID, Claims, Provider, assembled
from tests.attack.stages import REDIRECT_URL, RING_SECRET, OidcStage, oidc_stage

OTHER_ISSUER = "https://login.example"
CSRF = {"X-Gateway-Csrf": "1"}
MISSING: Any = object()
"""A claim that is left out."""


@dataclass
class Scene:
    """Who takes part."""

    provider: Provider
    client: httpx.AsyncClient
    outcome: Outcome

    def browser(self) -> Browser:
        """A new one."""
        return Browser(self.client, self.outcome.faults)

    def claims(self, nonce: str | None = None, other: Claims | None = None) -> Claims:
        """The claims of a good token of an admin, but for ``other``."""
        now_s = int(time.time())
        found: Claims = {
            "iss": self.provider.issuer,
            "aud": CLIENT_ID,
            "sub": "ada",
            "exp": now_s + 300,
            "iat": now_s,
            "realm": {"roles": ["admins"]},
        }
        if nonce is not None:
            found["nonce"] = nonce
        found |= other or {}
        return {name: value for name, value in found.items() if value is not MISSING}

    def granted(self, begun: dict[str, str], token: str = "", **other: str) -> dict[str, str]:
        """With what the provider sends a browser back: the code of a good token, or of another."""
        token = token or self.provider.signed(self.claims(begun["nonce"]))
        code = self.provider.code(token, begun["code_challenge"])
        return {"code": code, "state": begun["state"], "iss": self.provider.issuer, **other}

    async def signed_in(self) -> Browser:
        """A browser that has signed in as it should."""
        browser = self.browser()
        answer = await browser.ask(CALLBACK, self.granted(await browser.begin()))
        self.outcome.sent += 1
        found = answer.status_code, answer.headers.get("location")
        self.outcome.fault(f"a good sign-in is answered {found}", unless=found == (302, "/console"))
        self.outcome.fault("a good session is refused", unless=await browser.is_in())
        return browser

    async def refused(self, what: str, browser: Browser, query: dict[str, str] | str) -> None:
        """The browser comes back from the provider, and must not be let in. It keeps its cookies,
        whatever the answer says."""
        kept = dict(browser.cookies)
        answer = await browser.ask(CALLBACK, query)
        self.outcome.sent += 1
        refused = answer.status_code == 401 and not any(SESSION in x for x in browser.set_cookies)
        said = f"{what}: answered {answer.status_code} {answer.text[:200]}"
        self.outcome.fault(said, unless=refused)
        self.outcome.fault(f"{what}: is signed in", unless=not await browser.is_in())
        browser.cookies = kept

    async def refused_bearer(self, what: str, token: str) -> None:
        """A program sends a token, and must not be let in."""
        if not token.isascii() or token.count(".") != 2:
            return
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self.browser().ask("/v1/edges", headers=headers)
        self.outcome.sent += 1
        said = f"{what}: a bearer is answered {answer.status_code}"
        self.outcome.fault(said, unless=answer.status_code == 401)


Tokens = Iterator[tuple[str, Callable[[str], str]]]
"""What it is, and the token for the nonce of a flow."""


def _bad_claims(scene: Scene) -> Tokens:
    """Tokens that the provider has signed, for somebody or something else."""
    now_s, issuer = int(time.time()), scene.provider.issuer
    changes: dict[str, Claims] = {
        "another issuer": {"iss": OTHER_ISSUER},
        "a longer issuer": {"iss": f"{issuer}/"},
        "a list of issuers": {"iss": [issuer]},
        "no issuer": {"iss": MISSING},
        "another client": {"aud": "another"},
        "other clients": {"aud": ["another", "gateway2", "Gateway"]},
        "an audience that is an object": {"aud": {CLIENT_ID: True}},
        "an audience in a list in a list": {"aud": [[CLIENT_ID]]},
        "no audience": {"aud": MISSING},
        "a token that has expired": {"exp": now_s - 61},
        "a token that never expires": {"exp": MISSING},
        "an expiry that is text": {"exp": str(now_s + 300)},
        "an expiry that is true": {"exp": True},
        "a token of tomorrow": {"iat": now_s + 86_400},
        "a token that is not valid yet": {"nbf": now_s + 86_400},
        "no subject": {"sub": MISSING},
        "an empty subject": {"sub": ""},
        "a subject that is a number": {"sub": 1},
        "a long subject": {"sub": "a" * 1000},
    }
    roles: tuple[Any, ...] = (
        *(None, True, 1, "", "Admins", "admins ", "admins,staff", "admin", "operator"),
        *({"admins": True}, [], [["admins"]], [{"admins": 1}], [None, 1, True], ["admin"], "*"),
    )
    changes |= {f"roles {each!r}": {"realm": {"roles": each}} for each in roles}
    realms: tuple[Any, ...] = (MISSING, None, {}, "admins", ["admins"], [{"roles": ["admins"]}], 5)
    changes |= {f"realm {each!r}": {"realm": each} for each in realms}
    changes["roles elsewhere"] = {"realm": MISSING, "roles": ["admins"], "groups": ["admins"]}
    for what, other in changes.items():

        def made(nonce: str, other: Claims = other) -> str:
            return scene.provider.signed(scene.claims(nonce, other))

        yield what, made


def _foreign_keys(scene: Scene) -> Tokens:
    """Tokens with good claims that somebody else has signed."""
    provider = scene.provider
    other = RSAKey.generate_key(2048, {"kid": KEY_ID})
    public = other.as_dict(private=False)
    elsewhere = f"{provider.issuer}/other-jwks"
    for what, header in (
        ("another key of the same name", {}),
        ("a key in the header", {"jwk": public}),
        ("a key in the header alone", {"jwk": public, "kid": "q"}),
        ("keys at a URL in the header", {"jku": elsewhere, "x5u": elsewhere, "kid": "q"}),
        ("a key of a strange name", {"kid": "../../dev/null"}),
    ):

        def foreign(nonce: str, header: Claims = header) -> str:
            return provider.signed(scene.claims(nonce), other, **header)

        yield what, foreign


def _bad_algorithms(scene: Scene) -> Tokens:
    """Tokens with good claims and no signature, or one that everybody can make."""
    provider = scene.provider
    for alg in ("none", "None", "NONE", "nOnE", ""):
        for header in ({"alg": alg, "kid": KEY_ID}, {"alg": alg}):

            def unsigned(nonce: str, header: Claims = header) -> str:
                return assembled(header, scene.claims(nonce))

            yield f"alg={alg!r}", unsigned
    mine = provider.key
    pem = mine.as_pem(private=False)
    known = {
        "the public key": pem,
        "the public key without its last line end": pem.strip(),
        "the public key in DER": mine.as_der(private=False),
        "the public key as JSON": json.dumps(mine.as_dict(private=False)).encode(),
        "the client's secret": CLIENT_SECRET.encode(),
        "nothing": b"",
    }
    for what, secret in known.items():
        for bits in (256, 512):

            def shared(nonce: str, secret: bytes = secret, bits: int = bits) -> str:
                header = {"alg": f"HS{bits}", "kid": KEY_ID}
                text = assembled(header, scene.claims(nonce)).rpartition(".")[0]
                mac = hmac.digest(secret, text.encode(), f"sha{bits}")
                return assembled(header, scene.claims(nonce), mac)

            yield f"HS{bits} with {what}", shared


def _bad_signatures(scene: Scene) -> Tokens:
    """Tokens with good claims and the signature of another token, or of nothing."""
    provider = scene.provider

    def moved(nonce: str) -> str:
        nobody = provider.signed(scene.claims(nonce, {"realm": {"roles": []}})).split(".")
        admin = provider.signed(scene.claims(nonce)).split(".")
        return ".".join([nobody[0], admin[1], nobody[2]])

    yield "the signature of another token", moved
    for size in (0, 1, 256):

        def zeros(nonce: str, size: int = size) -> str:
            return assembled({"alg": "RS256", "kid": KEY_ID}, scene.claims(nonce), bytes(size))

        yield f"{size} zeros as the signature", zeros


def _bad_nonces(scene: Scene, stale: str) -> Tokens:
    """Tokens of another flow, which only a flow can tell; ``stale`` is the nonce of another."""
    for what, other in (
        ("the nonce of another flow", {"nonce": stale}),
        ("no nonce", {"nonce": MISSING}),
        ("a nonce that is null", {"nonce": None}),
        ("an empty nonce", {"nonce": ""}),
        ("a token that another client got", {"azp": "another", "aud": [CLIENT_ID, "another"]}),
    ):

        def made(nonce: str, other: Claims = other) -> str:
            return scene.provider.signed(scene.claims(nonce, other))

        yield what, made

    def listed(nonce: str) -> str:
        return scene.provider.signed(scene.claims(nonce, {"nonce": [nonce]}))

    yield "a nonce in a list", listed


async def _tokens(scene: Scene) -> None:
    """Every bad token, in a flow and by itself."""
    stale = (await scene.browser().begin())["nonce"]
    for bearers, tokens in (
        (True, _bad_claims(scene)),
        (True, _foreign_keys(scene)),
        (True, _bad_algorithms(scene)),
        (True, _bad_signatures(scene)),
        (False, _bad_nonces(scene, stale)),
    ):
        for what, made in tokens:
            browser = scene.browser()
            begun = await browser.begin()
            token = made(begun["nonce"])
            await scene.refused(what, browser, scene.granted(begun, token))
            if bearers:
                await scene.refused_bearer(what, token)
    scene.outcome.fault(
        f"a token led the gateway to {scene.provider.strays}", unless=not scene.provider.strays
    )


def _changed(text: str) -> Iterator[str]:
    """The text with some of its letters changed, cut, extended."""
    for at in range(0, len(text) - 1, max(1, len(text) // 16)):
        yield text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    yield from (text[:-4], text[: len(text) // 2], "", text + "A", text.partition(".")[2], "null")


ROLES = {"admins": Role.ADMIN, "staff": Role.VIEWER}
ADA = Operator("oidc", "ada", Role.ADMIN)
OURS = KeyRing(SigningKey("k1", RING_SECRET.encode()))
THEIRS = KeyRing(SigningKey("k1", b"another secret of 32 bytes and more"))


def _rules(scene: Scene) -> OidcRules:
    """Those of the stage."""
    clients = frozenset({CLIENT_ID})
    return OidcRules(scene.provider.issuer, CLIENT_ID, clients, "realm.roles", ROLES)


async def _states(scene: Scene) -> None:
    """Callbacks that do not belong to the flow of this browser. The provider is not even asked."""
    before = scene.provider.token_requests
    browser = scene.browser()
    stale = await browser.begin()
    begun = await browser.begin()
    state = begun["state"]
    good = scene.granted(begun)
    for forged in _changed(state):
        await scene.refused(f"state {forged!r}", browser, good | {"state": forged})
    missing = {name: value for name, value in good.items() if name != "state"}
    text = str(httpx.QueryParams(missing))
    query: dict[str, str] | str
    for what, query in (
        ("no state", text),
        ("a list of states", f"{text}&state[]={state}"),
        ("a bad state before a good one", f"{text}&state=x&state={state}"),
        ("a state in capitals", f"{text}&STATE={state}"),
        ("a state with a NUL", f"{text}&state={state}%00"),
        ("an error with a state that is not ours", "error=access_denied&state=x"),
        ("an error", f"error=%3Cscript%3E%0d%0aSet-Cookie:x&state={state}"),
        ("no code", f"state={state}&iss={scene.provider.issuer}"),
        ("an empty code", f"state={state}&code=&iss={scene.provider.issuer}"),
        ("an earlier flow of this browser", str(httpx.QueryParams(scene.granted(stale)))),
    ):
        await scene.refused(what, browser, query)
    other = scene.browser()
    await scene.refused("the flow of another browser, in a new one", other, good)
    theirs = scene.granted(await other.begin())
    await scene.refused("the flow of another browser, in one that has begun", browser, theirs)
    for issuer in (OTHER_ISSUER, f"{scene.provider.issuer}/", "null"):
        await scene.refused(f"sent back by {issuer}", browser, good | {"iss": issuer})
    unnamed = {name: value for name, value in good.items() if name != "iss"}
    await scene.refused("sent back by nobody", browser, unnamed)
    async for what, forger, query in _forged_flows(scene, browser.cookies[FLOW], good):
        await scene.refused(what, forger, query)
    asked = scene.provider.token_requests - before
    scene.outcome.fault(f"{asked} codes were sent to the provider", unless=asked == 0)
    answer = await browser.ask(CALLBACK, good)
    found = f"after all of this, the flow itself is answered {answer.status_code}"
    scene.outcome.fault(found, unless=answer.status_code == 302)


async def _forged_flows(
    scene: Scene, cookie: str, good: dict[str, str]
) -> AsyncIterator[tuple[str, Browser, dict[str, str]]]:
    """Cookies of flows that the gateway has not set, or not like this."""
    begun = await scene.browser().begin()
    forged = Flow(begun["state"], begun["nonce"], "v" * 43, "//evil.example", int(time.time()) + 60)
    session = signed_session(OURS, ADA, _rules(scene), int(time.time()) + 3600)
    late = replace(forged, until_s=int(time.time()) - 1)
    for what, name, value, query in (
        *(("a changed flow", FLOW, each, good) for each in _changed(cookie)),
        ("a flow under a name that other hosts may set", "gateway-sign-in", cookie, good),
        ("a flow of another key", FLOW, signed_flow(THEIRS, forged), scene.granted(begun)),
        ("a flow that has ended", FLOW, signed_flow(OURS, late), scene.granted(begun)),
        ("a session instead of a flow", FLOW, session, good),
    ):
        browser = scene.browser()
        browser.cookies[name] = value
        yield what, browser, query


async def _replays(scene: Scene) -> None:
    """Codes a second time, and in another flow."""
    browser = scene.browser()
    begun = await browser.begin()
    good, flow = scene.granted(begun), browser.cookies[FLOW]
    await browser.ask(CALLBACK, good)
    scene.outcome.fault("the code is refused at first", unless=await browser.is_in())
    scene.outcome.fault("the cookie of the flow stays", unless=FLOW not in browser.cookies)
    again = scene.browser()
    await scene.refused("a code again, without the cookie", again, good)
    again.cookies[FLOW] = flow
    await scene.refused("a code again, with a copy of the cookie", again, good)
    await scene.refused("a code of nobody", again, good | {"code": "made-up"})
    victim, attacker = scene.browser(), scene.browser()
    ours, theirs = await victim.begin(), await attacker.begin()
    stolen = scene.granted(theirs) | {"state": ours["state"]}
    await scene.refused("a code of another flow", victim, stolen)
    token = scene.provider.signed(scene.claims(theirs["nonce"]))
    stolen = stolen | {"code": scene.provider.code(token, None)}
    await scene.refused("the same, and the provider checks no verifier", victim, stolen)


AWAY = (
    *("//evil.example", "///evil.example", "https://evil.example", "http:evil.example", ""),
    *(
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "evil.example",
    ),
    *(" //evil.example", "javascript:alert(1)", "data:text/html,x", "/a\r\nSet-Cookie: x=y", "?x"),
    *("/\u2215evil.example", "/\u3002evil.example", "/" + "a" * 600, "/a\0", "/\x7f/evil.example"),
)
"""Where no browser is sent."""
HERE = (
    *(
        "/",
        "/console?next=//evil.example",
        "/..//evil.example",
        "/.//evil.example",
        "/@evil.example",
    ),
    *("/%2f%2fevil.example", "/%5cevil.example", "/%09/evil.example", "/#//evil.example", "/;//x"),
)
"""Paths of this listener, however they look."""


async def _returns(scene: Scene) -> None:
    """Where a browser is sent when it has signed in."""
    browser = scene.browser()
    for path in AWAY:
        answer = await browser.ask(SIGN_IN, {"return_to": path} if path else "return_to=//x")
        scene.outcome.sent += 1
        said = f"return_to {path!r} is answered {answer.status_code}"
        scene.outcome.fault(said, unless=answer.status_code == 400)
    for path in HERE:
        begun = await browser.begin(path)
        query = scene.granted(begun, return_to="//evil.example", next="//evil.example")
        location = (await browser.ask(CALLBACK, query)).headers.get("location", "")
        scene.outcome.sent += 1
        host = urlsplit(urljoin(REDIRECT_URL, location)).netloc
        there = location == path and host == urlsplit(REDIRECT_URL).netloc
        scene.outcome.fault(f"from {path!r} a browser is led to {location!r}", unless=there)
    for name in ("X-Forwarded-Host", "X-Original-Host", "X-Host", "Forwarded"):
        value = "host=evil.example" if name == "Forwarded" else "evil.example"
        answer = await browser.ask(SIGN_IN, headers={name: value})
        scene.outcome.sent += 1
        said = f"{name} changes where a browser is led: {answer.headers.get('location')}"
        scene.outcome.fault(said, unless="evil" not in answer.headers.get("location", "evil"))


async def _cookies(scene: Scene) -> None:
    """Sessions that the gateway has not begun, or that somebody has put into a browser."""
    known = await scene.signed_in()
    session = known.cookies[SESSION]
    rules, later = _rules(scene), int(time.time()) + 3600
    fewer = replace(rules, roles={"admins": Role.ADMIN})
    own = scene.browser()
    own.cookies[SESSION] = signed_session(OURS, ADA, rules, later)
    scene.outcome.fault("a session of the gateway's key is refused", unless=await own.is_in())
    begun = scene.browser()
    await begun.begin()
    for what, name, value in (
        *(("a changed session", SESSION, each) for each in _changed(session)),
        ("a session under a name that other hosts may set", "gateway-session", session),
        ("a session of another key", SESSION, signed_session(THEIRS, ADA, rules, later)),
        ("a session under other rules", SESSION, signed_session(OURS, ADA, fewer, later)),
        ("a session that has ended", SESSION, signed_session(OURS, ADA, rules, later - 3601)),
        ("a flow instead of a session", SESSION, begun.cookies[FLOW]),
    ):
        browser = scene.browser()
        browser.cookies[name] = value
        scene.outcome.sent += 1
        scene.outcome.fault(f"{what} is accepted", unless=not await browser.is_in())
    guest, victim = scene.browser(), scene.browser()
    begun_by_guest = await guest.begin()
    viewer = {"sub": "eve", "realm": {"roles": ["staff"]}}
    low = scene.claims(begun_by_guest["nonce"], viewer)
    await guest.ask(CALLBACK, scene.granted(begun_by_guest, scene.provider.signed(low)))
    scene.outcome.fault("a viewer cannot sign in", unless=await guest.is_in())
    status = (await guest.ask("/v1/config")).status_code
    scene.outcome.fault(f"a viewer reads the configuration: {status}", unless=status == 403)
    victim.cookies[SESSION] = guest.cookies[SESSION]
    await victim.ask(CALLBACK, scene.granted(await victim.begin()))
    lines = [line for line in victim.set_cookies if line.startswith(f"{SESSION}=")]
    parts = {part.strip() for part in lines[0].split(";")[1:]} if lines else set()
    strict = {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= parts
    scene.outcome.fault(f"a session is set by {lines}", unless=strict and "Domain" not in lines[0])
    kept = victim.cookies[SESSION] == guest.cookies[SESSION]
    scene.outcome.fault("a planted session outlives a sign-in", unless=not kept)
    status = (await victim.ask("/v1/config")).status_code
    scene.outcome.fault(f"an admin reads the configuration: {status}", unless=status == 200)


WRITES: tuple[tuple[str, str, object], ...] = (
    ("POST", "/v1/purge", {"asset": "film"}),
    ("POST", "/v1/edges/one/drain", {}),
    ("POST", "/v1/edges/one/undrain", {}),
    ("POST", "/v1/steer", {}),
    ("DELETE", "/v1/steer/x", None),
    ("POST", "/v1/revocations", {}),
    ("DELETE", "/v1/revocations/token/x", None),
    ("POST", "/v1/config/reload", {}),
    ("POST", "/v1/sign-out", None),
)


async def _forgeries(scene: Scene) -> None:
    """What a page of another site can have the browser of an admin send."""
    browser = await scene.signed_in()
    origin = {"Origin": "https://evil.example"}
    for method, path, body in WRITES:
        for kind, headers in (
            ("no-csrf-header", {}),
            ("no-csrf-header", {"Content-Type": "text/plain", "X-Requested-With": "x"}),
            ("foreign-origin", origin),
            ("foreign-origin", origin | CSRF),
            ("foreign-origin", {"Origin": "null", **CSRF}),
        ):
            answer = await browser.ask(path, method=method, headers=headers, json=body)
            scene.outcome.sent += 1
            said = f"{method} {path} with {headers} is answered {answer.status_code} {answer.text}"
            scene.outcome.fault(said, unless=answer.status_code == 403 and kind in answer.text)
    good = await browser.ask("/v1/purge", "", "POST", CSRF, {"asset": "film"})
    said = f"an admin with the header is answered {good.status_code}"
    scene.outcome.fault(said, unless=good.status_code < 300)


async def sign_in(stage: OidcStage, effort: Effort) -> Outcome:
    """Everything in turn, between two good sign-ins."""
    del effort
    outcome = Outcome()
    provider = Provider(stage.provider_port, REDIRECT_URL)
    async with provider.running(), client_of(stage.gateway.admin_url) as client:
        scene = Scene(provider, client, outcome)
        await scene.signed_in()
        headers = {"Authorization": f"Bearer {provider.signed(scene.claims())}"}
        status = (await scene.browser().ask("/v1/config", headers=headers)).status_code
        outcome.fault(f"a good bearer is answered {status}", unless=status == 200)
        for part in (_tokens, _states, _replays, _returns, _cookies, _forgeries):
            sent = outcome.sent
            try:
                await part(scene)
            except (AssertionError, KeyError):  # what a sign-in needs is not there
                outcome.fault(traceback.format_exc())
            outcome.figures.append(f"{part.__name__[1:]} {outcome.sent - sent}")
        await scene.signed_in()
    return outcome


ROWS = (
    Attack(
        name="operator-sign-in",
        group="Trust",
        sent="Sign-ins by OpenID Connect with forged, stale and foreign states, codes, nonces, "
        "issuers, audiences, algorithms, keys and roles; codes twice; other ways back; planted and "
        "changed cookies; writes without the header against forgery.",
        expected="401, 400 for a way back that leads elsewhere and 403 for a write; good sign-ins "
        "before, between and after work.",
        staging=oidc_stage,
        run=sign_in,
    ),
)
