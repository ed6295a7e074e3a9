"""What do the libraries `ua-parser` and `user-agents` make of a User-Agent?

`user-agents` itself calls ua-parser's old interface, which runs a thousand patterns in Python and
takes about 1 ms. Its judgement (phone, tablet, PC, bot) is kept, but fed from the Rust engine:
about 70 µs, and only for the few that no rule of our own knows. Browser and system names cost
about 20 µs and 13 µs. The resolvers keep no cache of their own; the classifier's is bounded. There
is one for each question, since making one takes 20 (systems), 50 (browsers) or 130 ms (devices).
"""

from functools import cache
from typing import TYPE_CHECKING

from ua_parser import OS, Device, Domain
from ua_parser import UserAgent as Browser
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver

if TYPE_CHECKING:
    from user_agents.parsers import UserAgent

from gateway.client.device.classification import Classification
from gateway.client.facts import DeviceKind


@cache
def _browsers() -> Resolver:
    browsers, _, _ = load_lazy_builtins()
    return Resolver((browsers, [], []))


@cache
def _systems() -> Resolver:
    _, systems, _ = load_lazy_builtins()
    return Resolver(([], systems, []))


@cache
def _devices() -> Resolver:
    _, _, devices = load_lazy_builtins()
    return Resolver(([], [], devices))


def system_of(user_agent: str) -> tuple[str | None, str | None]:
    """Name and version of the operating system as ua-parser knows it."""
    found = _systems().os.extract(user_agent)
    if found is None:
        return None, None
    name = "macOS" if found.family == "Mac OS X" else found.family
    return name, _version(found.major, found.minor)


def browser_of(user_agent: str) -> str | None:
    """The browser's family as ua-parser knows it (``Mobile Safari``, ``Edge`` …)."""
    found = _browsers().ua.extract(user_agent)
    return None if found is None else found.family


def find(user_agent: str) -> Classification | None:
    """The class that `user-agents` sees, None when it sees none.

    A "generic phone" is ua-parser's guess from stray words ("player"), so it does not count: the
    price of a wrong phone is a small picture.
    """
    judged = _judge(
        user_agent,
        _browsers()(user_agent, Domain.USER_AGENT).user_agent,
        _systems()(user_agent, Domain.OS).os,
        _devices()(user_agent, Domain.DEVICE).device,
    )
    for seen, kind in (
        (judged.is_bot, DeviceKind.BOT),
        (judged.is_tablet, DeviceKind.TABLET),
        (judged.is_mobile and not judged.device.family.startswith("Generic"), DeviceKind.PHONE),
        (judged.is_pc, DeviceKind.DESKTOP),
    ):
        if seen:
            return Classification(kind, f"library-{kind}", "the device library knows it as one")
    return None


def _judge(
    user_agent: str, browser: Browser | None, system: OS | None, device: Device | None
) -> "UserAgent":
    """A `user-agents` object made from the Rust engine's results instead of its own parsing."""
    # Third of a second to import: the patterns of ua-parser's old interface come along.
    from user_agents.parsers import (  # noqa: PLC0415
        UserAgent,
        parse_browser,
        parse_device,
        parse_operating_system,
    )

    judged = UserAgent.__new__(UserAgent)
    judged.ua_string = user_agent
    judged.browser = parse_browser(browser.family if browser else "Other")
    judged.os = parse_operating_system(
        system.family if system else "Other", system.major if system else None
    )
    judged.device = parse_device(device.family if device else "Other", None, None)
    return judged


def _version(*parts: str | None) -> str | None:
    return ".".join(part for part in parts if part) or None
