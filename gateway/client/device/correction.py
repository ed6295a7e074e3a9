"""What do client hints put right in a reduced User-Agent?

Chrome on Android calls every model "K" and every version 10, Windows 11 calls itself Windows 10,
and "desktop site" makes a phone a Linux PC (rule F3). Hints only ever refine phone, tablet,
computer and unknown: what names itself a television, console, car or bot stays that.
"""

from gateway.client.device import android, screens
from gateway.client.device.classification import Classification
from gateway.client.device.system import clean
from gateway.client.device.text import UserAgentText
from gateway.client.facts import DeviceKind
from gateway.client.hints import ClientHints

_OPEN = frozenset({DeviceKind.PHONE, DeviceKind.TABLET, DeviceKind.DESKTOP, DeviceKind.UNKNOWN})
_FORM_FACTORS = {
    "automotive": DeviceKind.CAR,
    "tablet": DeviceKind.TABLET,
    "mobile": DeviceKind.PHONE,
    "desktop": DeviceKind.DESKTOP,
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
_WINDOWS_11 = 13


def correct(verdict: Classification, text: UserAgentText, hints: ClientHints) -> Classification:
    """The verdict after the hints: form factors first, then the model, then "mobile"."""
    if verdict.kind not in _OPEN:
        return verdict
    for name in hints.form_factors:
        kind = _FORM_FACTORS.get(name.lower())
        if kind is not None:
            return Classification(kind, "hint-form-factor", "its form factor is in a client hint")
    platform = _platform(hints)
    if hints.model and platform in (None, "Android"):
        name = hints.model.lower()
        named = screens.by_model(name) or android.by_model(name)
        if named is not None:
            return Classification(named.kind, "hint-model", "its model is in a client hint")
    return _by_mobile(verdict, text, platform, hints.mobile)


def _by_mobile(
    verdict: Classification, text: UserAgentText, platform: str | None, mobile: bool | None
) -> Classification:
    vague = verdict.kind is DeviceKind.UNKNOWN or verdict.code == "android-no-mobile"
    if platform == "Android" and (vague or not android.is_android(text)):
        if mobile:
            return Classification(
                DeviceKind.PHONE, "hint-mobile", "a client hint says Android, mobile"
            )
        return Classification(
            DeviceKind.TABLET, "hint-not-mobile", "a hint says Android, not mobile"
        )
    if verdict.kind is not DeviceKind.UNKNOWN:
        return verdict
    if mobile:
        return Classification(DeviceKind.PHONE, "hint-mobile", "a client hint says mobile")
    if platform in _COMPUTERS:
        return Classification(
            DeviceKind.DESKTOP, "hint-platform", "a hint names a computer's system"
        )
    return verdict


def system(
    found: tuple[str | None, str | None], kind: DeviceKind, hints: ClientHints
) -> tuple[str | None, str | None]:
    """Operating system and version, by the hints where the User-Agent is frozen."""
    platform = _platform(hints)
    if platform is None or kind not in _OPEN:
        return found
    name, version = found
    if name == "Fire OS":
        return found
    told = hints.platform_version
    if platform == "Windows" and told:
        # Chromium counts Windows 10 as 1 to 10 and Windows 11 from 13.
        major = told.partition(".")[0]
        eleven = major.isdecimal() and int(major) >= _WINDOWS_11
        return platform, "11" if eleven else version
    if platform == name:
        return name, clean(told) if told and platform == "Android" else version
    return platform, clean(told) if told else None


def model(hints: ClientHints) -> str | None:
    """The model as the hint gives it."""
    return clean(hints.model) if hints.model else None


def _platform(hints: ClientHints) -> str | None:
    return _PLATFORMS.get((hints.platform or "").lower())
