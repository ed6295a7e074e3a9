"""Is it a phone, a tablet or a computer, by its operating system?

This covers Apple's devices, Windows, Unix systems and phones from before Android. Safari on iPadOS
says Macintosh (rule F3): its User-Agent is that of a Mac. Only apps on an iPad name it, and web
views say ``Mobile/``, which no Mac does.
"""

import re

from gateway.client.device.classification import Classification
from gateway.client.device.phrases import LinearPattern, Phrases
from gateway.client.device.text import UserAgentText, word_set
from gateway.client.facts import DeviceKind

_PHONE_WORDS = word_set(
    """
    aliyunos bada bb10 blackberry brew cldc ddipocket docomo dolfin feature firefoxos foma
    iemobile iph iphone ipod j2me jasmine juc kaios kddi lumia maemo maui meego midp midp2
    mobilephone mobilesafari mocor netfront nokiabrowser obigo openbrowser openwave palm
    palmos polaris s60 sailfish series40 series60 softbank symbian symbianos teleca tizen
    ubuntutouch ucweb vodafone webos willcom windowsphone wp7 wp8 yunos
    """
) - {"vodafone", "netfront", "feature", "webos", "palm"}
_PHONE_PARTS = Phrases(
    (
        "windows phone", "windows mobile", "windows ce", "wpdesktop", "up.browser",
        "up.link", "opera mini", "opera mobi", "nokia", "sonyericsson", "samsung-gt",
        "samsung-sgh", "lg-", "lge-", "lge vx", "mot-", "sie-", "blackberry", "wap-browser",
        "wap2.0", "wap1", "(mobile;", "profile/midp", "j2me", "ios; iphone", "iphone_os",
        "iphone os", "(iph",
        "kaios", "; arm; lumia", "maui", "fban/fb4a", "fbdv/iphone", "zunewp", "zunehd",
        "pantech", "hiptop", "webos/", "ktouch", "sam-", "micromax", "symbos", "alcatel",
        "huawei-", "huaweiu", "zte-", "palmsource", "fbmd/", "nexian", "mobile vr",
        "mobile safari", "hmd global", "palm os", "jig browser", "(rex;", "au.browser",
        "xiino", "remixos", "elibom", "gionee", "lenovo-", "sec-s", "samsung-s", "htc_", "htc/",
        "sprint apa", "tianyu", "spice", "karbonn", "openharmony", "lephone",
    )
)  # fmt: skip
_TABLET_PARTS = Phrases(
    (
        "playbook", "touchpad", "hp-tablet", "kindle", "pocketbook",
        "tablet browser", "surftab", "rim tablet", "kobo", "tolino", "sailfish; tablet",
        "(tablet;", "quadra 7", "remarkable", "ideatab", "; gt-p", "; sm-t", "opera tablet",
    )
)  # fmt: skip
_COMPUTERS = Phrases(
    (
        "windows nt", "windows 95", "macintosh", "x11;", "(pc;", "2in1;",
    )
)  # fmt: skip
_PHONES_AMONG_COMPUTERS = Phrases(
    (
        "wpdesktop", "lumia", "nokia", "windows phone", "sonyericsson", "htc_", "htc/", "maemo",
        "xv6", "sprint apa",
    )
)  # fmt: skip
_DESKTOP_WORDS = word_set(
    """
    aimp aix amaya aros amiga amigaos arora beos clementine cros cyberdog cygwin cygwin_nt debian
    dillo dragonfly elinks emacs epiphany fedora foobar2000 freebsd galeon gpodder haiku hpux
    i686 icab iceweasel inferno irix konqueror linux lynx mac_powerpc macintel macintosh macos
    macppc midori morphos mosaic netbsd netscape netsurf omniweb openbsd openvms os2 osf1 osx
    qnx quodlibet qupzilla raspbian rhythmbox riscos seamonkey sleipnir solaris sunos suse
    syllable thunderbird ubuntu ultrix unix uzbl vimprobable w3m warp wayland win10 win11
    win16 win32 win64 win7 win95 win98 winamp windows winnt wmfsdk wtos x11 x86_64
    """
)
_DESKTOP_PARTS = Phrases(
    (
        "windows nt", "mac os x", "mac os", "darwin", "macbook", "imac", "macmini",
        "macpro", "os/2", "microsoft office", "ms-office", "msie", "(pc;", "2in1;", "win64",
        "delivery-optimization", "handbrake", "amigavoyager", "mac_", "apple/mac",
        "akregator", "msdw", "cygwin", "amigaos", "os=mac",
        "freebsd", "windows-", "microsoft-",
    )
)  # fmt: skip
_VISION_NAMES = ("visionos", "xros", "apple vision", "realitydevice")
_APPLE_DEVICES = (
    (
        LinearPattern("(?:^|[^l])ipad"),
        Classification(DeviceKind.TABLET, "ipad", "it names an iPad"),
    ),
    (
        Phrases(_VISION_NAMES),
        Classification(DeviceKind.HEADSET, "vision", "it names an Apple Vision"),
    ),
    (
        Phrases(("apple watch", "watchos")),
        Classification(DeviceKind.PHONE, "apple-watch", "it names an Apple Watch"),
    ),
    (
        Phrases(("iphone", "ipod", "(iph")),
        Classification(DeviceKind.PHONE, "iphone", "it names an iPhone or iPod"),
    ),
)
_ANY_APPLE = Phrases(("watch", "iph", "ipad", "ipod", "ios", *_VISION_NAMES))
_OTHER_SYSTEMS = Phrases(("macintosh", "mac os x", "macos", "windows", "android"))
_TOUCH_PC = re.compile(
    r"(?:arm|touch); ?(?:arm|touch|ta[a-z]{2}|.{0,20}surftab)|; arm; trident|; tablet;"
)

# ``Puffin/8.1.0.42IT`` names the system and the kind of device, whatever it says before that.
PUFFIN = re.compile(r"puffin/[\d.]{1,20}(?:-debug)?([aiwl])([ptd])(?![a-z])")
_MOBILE_BUILD = re.compile(r" mobile/\d")
_IOS_BROWSERS = Phrases(("crios/", "fxios/", "edgios/", "opios/"))
_MAY_BE_IPAD = ("intel mac os x 10_15", "intel mac os x 11_")

_BY_PUFFIN = {
    letter: Classification(kind, "puffin", "the suffix of Puffin's version says so")
    for letter, kind in (
        ("p", DeviceKind.PHONE),
        ("t", DeviceKind.TABLET),
        ("d", DeviceKind.DESKTOP),
    )
}
_IPAD_WEB_VIEW = Classification(
    DeviceKind.TABLET, "ipad-web-view", "it says Macintosh and Mobile, as web views on iPads do"
)
_IOS_BROWSER = Classification(
    DeviceKind.TABLET,
    "ios-browser",
    "it says Macintosh and names a browser of iPads, which iPhones send for desktop pages as well",
)
_MAC_OR_IPAD = Classification(
    DeviceKind.DESKTOP, "mac-or-ipad", "it names a Mac; Safari on an iPad sends the same"
)
_IOS_APP = Classification(DeviceKind.PHONE, "ios-app", "an iOS app that does not name an iPad")
_DARWIN_MAC = Classification(
    DeviceKind.DESKTOP, "darwin-mac", "an Apple app that names a Mac or its processor"
)
_DARWIN_APP = Classification(
    DeviceKind.UNKNOWN, "darwin-app", "an Apple app that does not name its device"
)
_TABLET_SYSTEM = Classification(
    DeviceKind.TABLET, "tablet-system", "it names a tablet or its operating system"
)
_PHONE_SYSTEM = Classification(
    DeviceKind.PHONE, "phone-system", "it names a system, a browser or a maker of phones"
)
_WINDOWS_TABLET = Classification(DeviceKind.TABLET, "windows-tablet", "a tablet with Windows")
_DESKTOP = Classification(DeviceKind.DESKTOP, "desktop", "it names a desktop operating system")


def find_apple_mobile(text: UserAgentText) -> Classification | None:
    """iPhone, iPod, iPad, Vision Pro, and apps that name their device (``iPhone14,2``). Windows
    Phones say ``like iPhone``."""
    if not _ANY_APPLE.occurs_in(text.low) or "windows phone" in text.low:
        return None
    for phrases, found in _APPLE_DEVICES:
        if phrases.occurs_in(text.low):
            return found
    if _OTHER_SYSTEMS.occurs_in(text.low) or "ios" not in text.words:
        return None
    return _IOS_APP


def find_puffin(text: UserAgentText) -> Classification | None:
    """Puffin, a browser that runs on a server and therefore claims to be Linux or a Mac."""
    found = PUFFIN.search(text.low) if "puffin/" in text.low else None
    return None if found is None else _BY_PUFFIN[found[2]]


def is_ipad(low: str) -> bool:
    """Whether what says Macintosh is an iPad: a web view (``Macintosh … Mobile/15E148``), or a
    browser that no Mac has (``Macintosh … CriOS/140``)."""
    return "macintosh" in low and (_is_web_view(low) or _IOS_BROWSERS.occurs_in(low))


def _is_web_view(low: str) -> bool:
    return _MOBILE_BUILD.search(low) is not None


def names_mac(text: UserAgentText) -> bool:
    """Whether an app with Apple's network library names a Mac or its processor."""
    return text.has(
        "x86_64",
        "i386",
        "macbook",
        "imac",
        "macmini",
        "macpro",
        "(mac",
        "power mac",
        "powermac",
        "powerbook",
        "safari",
    )


def _find_apple_app(text: UserAgentText) -> Classification | None:
    """Apps with Apple's network library that name no device: a Mac if they name one, else
    unknown."""
    if "cfnetwork" not in text.words or "darwin" not in text.words:
        return None
    return _DARWIN_MAC if names_mac(text) else _DARWIN_APP


def find(text: UserAgentText) -> Classification | None:
    """Classify Puffin, by a phone's operating system, as an Apple app, or by a desktop operating
    system."""
    return (
        find_puffin(text)
        or _find_phone_system(text)
        or _find_apple_app(text)
        or _find_desktop(text)
    )


def _find_phone_system(text: UserAgentText) -> Classification | None:
    """Phones by their operating system: Windows Phone, KaiOS, Symbian, BlackBerry, Java, Tizen."""
    if _TABLET_PARTS.occurs_in(text.low):
        return _TABLET_SYSTEM
    if _COMPUTERS.occurs_in(text.low) and not _PHONES_AMONG_COMPUTERS.occurs_in(text.low):
        return None
    if text.says(_PHONE_WORDS) or _PHONE_PARTS.occurs_in(text.low):
        return _PHONE_SYSTEM
    return None


def _find_desktop(text: UserAgentText) -> Classification | None:
    """Windows, macOS, ChromeOS, Linux and other Unix systems, and tablets with Windows RT or 8."""
    if not (text.says(_DESKTOP_WORDS) or _DESKTOP_PARTS.occurs_in(text.low)):
        return None
    if "macintosh" in text.low:
        return _mac(text.low)
    if "windows" in text.low and _TOUCH_PC.search(text.low):
        return _WINDOWS_TABLET
    return _DESKTOP


def _mac(low: str) -> Classification:
    if is_ipad(low):
        return _IPAD_WEB_VIEW if _is_web_view(low) else _IOS_BROWSER
    safari = "version/" in low and "chrome/" not in low
    return _MAC_OR_IPAD if safari and any(mark in low for mark in _MAY_BE_IPAD) else _DESKTOP
