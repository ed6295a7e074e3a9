"""Is an Android device a phone, a tablet, a television or a PC?

The evidence, in the order in which it is used:

1. *The build.* Builds for televisions have T as the second letter of their id (``PTT1.190222``,
   ``RTM7…``), and televisions with MediaTek boards have the builds ``PPR2.`` and ``OPR5.``.
2. *The words of the model*: ``Tab``, ``Pad``, ``TV``, ``Box``, ``LED``, a size in inches at the
   start (``43LU8010T``), or a maker's prefix for a family (``SM-T``, ``AFT``, ``KF``).
3. *The token "Mobile"*, which Chrome sends on phones, but not on larger devices.
4. *No browser* (Dalvik, ExoPlayer, an app's own name): a phone if it names a model, because most
   such devices are. Without one, as with the libraries' default strings, it is unknown: a
   television's app must not be served as a phone.

The names of makers' families are in ``families``, as sets of leading words, so that a lookup costs
the same however many there are.
"""

import re

from gateway.client.device.classification import Classification
from gateway.client.device.families import (
    LAPTOP_PARTS,
    LAPTOP_WORDS,
    PHONE_NAMESAKES,
    PHONE_PARTS,
    PHONE_SHAPES,
    PHONE_WORDS,
    TABLET_ANYWHERE,
    TABLET_PARTS,
    TABLET_SHAPES,
    TABLET_WORDS,
    TV_PARTS,
    TV_SHAPES,
    TV_WORDS,
)
from gateway.client.device.models import TABLET_MODELS, TV_MODELS
from gateway.client.device.personal import find_puffin
from gateway.client.device.tablets import TABLET_CODES, TABLET_SIGNS
from gateway.client.device.televisions import TV_CODES
from gateway.client.device.text import UserAgentText, says_android
from gateway.client.facts import DeviceKind

# Builds for televisions: with the letter T, and releases that only televisions still use.
_TV_BUILD = re.compile(
    r"build/(?:[n-z]t[a-fh-qs-z]\d|[n-z]t[gmot][a-z0-9]?\d|stt|ppr2\.|opr5\.|ukg3\.|rd2a\.|m5c14j"
    r"|tp1a\.220905\.004\.a2|p(?:i|mw)[;) ]|[qr]t[;) ])"
)
# Builds of TV boxes that a few tablets also have. They count only without "Mobile".
_BOX_BUILD = re.compile(
    r"build/(?:rp1a\.2007|tp1a\.2209|sp1a\.2111|nmf26q|qp1a\.1911|nhg47[kl]|mhc19j)"
)
_TABLET_MARKS = ("pocketbook/", "/apad", "build/jro03h", "; silk/")
_SKIP = re.compile(
    r"(?:[a-z]{2,3}(?:[-_][a-z]{2,4}){0,2}[-_]?|u|k|wv|arm|arm_64|x86|x86_64|mobile|tablet|tv"
    r"|harmonyos|openharmony|rv:.{0,12}|linux|adr.{0,10}|hmscore.{0,20}|linux ventana"
    r"|googletv.{0,8}|[\d.]{1,8}|(?:[a-z]{1,12}\.){1,3}com)$"
)
# A model that looks like a language, when a build follows it: ``MID Build/JDQ39``.
_SHORT_MODEL = re.compile(r"[a-z]{3}(?:_[a-z]{4})?$")
_NO_MODELS = frozenset({"arm", "x86"})
# As apps write it: ``Amazon.com/24.12 (Android/10/JNY-LX1)``.
_APP_MODEL = re.compile(r"android[/ ][\d.]{1,8} ?/ ?([a-z][^;()/]{1,39})")
_VERSION = re.compile(r"(?:android|adr|andr0id)[ /_-]?(\d{1,2}(?:\.\d{1,2}){0,2})")
# A device outside the usual place, as in ``LG-H870/V20a Player/1.0 for Android 8.0``.
_NAMES_DEVICE = re.compile(
    r"[^; ] build/|device/|browser/|(?:^|[ (;])(?:samsung|lge?|htc|sm|gt|moto(?:rola)?|nokia|huawei"
    r"|honor|xiaomi|redmi|oneplus|oppo|vivo|zte|sony|nexus|pixel)[-_ ]\w"
    r"|android[/ ][\d.]{1,8} ?/ ?[a-z]|android/[\d.]{1,8} (?!exo|okhttp|dalvik|media)[a-z]\w{3}"
)
_LEAD = re.compile(r"[a-z]+")
_WORDS = re.compile(r"[a-z]+|\d+")
_SYSTEM = re.compile(r"andr[o0]id(?![a-z.])")
_MARKS = ("; adr ", "(linux; ")
_BROWSER = ("applewebkit", "chrome/", "gecko/")

_TABLET_MODEL = Classification(DeviceKind.TABLET, "tablet-model", "its model is a tablet")
_TV_MODEL = Classification(DeviceKind.TV, "tv-model", "its model is a television or TV box")
_LAPTOP_MODEL = Classification(DeviceKind.DESKTOP, "laptop-model", "its model is a laptop")
_PHONE_MODEL = Classification(DeviceKind.PHONE, "phone-model", "its model is a phone")
_ANDROID_TV_BUILD = Classification(
    DeviceKind.TV, "android-tv-build", "its Android build is one for televisions"
)
_SAYS_TABLET = Classification(DeviceKind.TABLET, "tablet", "its User-Agent says tablet")
_ANDROID_MOBILE = Classification(
    DeviceKind.PHONE, "android-mobile", "an Android browser with Mobile in its User-Agent"
)
_ANDROID_BOX_BUILD = Classification(
    DeviceKind.TV, "android-box-build", "its Android build is one for TV boxes"
)
_ANDROID_NO_MOBILE = Classification(
    DeviceKind.TABLET, "android-no-mobile", "an Android browser without Mobile in its User-Agent"
)
_ANDROID_APP = Classification(
    DeviceKind.PHONE, "android-app", "an Android app that names neither tablet nor television"
)
_ANDROID_LIBRARY = Classification(
    DeviceKind.UNKNOWN, "android-no-device", "an Android app that names no device"
)
_KNOWN_MODELS = dict.fromkeys(TABLET_MODELS, _TABLET_MODEL) | dict.fromkeys(TV_MODELS, _TV_MODEL)
_FAMILIES = (
    (LAPTOP_WORDS, LAPTOP_PARTS, LAPTOP_PARTS, _LAPTOP_MODEL),
    (TABLET_WORDS, TABLET_PARTS, TABLET_SHAPES, _TABLET_MODEL),
    (PHONE_WORDS, PHONE_PARTS, PHONE_SHAPES, _PHONE_MODEL),
)


def is_android(text: UserAgentText) -> bool:
    """Whether it is Android, and not a Windows Phone that claims to be."""
    return says_android(text.low) and "windows phone" not in text.low


def version(text: UserAgentText) -> str | None:
    """The version, such as ``14`` or ``7.1.2``; None when there is none."""
    found = _VERSION.search(text.low)
    return found[1] if found else None


def model_of(low: str) -> str:
    """The model in a User-Agent of an Android browser or Dalvik, in lower case; empty without one.

    ``…Android 9; AFTMM Build/…)`` → ``aftmm``. Locales, ``U``, ``wv``, ``K`` (the reduced
    User-Agent, rule F3) and names of chips are skipped. Only the 160 characters after the name of
    the operating system are read.
    """
    start = _position(low)
    if start < 0:
        return ""
    fields = low[start + 4 : start + 160].split(";")
    if ")" in fields[0] and len(fields) > 1:
        return ""
    app = _APP_MODEL.match(low, start)
    if app is not None:
        return app[1].strip()
    for field in fields[1:8]:
        end = _end_of_model(field)
        name = field[:end].strip()
        if name and (not _SKIP.match(name) or _is_short_model(name, field, end)):
            return name
        if end < len(field):
            return ""
    return ""


def _position(low: str) -> int:
    """Where the operating system is named; -1 when it is not. ``com.google.android.youtube`` is the
    name of an app."""
    named = _SYSTEM.search(low)
    if named is not None:
        return named.start()
    return next((low.find(mark) for mark in _MARKS if mark in low), -1)


def _is_short_model(name: str, field: str, end: int) -> bool:
    is_short = _SHORT_MODEL.match(name) is not None and name not in _NO_MODELS
    return is_short and field.startswith(" build/", end)


def _end_of_model(field: str) -> int:
    if field.lstrip().startswith("build/"):
        return 0
    for mark in (" build", ") ", " miui/", "/build", " applewebkit"):
        at = field.find(mark)
        if at >= 0:
            return at
    return len(field.rstrip(")")) if field.endswith(")") else len(field)


def find(text: UserAgentText, model: str) -> Classification:
    """Classify an Android device. ``model`` is from ``model_of`` or from a client hint."""
    named = by_model(model) if model else None
    if named is not _PHONE_MODEL and _TV_BUILD.search(text.low):
        return _ANDROID_TV_BUILD
    return named or _by_browser(text, model)


def _by_browser(text: UserAgentText, model: str) -> Classification:
    """Classify by the rest of the User-Agent, when the model is not known."""
    if "tablet" in text.words or text.has(*_TABLET_MARKS):
        return _SAYS_TABLET
    if TABLET_ANYWHERE.occurs_in(text.low):
        return _TABLET_MODEL
    puffin = find_puffin(text)
    if puffin is not None:
        return puffin
    if "mobile" in text.low:
        return _ANDROID_MOBILE
    return _by_board(text, model)


def _by_board(text: UserAgentText, model: str) -> Classification:
    """Classify without "Mobile": a TV box by its model or build, a tablet, or an app."""
    if model and TV_CODES.occurs_in(model):
        return _TV_MODEL
    if _BOX_BUILD.search(text.low):
        return _ANDROID_BOX_BUILD
    if text.has(*_BROWSER):
        return _ANDROID_APP if _before_tablets(text) else _ANDROID_NO_MOBILE
    names_device = model or _NAMES_DEVICE.search(text.low)
    return _ANDROID_APP if names_device else _ANDROID_LIBRARY


def by_model(model: str) -> Classification | None:
    """Classify by the model alone, in lower case; None when it is not known."""
    known = _KNOWN_MODELS.get(model)
    if known is not None:
        return known
    if PHONE_NAMESAKES.match(model):
        return _PHONE_MODEL
    return _by_family(model)


def _by_family(model: str) -> Classification | None:
    lead = _LEAD.match(model)
    first = lead[0] if lead else ""
    if first in TV_WORDS or TV_PARTS.occurs_in(model) or TV_SHAPES.match(model):
        return _TV_MODEL
    for words, parts, shapes, found in _FAMILIES:
        if first in words or parts.search(model) or shapes.match(model):
            return found
    if TABLET_CODES.occurs_in(model) or TABLET_SIGNS.occurs_in(model):
        return _TABLET_MODEL
    return None


def _before_tablets(text: UserAgentText) -> bool:
    found = version(text)
    return found is not None and found.startswith(("1.", "2."))
