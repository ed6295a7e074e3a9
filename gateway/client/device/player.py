"""Which player is it: a media library, or the browser in which a script plays?

A library that names itself wins (``AVPlayer``, ``ExoPlayer``, ``media3``, ``VLC``, ``ffmpeg`` …).
hls.js, Shaka and dash.js run in a page and do not show: then it is the browser, by the plain name
that its maker uses (``Chrome``, ``Safari``, ``Samsung Internet`` …).
"""

import re

from gateway.client.device.library import browser_of
from gateway.client.device.phrases import Phrases
from gateway.client.device.text import UserAgentText

_LIBRARIES = (
    ("applecoremedia", "AVPlayer"),
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
)
_ANY_LIBRARY = Phrases(phrase for phrase, _ in _LIBRARIES)

# What ua-parser calls a browser → what its maker calls it.
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
    # What it calls an engine that names no browser.
    "Apple Mail": None,
    "WebKit Nightly": None,
}
# Seen in every app of these systems, whether or not a page shows the video.
_WEB_VIEWS = frozenset({"Mobile Safari UI/WKWebView", "Android"})


# What plain Chrome, Edge, Opera, Safari and Firefox end with; ua-parser need not look at these.
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
    """Does a media or network library name itself?"""
    return _ANY_LIBRARY.occurs_in(text.low)


def player(text: UserAgentText) -> str | None:
    """The player's name, None when nothing names one."""
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
        return "Safari" if "android" not in low else _plain_android(low, safari)
    return None


def _plain_on_computer(raw: str) -> str | None:
    plain = _PLAIN_ON_COMPUTER.match(raw)
    return None if plain is None else _ON_COMPUTER[plain["chromium"]]


def _plain_android(low: str, version: int) -> str | None:
    """Android's own browser, from before Chrome: no name stands before its own."""
    alone = low.startswith("mozilla/5.0 (linux") and low.endswith("like gecko) ", 0, version)
    return "Android Browser" if alone else None


def _browser(text: UserAgentText) -> str | None:
    family = browser_of(text.raw)
    if family is None or (family in _WEB_VIEWS and "applewebkit" not in text.low):
        return None
    return _BROWSERS.get(family, family)
