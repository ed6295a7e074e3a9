"""How do the libraries ``ua-parser`` and ``user-agents`` classify a User-Agent?

``user-agents`` calls ua-parser's old interface, which runs a thousand patterns in Python and takes
about 1 ms. Here its classification (phone, tablet, PC, bot) is used with the results of ua-parser's
Rust engine instead. This takes about 70 µs, and only for the few User-Agents that our own rules do
not recognise. Names of browsers and operating systems take about 20 µs and 13 µs. There is one
resolver for each of the three, made when it is first used: that takes 20 ms (operating systems),
50 ms (browsers) or 130 ms (devices). The resolvers cache nothing.
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
    """Classify by ``user-agents``; None when it recognises nothing.

    ua-parser guesses a "generic phone" from words such as "player". This does not count, because a
    viewer who is wrongly taken for a phone gets a small picture.
    """
    judged = _judge(
        user_agent,
        _browsers()(user_agent, Domain.USER_AGENT).user_agent,
        _systems()(user_agent, Domain.OS).os,
        _devices()(user_agent, Domain.DEVICE).device,
    )
    for recognised, kind in (
        (judged.is_bot, DeviceKind.BOT),
        (judged.is_tablet, DeviceKind.TABLET),
        (judged.is_mobile and not judged.device.family.startswith("Generic"), DeviceKind.PHONE),
        (judged.is_pc, DeviceKind.DESKTOP),
    ):
        if recognised:
            return Classification(kind, f"library-{kind}", "the user-agents library recognises it")
    return None


def _judge(
    user_agent: str, browser: Browser | None, system: OS | None, device: Device | None
) -> "UserAgent":
    """A ``user-agents`` object with the Rust engine's results instead of its own parsing."""
    # Importing takes 300 ms, because it loads the patterns of ua-parser's old interface.
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
