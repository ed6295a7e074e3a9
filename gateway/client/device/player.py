"""Which player is it: a media library, or a browser?

A media library that is named is the player (``AVPlayer``, ``ExoPlayer``, ``media3``, ``VLC``,
``ffmpeg`` …). hls.js, Shaka and dash.js run in a page and are not in the User-Agent. Then the
player is the browser, by the name that its maker uses (``Chrome``, ``Safari``, ``Samsung Internet``
…).
"""

import re

from gateway.client.device.library import browser_of
from gateway.client.device.phrases import Phrases
from gateway.client.device.text import UserAgentText

_LIBRARIES = (
    ("applecoremedia", "AVPlayer"),
    ("avplayer", "AVPlayer"),
    ("avfoundation", "AVPlayer"),
    ("androidxmedia3", "media3"),
    ("media3", "media3"),
    ("exoplayer", "ExoPlayer"),
    ("tivimate", "TiviMate"),
    ("libmpv", "mpv"),
    ("mpv", "mpv"),
    ("kodi", "Kodi"),
    ("xbmc", "Kodi"),
    ("vlc", "VLC"),
    ("lavf", "ffmpeg"),
    ("ffmpeg", "ffmpeg"),
    ("gstreamer", "GStreamer"),
    ("souphttpsrc", "GStreamer"),
    ("roku", "Roku"),
    ("shaka", "Shaka Player"),
    ("hls.js", "hls.js"),
    ("dash.js", "dash.js"),
    ("video.js", "Video.js"),
    ("jwplayer", "JW Player"),
    ("bitmovin", "Bitmovin"),
    ("theoplayer", "THEOplayer"),
    ("nexplayer", "NexPlayer"),
    ("infuse", "Infuse"),
    ("nplayer", "nPlayer"),
    ("potplayer", "PotPlayer"),
    ("mx player", "MX Player"),
    ("mxplayer", "MX Player"),
    ("plex", "Plex"),
    ("jellyfin", "Jellyfin"),
    ("emby", "Emby"),
    ("ijkplayer", "ijkplayer"),
    ("aliplayer", "AliPlayer"),
    ("stagefright", "Android MediaPlayer"),
    ("nsplayer", "Windows Media Player"),
    ("windows-media-player", "Windows Media Player"),
    ("quicktime", "QuickTime"),
    ("itunes", "iTunes"),
    ("mplayer", "MPlayer"),
    ("stbapp", "MAG"),
    ("crkey", "Cast"),
    ("cfnetwork", "CFNetwork"),
    ("okhttp", "OkHttp"),
    ("unityplayer", "Unity"),
    ("unitywebrequest", "Unity"),
    ("dart:io", "Dart"),
    ("ktor", "Ktor"),
)
_ANY_LIBRARY = Phrases(phrase for phrase, _ in _LIBRARIES)

# The names of browsers in ua-parser, and the names that their makers use.
_BROWSERS = {
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "WKWebView",
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Android WebView",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Edge Mobile": "Edge",
    "Opera Mobile": "Opera",
    "Android": "Android Browser",
    "Other": None,
    # Names in ua-parser for an engine without a browser.
    "Apple Mail": None,
    "WebKit Nightly": None,
}
# Reported for every app on these systems, even if it shows no page.
_WEB_VIEWS = frozenset({"Mobile Safari UI/WKWebView", "Android"})


# The User-Agents of plain Chrome, Edge, Opera, Safari and Firefox, which need no ua-parser.
_PLAIN_CHROME = re.compile(r"chrome/[\d.]{1,24} (?:mobile )?safari/[\d.]{1,12}$")
_PLAIN_ON_COMPUTER = re.compile(
    r"Mozilla/5\.0 \((?:Windows NT|X11|Macintosh)[;A-Za-z\d ._]{1,60}(?:; rv:[\d.]{1,8})?\) (?:"
    r"AppleWebKit/[\d.]{1,12} \(KHTML, like Gecko\) Chrome/[\d.]{1,24} Safari/[\d.]{1,12} "
    r"(?P<chromium>Edg|OPR)/\d[\d.]{0,24}|Gecko/[\d.]{1,10} Firefox/\d[\d.]{0,12})$"
)
_ON_COMPUTER = {"Edg": "Edge", "OPR": "Opera", None: "Firefox"}
_PLAIN_SAFARI = re.compile(
    r"version/[\d.]{1,12} (?:mobile(?:/[\da-z]{1,12})? )?safari/[\d.]{1,16}$"
)


def names_library(text: UserAgentText) -> bool:
    """Whether the User-Agent names a media or network library."""
    return _ANY_LIBRARY.occurs_in(text.low)


def player(text: UserAgentText) -> str | None:
    """The name of the player; None when it is not known."""
    if names_library(text):
        return next(name for phrase, name in _LIBRARIES if phrase in text.low)
    if not text.raw:
        return None
    return _plain_browser(text.low) or _plain_on_computer(text.raw) or _browser(text)


def _plain_browser(low: str) -> str | None:
    if " yabrowser/" in low:
        return "Yandex Browser"
    chrome = low.rfind("chrome/")
    if chrome >= 0:
        if not _PLAIN_CHROME.match(low, chrome):
            return None
        if low.endswith("like gecko) ", 0, chrome):
            return "Chrome"
        return "Android WebView" if low.endswith("gecko) version/4.0 ", 0, chrome) else None
    safari = low.rfind("version/")
    if safari >= 0 and _PLAIN_SAFARI.match(low, safari):
        return _plain_android(low, safari) if "android" in low else _plain_safari(low, safari)
    return None


def _plain_on_computer(raw: str) -> str | None:
    plain = _PLAIN_ON_COMPUTER.match(raw)
    return None if plain is None else _ON_COMPUTER[plain["chromium"]]


def _plain_safari(low: str, version: int) -> str | None:
    """Safari, if the User-Agent names no other browser before it (``CriOS/140 Version/11.1.1``)."""
    return None if "ios/" in low[:version] else "Safari"


def _plain_android(low: str, version: int) -> str | None:
    """The browser of Android before Chrome, if the User-Agent names no other before it."""
    alone = low.startswith("mozilla/5.0 (linux") and low.endswith("like gecko) ", 0, version)
    return "Android Browser" if alone else None


def _browser(text: UserAgentText) -> str | None:
    family = browser_of(text.raw)
    if family is None or (family in _WEB_VIEWS and "applewebkit" not in text.low):
        return None
    return _BROWSERS.get(family, family)
