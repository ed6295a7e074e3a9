"""At which URL does a player reach the gateway?"""

from gateway.play.request import Request
from gateway.play.runtime import Runtime


def base_url_of(runtime: Runtime, request: Request) -> str:
    """``server.public_url``, else the URL of the request, without a slash at its end. A trusted
    proxy that terminates TLS says that the scheme is https (F9)."""
    public = runtime.settings.server.public_url
    if public is not None:
        return public.rstrip("/")
    base = request.base_url
    if request.by_operator:  # the proxy in front of operators is not the players'
        return base
    if request.scheme == "http" and runtime.clients.is_https(request.peer, request.headers):
        return f"https{base.removeprefix('http')}"
    return base
