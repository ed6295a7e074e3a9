"""A browser that signs in at the operators' listener, as far as an attack has to see it."""

import itertools
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.attack.client import Answer
from tests.attack.judge import fault_of

SESSION, FLOW = "__Host-gateway-session", "__Host-gateway-sign-in"
SIGN_IN, CALLBACK = "/v1/sign-in", "/v1/sign-in/callback"
_addresses = itertools.count()


def client_of(url: str) -> httpx.AsyncClient:
    """A client that keeps no cookies by itself: browsers are given theirs."""
    jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(base_url=url, cookies=jar)


class Browser:
    """One browser, with cookies of its own, and another address each time. ``set_cookies`` are the
    lines that the last answer had; ``faults`` gets what is wrong with the form of an answer."""

    def __init__(self, client: httpx.AsyncClient, faults: list[str]) -> None:
        self._faults = faults
        self._client = client
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []

    async def ask(
        self,
        path: str,
        query: Mapping[str, str] | str = "",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> httpx.Response:
        """One request."""
        text = query if isinstance(query, str) else str(httpx.QueryParams(query))
        number = next(_addresses)
        address = f"198.51.{number // 256 % 256}.{number % 256}"
        given = {"X-Forwarded-For": address, "Accept-Encoding": "identity", **(headers or {})}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        url = f"{path}?{text}" if text else path
        answer = await self._client.request(method, url, headers=given, json=json)
        self.set_cookies = answer.headers.get_list("set-cookie")
        for line in self.set_cookies:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        if answer.status_code >= 400:
            heads = {name.lower().encode(): v.encode() for name, v in answer.headers.items()}
            fault = fault_of(Answer(answer.status_code, heads, answer.content))
            if fault:
                self._faults.append(f"{method} {url}: {fault}")
        return answer

    async def begin(self, return_to: str = "/console") -> dict[str, str]:
        """Begin to sign in: the parameters with which the provider is asked."""
        answer = await self.ask(SIGN_IN, {"return_to": return_to})
        assert answer.status_code == 302, answer.text
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        return {name: values[0] for name, values in query.items()}

    async def is_in(self) -> bool:
        """Whether the session is good for reading."""
        return (await self.ask("/v1/edges")).status_code == 200
