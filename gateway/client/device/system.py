"""Which operating system and version, and which model?

The names are those of the vendors: ``iOS``, ``iPadOS``, ``tvOS``, ``Fire OS``, ``webOS``, ``Tizen``
… The version of Fire OS is that of the Android on which it is based.
"""

import re

from gateway.client.device.library import system_of
from gateway.client.device.personal import PUFFIN, is_ipad, names_mac
from gateway.client.device.phrases import LinearPattern, Phrases
from gateway.client.device.text import UserAgentText, says_android, version_after

# (phrase, operating system, text before the version). The first phrase that occurs decides.
_SYSTEMS = (
    ("windows phone", "Windows Phone", "windows phone"),
    ("xbox", "Xbox", None),
    ("playstation", "PlayStation", None),
    ("nintendo", "Nintendo", None),
    ("web0s", "webOS", "webos.tv-"),
    ("webos", "webOS", "webos"),
    ("netcast", "NetCast", "netcast.tv-"),
    ("tizen", "Tizen", "tizen"),
    ("vidaa", "VIDAA", "vidaa"),
    ("roku", "Roku OS", "dvp-"),
    ("appletv", "tvOS", "tvos"),
    ("apple tv", "tvOS", "tvos"),
    ("tvos", "tvOS", "tvos"),
    ("visionos", "visionOS", "visionos"),
    ("xros", "visionOS", "xros"),
    ("apple vision", "visionOS", None),
    ("realitydevice", "visionOS", None),
    ("watchos", "watchOS", "watchos"),
    ("apple watch", "watchOS", "watchos"),
    ("homepod", "audioOS", "audioos"),
    ("audioaccessory", "audioOS", "audioos"),
    ("kaios", "KaiOS", "kaios"),
    ("crkey armv7l", "Cast OS", "crkey armv7l"),
    ("crkey", "Cast OS", "crkey"),
    ("vizios", "SmartCast", "vizios"),
    ("openharmony", "HarmonyOS", "openharmony"),
    ("cros ", "ChromeOS", None),
)
# ``NEXBOX`` is a make of TV boxes.
_XBOX = LinearPattern(r"(?:^|[^a-z])xbox")
_PUFFIN_SYSTEMS = {"a": "Android", "i": "iOS", "w": "Windows", "l": "Linux"}
_APPLE_SCREENS = frozenset({"tvOS", "visionOS", "audioOS", "watchOS"})
_ANY_SYSTEM = Phrases(phrase for phrase, _, _ in _SYSTEMS)
_FIRE_OS = LinearPattern(r"[ ;/](?:aft[a-z0-9]{1,8}|kf[a-z]{2,6}|silk)(?:[^a-z]|$)")
_APPLE = re.compile(
    r"(?:cpu (?:iphone )?os|iphone ?os|ipados|ios|os x)[ /_]?(\d{1,3}(?:[._]\d{1,3}){0,2})"
)
_ANDROID = re.compile(r"(?:android|andr0id|adr)[ /_-]?(\d{1,2}(?:\.\d{1,2}){0,2})")
_MAC = re.compile(r"mac ?os(?: x|/)?[ /]?(\d{1,2}(?:[._]\d{1,2}){0,2})")
_WINDOWS = {"10.0": "10", "6.3": "8.1", "6.2": "8", "6.1": "7", "6.0": "Vista", "5.1": "XP"}
_FIRST_BUILD_OF_11 = 22_000
_FIRST_IPADOS = 13
# Searched in lower case, which is ten times as fast as ignoring case.
_MODEL = re.compile(
    r"(?:iphone|ipad|ipod|appletv|realitydevice|audioaccessory)\d{1,2},\d{1,2}"
    r"|roku\d{4}[a-z]?|playstation(?: portable| vita| \d(?: pro)?)"
    r"|xbox (?:one(?: [sx])?|series [sx]|360)|nintendo (?:switch(?: 2| lite)?|wiiu?|3ds)"
    r"|wiiu"
)
# A match of the pattern above needs one of these phrases; most User-Agents have none, and testing
# them is cheaper.
_NAMES_MODEL = Phrases(
    (
        "iphone", "ipad", "ipod", "appletv", "realitydevice", "audioaccessory", "roku",
        "playstation", "xbox", "nintendo", "wiiu",
    )
)  # fmt: skip
_UNSAFE = re.compile(r"[^\w .,()+/'-]", re.ASCII)
_MAX_MODEL_CHARS = 64


def system(text: UserAgentText) -> tuple[str | None, str | None]:
    """The name and version of the operating system; either may be None."""
    low = text.low
    found = _named(low) if _ANY_SYSTEM.occurs_in(low) else None
    if found is not None:
        name, mark = found
        version = version_after(low, mark) if mark else None
        return name, version or (_apple_version(low) if name in _APPLE_SCREENS else None)
    puffin = PUFFIN.search(low) if "puffin/" in low else None
    if puffin is not None and "android" not in low:
        return _PUFFIN_SYSTEMS[puffin[1]], None
    return _mobile(low) or _computer(text)


def _named(low: str) -> tuple[str, str | None] | None:
    for phrase, name, mark in _SYSTEMS:
        if phrase in low and (name != "Xbox" or _XBOX.occurs_in(low)):
            return name, mark
    return None


def _mobile(low: str) -> tuple[str, str | None] | None:
    if "iphone" in low or "ipod" in low:
        return "iOS", _apple_version(low)
    if "ipad" in low:
        version = _apple_version(low)
        return ("iPadOS" if _major(version) >= _FIRST_IPADOS else "iOS"), version
    if says_android(low):
        found = _ANDROID.search(low)
        amazon = ("aft" in low or "kf" in low or "silk" in low) and _FIRE_OS.occurs_in(low)
        name = "Fire OS" if amazon else "Android"
        return name, found[1] if found else None
    return None


def _computer(text: UserAgentText) -> tuple[str | None, str | None]:
    low = text.low
    if "windows nt" in low:
        return "Windows", _windows_version(version_after(low, "windows nt"))
    if "macintosh" in low or "mac os x" in low or "macos" in low:
        return _mac(low)
    if "ios" in text.words:
        return "iOS", _apple_version(low)
    if "linux" in low:
        return "Linux", None
    # Darwin is the kernel of all Apple's systems.
    any_apple = "cfnetwork/" in low and not names_mac(text)
    return (None, None) if any_apple else system_of(text.raw)


def _mac(low: str) -> tuple[str, str | None]:
    if is_ipad(low):
        return "iPadOS", None
    found = _MAC.search(low)
    return "macOS", found[1].replace("_", ".") if found else None


def model(text: UserAgentText, android_model: str) -> str | None:
    """The model in its original case, safe to print and at most 64 characters long."""
    name = android_model
    if not name:
        found = _MODEL.search(text.low) if _NAMES_MODEL.occurs_in(text.low) else None
        if found is None:
            return None
        name = found[0]
    at = text.low.find(name)
    # Some letters are longer in lower case; then positions in the two texts differ.
    same = len(text.low) == len(text.raw)
    return clean(text.raw[at : at + len(name)] if same else name)


def clean(name: str) -> str | None:
    """A model's name without unusual characters; None when nothing is left."""
    return _UNSAFE.sub("", name)[:_MAX_MODEL_CHARS].strip() or None


def _apple_version(low: str) -> str | None:
    found = _APPLE.search(low)
    return found[1].replace("_", ".") if found else None


def _windows_version(version: str | None) -> str | None:
    """The marketing version: builds of NT 10.0 from 22000 are Windows 11."""
    release, _, build = (version or "").partition(".0.")
    if release == "10" and build.isdecimal():
        return "11" if int(build) >= _FIRST_BUILD_OF_11 else "10"
    return _WINDOWS.get(version or "", version)


def _major(version: str | None) -> int:
    return int(version.partition(".")[0]) if version else 0
