"""Does the configuration say who may operate the gateway, and is that what was meant?"""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from gateway.config.problem import ConfigProblem, shown

_ProblemOf = Callable[..., ConfigProblem]

CREDENTIALS = ("keys", "services", "oidc")
"""The keys of ``[admin]`` by which operators can sign in."""


def check_operators(tables: Mapping[str, Any], problem: _ProblemOf) -> Iterator[ConfigProblem]:
    """Warns of an operators' listener that others may reach, and of credentials without use."""
    admin = tables.get("admin")
    if not isinstance(admin, dict) or admin.get("enabled") is not True:
        return
    given = [name for name in CREDENTIALS if admin.get(name)]
    if admin.get("sign_in") is True:
        if not given:
            yield problem(
                ("admin", "sign_in"),
                "lets nobody in, as there is nothing to sign in with",
                value="true",
                allowed="false, or admin.keys, admin.services or admin.oidc as well",
            )
        return
    for name in given:
        text = "is not used; admin.sign_in is false"
        yield problem(("admin", name), text, severity="warning")
    host = admin.get("host")
    if isinstance(host, str) and not is_loopback(host):
        yield problem(
            ("admin", "host"),
            "lets other machines read metrics, sessions and decisions without signing in; "
            "admin.sign_in = true asks for it",
            value=shown(host),
            severity="warning",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
