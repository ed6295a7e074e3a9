"""What do client hints correct in a reduced User-Agent?

Chrome on Android reports every model as "K" and every version as 10, Windows 11 reports Windows 10,
and with "desktop site" a phone reports a Linux PC (rule F3). Hints only correct phones, tablets,
desktops and unknown devices. Televisions, consoles, cars and bots are recognised by their own names
and stay as they are.
"""

import re

from gateway.client.device import android, screens
from gateway.client.device.classification import Classification
from gateway.client.device.system import clean
from gateway.client.device.text import UserAgentText
from gateway.client.facts import DeviceKind
from gateway.client.hints import ClientHints

_CORRECTABLE = frozenset(
    {DeviceKind.PHONE, DeviceKind.TABLET, DeviceKind.DESKTOP, DeviceKind.UNKNOWN}
)
# A list has no order (UA-CH 3.4): a device may be "Mobile" and "XR" at once. The first of these
# that it names counts. A watch has the screen and network of a phone, or less; readers are tablets.
_FORM_FACTORS = {
    "automotive": DeviceKind.CAR,
    "xr": DeviceKind.HEADSET,
    "watch": DeviceKind.PHONE,
    "tablet": DeviceKind.TABLET,
    "mobile": DeviceKind.PHONE,
    "desktop": DeviceKind.DESKTOP,
    "eink": DeviceKind.TABLET,
}
_BY_FORM_FACTOR = {
    kind: Classification(kind, "hint-form-factor", "a client hint gives its form factor")
    for kind in _FORM_FACTORS.values()
}
_PLATFORMS = {
    "windows": "Windows",
    "macos": "macOS",
    "chrome os": "ChromeOS",
    "chromium os": "ChromeOS",
    "chromeos": "ChromeOS",
    "linux": "Linux",
    "android": "Android",
}
_COMPUTERS = frozenset({"Windows", "macOS", "ChromeOS", "Linux"})
_CONSOLE_MODELS = re.compile(r"xbox|playstation|nintendo|steam deck")
_PERSONAL = frozenset({DeviceKind.PHONE, DeviceKind.TABLET, DeviceKind.DESKTOP})
_WINDOWS_11 = 13


def correct(found: Classification, text: UserAgentText, hints: ClientHints) -> Classification:
    """The classification after the hints: form factors, then the model, then "mobile".

    A model that is a television, console or car goes before form factors, which have no value for
    it: a television is "Desktop" or "Tablet".
    """
    if found.kind not in _CORRECTABLE:
        return found
    platform = _platform(hints)
    named = _by_model(hints.model.lower(), platform) if hints.model else None
    if hints.form_factors and (named is None or named in _PERSONAL):
        factors = {name.lower() for name in hints.form_factors}
        for name, kind in _FORM_FACTORS.items():
            if name in factors:
                return _BY_FORM_FACTOR[kind]
    if named is not None:
        return Classification(named, "hint-model", "a client hint gives its model")
    return _by_mobile(found, text, platform, hints.mobile)


def _by_model(model: str, platform: str | None) -> DeviceKind | None:
    """The class of a hinted model. Computers send an empty one, but a console with Windows and a
    television with Linux send their names."""
    if platform in ("Windows", "macOS"):
        return DeviceKind.CONSOLE if _CONSOLE_MODELS.match(model) else None
    named = screens.by_model(model) or android.by_model(model)
    if named is None or (platform in _COMPUTERS and named.kind in _PERSONAL):
        return None
    return named.kind


def _by_mobile(
    found: Classification, text: UserAgentText, platform: str | None, mobile: bool | None
) -> Classification:
    vague = found.kind is DeviceKind.UNKNOWN or found.code == "android-no-mobile"
    if platform == "Android" and mobile is not None and (vague or not android.is_android(text)):
        if mobile:
            return Classification(
                DeviceKind.PHONE, "hint-mobile", "a client hint says Android, mobile"
            )
        return Classification(
            DeviceKind.TABLET, "hint-not-mobile", "a client hint says Android, not mobile"
        )
    if found.kind is not DeviceKind.UNKNOWN:
        return found
    if mobile:
        return Classification(DeviceKind.PHONE, "hint-mobile", "a client hint says mobile")
    if platform in _COMPUTERS:
        return Classification(
            DeviceKind.DESKTOP, "hint-platform", "a client hint names a desktop operating system"
        )
    return found


def corrected_system(
    found: tuple[str | None, str | None], kind: DeviceKind, hints: ClientHints
) -> tuple[str | None, str | None]:
    """Operating system and version, from the hints where the User-Agent is reduced."""
    platform = _platform(hints)
    if platform is None or kind not in _CORRECTABLE:
        return found
    name, version = found
    if name == "Fire OS":
        return found
    hinted = hints.platform_version
    if platform == "Windows" and hinted:
        # Chromium reports Windows 10 as versions 1 to 10, and Windows 11 as 13 and later.
        major = hinted.partition(".")[0]
        eleven = major.isdecimal() and int(major) >= _WINDOWS_11
        return platform, "11" if eleven else version
    if platform == name:
        return name, clean(hinted) if hinted and platform == "Android" else version
    return platform, clean(hinted) if hinted else None


def hinted_model(hints: ClientHints) -> str | None:
    """The model in the hint."""
    return clean(hints.model) if hints.model else None


def _platform(hints: ClientHints) -> str | None:
    return _PLATFORMS.get((hints.platform or "").lower())
