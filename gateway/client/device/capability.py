"""What can this device play?

Limits are set only where they are certain. None means that no limit is known; the player then
ignores what it cannot decode (rule G5). A limit that is too low would cost every viewer with a
better device. H.264 and SDR are in every set (B1).

| device | height | codecs besides avc | ranges |
|---|---|---|---|
| iPhone, iPad (iOS 11 and later) | - | hevc | - |
| iPhone, iPad (iOS 17 and later; A12 and newer chips) | - | hevc, dolby-vision | SDR HLG PQ |
| Apple TV HD · Apple TV 4K | 1080 · 2160 | hevc · hevc, dolby-vision | SDR · all |
| Apple Vision (``spatial``, A6.10) | 2160 | hevc, dolby-vision | all |
| Safari on a Mac (11 / 14 and later) | - | hevc / vp9 | all from Safari 14 |
| AVPlayer on a Mac | - | hevc | - |
| Chrome, Edge, Opera on a computer | - | vp9, av1 (70), hevc (107) | SDR |
| Firefox on a computer | - | vp9, av1 (67) | SDR |
| Android 5 and later, 14 and later or Chrome 110 and later | - | hevc vp9, av1 | - |
| Fire TV, Roku, Chromecast and consoles for HD | 1080 | by model | SDR |
| Fire TV, Roku, Chromecast and consoles for UHD | 2160 | hevc vp9 | SDR HLG PQ |
| Tizen (6 and later), webOS (5 of 2020 and later) | - | hevc vp9 (av1), webOS dolby-vision | - |
| televisions whose User-Agent says UHD or 4K | 2160 | hevc vp9 | SDR HLG PQ |
| Quest and other headsets with Android | - | as Android | - |
| all others, bots and unknown devices | - | - | - |

A speaker (``screen=False``) plays only sound.

AV1 on Apple devices depends on the chip, which no User-Agent names, so it is left out. Apple's rule
that HDR needs at least 30 frames/s (B6) concerns the ladder, not the device.
"""

import re

from gateway.client.device.phrases import Phrases
from gateway.client.facts import Capability, DeviceKind
from manifests.codecs import CodecFamily, VideoRange

_AVC, _HEVC, _AV1, _VP9, _DOVI = (
    CodecFamily.AVC,
    CodecFamily.HEVC,
    CodecFamily.AV1,
    CodecFamily.VP9,
    CodecFamily.DOLBY_VISION,
)
_SDR = frozenset({VideoRange.SDR})
_HDR = frozenset(VideoRange)
_NOTHING_KNOWN = Capability()
_TV_FRAME_RATE = 60.0
_HANDHELD = (DeviceKind.PHONE, DeviceKind.TABLET, DeviceKind.HEADSET)

_HD = Capability(1080, _TV_FRAME_RATE, frozenset({_AVC, _HEVC}), _SDR)
_HD_OLD = Capability(1080, _TV_FRAME_RATE, frozenset({_AVC}), _SDR)
_UHD = Capability(2160, _TV_FRAME_RATE, frozenset({_AVC, _HEVC, _VP9}), _HDR)
_UHD_DOVI = Capability(2160, _TV_FRAME_RATE, frozenset({_AVC, _HEVC, _VP9, _DOVI}), _HDR)
_APPLE_UHD = Capability(2160, _TV_FRAME_RATE, frozenset({_AVC, _HEVC, _DOVI}), _HDR)
_VISION = Capability(2160, None, frozenset({_AVC, _HEVC, _DOVI}), _HDR, spatial=True)
_SPEAKER = Capability(screen=False)
_AVPLAYER = Capability(codecs=frozenset({_AVC, _HEVC}))
_IOS_OLD = Capability(codecs=frozenset({_AVC}), video_ranges=_SDR)
_IOS_11 = Capability(codecs=frozenset({_AVC, _HEVC}))
_IOS_17 = Capability(codecs=frozenset({_AVC, _HEVC, _DOVI}), video_ranges=_HDR)
_SAFARI_NEW = Capability(codecs=frozenset({_AVC, _HEVC, _VP9}), video_ranges=_HDR)
_SAFARI_OLD = Capability(codecs=frozenset({_AVC}), video_ranges=_SDR)

# Models whose capabilities are certain, in lower case.
_MODELS = {
    "appletv5,3": _HD,
    "appletv3,2": _HD_OLD,
    "appletv3,1": _HD_OLD,
    "appletv2,1": Capability(720, 30.0, frozenset({_AVC}), _SDR),
    "aftb": _HD_OLD,
    "aftm": _HD_OLD,
    "aftt": _HD,
    "aftss": _HD,
    "aftsss": _HD,
    "afts": Capability(2160, 30.0, frozenset({_AVC, _HEVC}), _SDR),
    "aftn": _UHD,
    "afta": _UHD_DOVI,
    "aftr": _UHD_DOVI,
    "aftgazl": _UHD_DOVI,
    "aftmm": _UHD_DOVI,
    "aftka": _UHD_DOVI,
    "aftkm": _UHD_DOVI,
    "aftkrt": _UHD_DOVI,
    "playstation 3": _HD_OLD,
    "playstation 4": Capability(1080, _TV_FRAME_RATE, frozenset({_AVC, _HEVC, _VP9}), None),
    "playstation 4 pro": _UHD,
    "playstation 5": _UHD,
    "playstation vita": Capability(720, 30.0, frozenset({_AVC}), _SDR),
    "playstation portable": Capability(480, 30.0, frozenset({_AVC}), _SDR),
    "xbox 360": _HD_OLD,
    "xbox one": Capability(1080, _TV_FRAME_RATE, frozenset({_AVC, _HEVC}), _SDR),
    "xbox one s": _UHD,
    "xbox one x": _UHD,
    "xbox series s": _UHD,
    "xbox series x": _UHD,
    "nintendo switch": _HD_OLD,
    "nintendo switch lite": _HD_OLD,
    "nintendo wiiu": _HD_OLD,
    "nintendo wii": Capability(480, 30.0, frozenset({_AVC}), _SDR),
    "nintendo 3ds": Capability(240, 30.0, frozenset({_AVC}), _SDR),
}
_APPLE_TV_4K = re.compile(r"appletv(?:[6-9]|1\d),\d")
_ROKU_HD = re.compile(r"roku(?:(?:2[47]|3[0-24579]|42|50)\d\d|380\d)")
_ROKU_UHD = re.compile(r"roku(?:38[12]|394|44|46|4[78]|39[24]|9)\d")
_SAYS_UHD = re.compile(r"uhd|(?<![a-z0-9])4k(?![a-z])|oled|nano\d|qned|ultra ?hd")
# A match of the pattern above needs one of these phrases; most User-Agents have none, and testing
# them is cheaper.
_MAY_SAY_UHD = Phrases(("uhd", "4k", "oled", "nano", "qned", "ultra"))
_FIRST_CAST_UHD = (1, 22)
_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")

_IOS_HEVC, _IOS_A12 = 11, 17
_SAFARI_HEVC, _SAFARI_HDR = 11, 14
_CHROME_AV1, _CHROME_HEVC, _FIREFOX_AV1 = 70, 107, 67
_ANDROID_HEVC, _ANDROID_AV1 = 5, 14
# From 110 on, Chrome may say Android 10 on any Android. It decodes AV1 without the device's help.
_CHROME_ANDROID_AV1 = 110
_TIZEN_AV1 = 6
# A User-Agent of webOS has its version, the year, or only the version of its browser.
_WEBOS_AV1, _WEBOS_AV1_YEAR, _WEBOS_AV1_CHROME = 5, 2020, 68
_FIRST_YEAR = 2000


def capability(
    kind: DeviceKind,
    os: str | None,
    os_version: str | None,
    model: str | None,
    low: str,
) -> Capability:
    """What the device can play. ``low`` is its User-Agent in lower case, for browser versions."""
    if kind in (DeviceKind.BOT, DeviceKind.UNKNOWN):
        return _NOTHING_KNOWN
    if kind is DeviceKind.SPEAKER:
        return _SPEAKER
    known = _of_model((model or "").lower())
    if known is not None:
        return known
    if os in ("iOS", "iPadOS"):
        return _of_ios(major_and_minor(os_version)[0])
    if os == "visionOS":
        return _VISION
    return _of_kind(kind, os, os_version, low)


def _of_kind(kind: DeviceKind, os: str | None, os_version: str | None, low: str) -> Capability:
    if kind is DeviceKind.DESKTOP:
        return _of_browser(low)
    if kind is DeviceKind.TV:
        return _of_television(os, os_version, low)
    if kind in _HANDHELD and os in ("Android", "Fire OS"):
        return _of_android(major_and_minor(os_version)[0], low)
    return _NOTHING_KNOWN


def major_and_minor(text: str | None) -> tuple[int, int]:
    """Major and minor number of a dotted version; zeros when there is none."""
    found = _VERSION.match(text or "")
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _of_model(model: str) -> Capability | None:
    known = _MODELS.get(model)
    if known is not None:
        return known
    if model.startswith("appletv"):
        return _APPLE_UHD if _APPLE_TV_4K.match(model) else None
    if not model.startswith("roku"):
        return None
    if _ROKU_UHD.match(model):
        return _UHD
    return _HD if _ROKU_HD.match(model) else None


def _of_ios(major: int) -> Capability:
    if major >= _IOS_A12:
        return _IOS_17
    if major == 0:
        return _NOTHING_KNOWN
    return _IOS_11 if major >= _IOS_HEVC else _IOS_OLD


def _of_android(major: int, low: str) -> Capability:
    if major == 0:
        return _NOTHING_KNOWN
    families = {_AVC}
    if major >= _ANDROID_HEVC:
        families |= {_HEVC, _VP9}
        if major >= _ANDROID_AV1 or _after(low, "chrome/") >= _CHROME_ANDROID_AV1:
            families.add(_AV1)
    return Capability(codecs=frozenset(families))


def _of_browser(low: str) -> Capability:
    if "firefox/" in low:
        return _browser(av1=_after(low, "firefox/") >= _FIREFOX_AV1)
    if "chrome/" in low:
        version = _after(low, "chrome/")
        return _browser(av1=version >= _CHROME_AV1, hevc=version >= _CHROME_HEVC)
    if "applecoremedia" in low:
        return _AVPLAYER
    return _of_safari(low) if "macintosh" in low and "version/" in low else _NOTHING_KNOWN


def _of_safari(low: str) -> Capability:
    version = _after(low, "version/")
    if version >= _SAFARI_HDR:
        return _SAFARI_NEW
    return _AVPLAYER if version >= _SAFARI_HEVC else _SAFARI_OLD


def _browser(*, av1: bool, hevc: bool = False) -> Capability:
    chosen = {_AVC, _VP9} | ({_AV1} if av1 else set()) | ({_HEVC} if hevc else set())
    return Capability(codecs=frozenset(chosen), video_ranges=_SDR)


def _of_television(os: str | None, os_version: str | None, low: str) -> Capability:
    version = major_and_minor(os_version)
    uhd = _MAY_SAY_UHD.occurs_in(low) and _SAYS_UHD.search(low) is not None
    if os == "Cast OS" and "crkey armv7l" in low and version < _FIRST_CAST_UHD:
        return _HD_OLD
    if os == "Tizen":
        return _television(av1=version[0] >= _TIZEN_AV1, dovi=False, uhd=uhd)
    if os == "webOS":
        return _television(av1=_webos_decodes_av1(version[0], low), dovi=True, uhd=uhd)
    if os in ("Roku OS", "VIDAA"):
        return _television(av1=False, dovi=False, uhd=uhd)
    return _UHD if uhd else _NOTHING_KNOWN


def _webos_decodes_av1(version: int, low: str) -> bool:
    if not version:
        return _after(low, "chrome/") >= _WEBOS_AV1_CHROME
    return version >= (_WEBOS_AV1_YEAR if version >= _FIRST_YEAR else _WEBOS_AV1)


def _television(*, av1: bool, dovi: bool, uhd: bool) -> Capability:
    chosen = {_AVC, _HEVC, _VP9} | ({_AV1} if av1 else set()) | ({_DOVI} if dovi else set())
    ranges = _HDR if uhd else None
    return Capability(2160 if uhd else None, _TV_FRAME_RATE, frozenset(chosen), ranges)


def _after(low: str, mark: str) -> int:
    """The major number after ``mark``; 0 without it."""
    at = low.find(mark)
    return major_and_minor(low[at + len(mark) :][:12])[0] if at >= 0 else 0
