"""Are capabilities limited only where this is certain?"""

import pytest

from gateway.client.device import DeviceClassifier
from gateway.client.device.capability import major_and_minor
from gateway.client.facts import Capability, Device
from manifests.codecs import CodecFamily, VideoRange

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AVC, HEVC, AV1, VP9, DOVI = "avc", "hevc", "av1", "vp9", "dolby-vision"
ALL_RANGES, SDR = {"SDR", "HLG", "PQ"}, {"SDR"}


def _device(agent: str) -> Device:
    return DeviceClassifier().classify(agent)


def _mac(browser: str) -> str:
    return f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} {browser}"


def _windows(browser: str) -> str:
    return f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} {browser} Safari/537.36"


def _iphone(version: str) -> str:
    return f"AppleCoreMedia/1.0.0 (iPhone; U; CPU OS {version} like Mac OS X; en_us)"


def _android(version: str, chrome: int = 100) -> str:
    browser = f"Chrome/{chrome}.0.0.0 Mobile Safari/537.36"
    return f"Mozilla/5.0 (Linux; Android {version}; K) {WEBKIT} {browser}"


def _tizen(version: str, extra: str = "") -> str:
    return f"Mozilla/5.0 (SMART-TV; LINUX; Tizen {version}{extra}) {WEBKIT} TV Safari/537.36"


def _web0s(extra: str, chrome: int = 94) -> str:
    return f"Mozilla/5.0 (Web0S; Linux/SmartTV) {WEBKIT} Chrome/{chrome}.0 Safari/537.36 {extra}"


@pytest.mark.parametrize(
    ("agent", "height", "codecs", "ranges"),
    [
        (_iphone("10_3"), None, {AVC}, SDR),
        (_iphone("13_1"), None, {AVC, HEVC}, None),
        (_iphone("17_5"), None, {AVC, HEVC, DOVI}, ALL_RANGES),
        ("AcmePlay/1.0 (iPhone14,2)", None, None, None),
        ("AcmePlay/1 (AppleTV2,1; tvOS 5)", 720, {AVC}, SDR),
        ("AcmePlay/1 (AppleTV5,3; tvOS 15.6)", 1080, {AVC, HEVC}, SDR),
        ("AcmePlay/1 (AppleTV14,1; tvOS 17.4)", 2160, {AVC, HEVC, DOVI}, ALL_RANGES),
        ("AcmePlay/1 (AppleTV99,1; tvOS 30)", None, None, None),
        ("AcmePlay/1 (Apple TV; tvOS 17)", None, None, None),
        (
            "AppleCoreMedia/1.0 (Apple Vision Pro; visionOS 2.2)",
            2160,
            {AVC, HEVC, DOVI},
            ALL_RANGES,
        ),
        (_mac("Version/10.1 Safari/603"), None, {AVC}, SDR),
        (_mac("Version/12.1 Safari/605"), None, {AVC, HEVC}, None),
        (_mac("Version/17.4 Safari/605"), None, {AVC, HEVC, VP9}, ALL_RANGES),
        (_mac("Chrome/123.0 Safari/537.36"), None, {AVC, HEVC, VP9, AV1}, SDR),
        ("AppleCoreMedia/1.0 (Macintosh; U; Intel Mac OS X 14_5)", None, {AVC, HEVC}, None),
        (_windows("Chrome/60.0"), None, {AVC, VP9}, SDR),
        (_windows("Chrome/90.0"), None, {AVC, VP9, AV1}, SDR),
        (_windows("Chrome/107.0"), None, {AVC, VP9, AV1, HEVC}, SDR),
        ("Mozilla/5.0 (Windows NT 10.0; rv:60.0) Gecko/1 Firefox/60.0", None, {AVC, VP9}, SDR),
        ("Mozilla/5.0 (X11; Linux) Gecko/1 Firefox/125.0", None, {AVC, VP9, AV1}, SDR),
        ("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", None, None, None),
        (_android("4.4"), None, {AVC}, None),
        (_android("10"), None, {AVC, HEVC, VP9}, None),
        (_android("14"), None, {AVC, HEVC, VP9, AV1}, None),
        (_android("10", chrome=110), None, {AVC, HEVC, VP9, AV1}, None),
        (_android("4.4", chrome=110), None, {AVC}, None),
        ("Mozilla/5.0 (Android; Mobile; rv:40.0) Gecko/40.0 Firefox/40.0", None, None, None),
        ("Mozilla/5.0 (Mobile; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5", None, None, None),
        ("Roku3800X/DVP-9.10 (519.10E04111A)", 1080, {AVC, HEVC}, SDR),
        ("Roku3500X/DVP-9.10 (519.10E04111A)", 1080, {AVC, HEVC}, SDR),
        ("Roku4640X/DVP-7.70 (297.70E04154A)", 2160, {AVC, HEVC, VP9}, ALL_RANGES),
        ("Roku7000X/DVP-9.10", None, {AVC, HEVC, VP9}, None),
        ("Roku/DVP-12.5", None, {AVC, HEVC, VP9}, None),
        ("Dalvik/2.1.0 (Linux; U; Android 7.1.2; AFTM Build/NS6291)", 1080, {AVC}, SDR),
        (
            "Dalvik/2.1.0 (Linux; U; Android 9; AFTMM Build/PS7649)",
            2160,
            {AVC, HEVC, VP9, DOVI},
            ALL_RANGES,
        ),
        (_tizen("2.4"), None, {AVC, HEVC, VP9}, None),
        (_tizen("6.0"), None, {AVC, HEVC, VP9, AV1}, None),
        (_tizen("6.0", "; UHD"), 2160, {AVC, HEVC, VP9, AV1}, ALL_RANGES),
        (_web0s("WebAppManager"), None, {AVC, HEVC, VP9, DOVI, AV1}, None),
        (_web0s("WebAppManager", chrome=53), None, {AVC, HEVC, VP9, DOVI}, None),
        (_web0s("LGE; OLED55C6; webOS.TV-2016"), 2160, {AVC, HEVC, VP9, DOVI}, ALL_RANGES),
        (_web0s("LGE; OLED55CX; webOS.TV-2020"), 2160, {AVC, HEVC, VP9, DOVI, AV1}, ALL_RANGES),
        ("Mozilla/5.0 (Web0S; Linux/SmartTV) Safari/538.2", None, {AVC, HEVC, VP9, DOVI}, None),
        ("Mozilla/5.0 (CrKey armv7l 1.5.16041) Chrome/31.0 Safari/537.36", 1080, {AVC}, SDR),
        ("Mozilla/5.0 (X11) Chrome/90 Safari/537 CrKey/1.56.500000", None, None, None),
        ("HbbTV/1.2.1 (;Panasonic;VIERA 2014;3.101;)", None, None, None),
        (
            "Dalvik/2.1.0 (Linux; U; Android 9; BRAVIA 4K UR2 Build/PTT1)",
            2160,
            {AVC, HEVC, VP9},
            ALL_RANGES,
        ),
        ("Mozilla/5.0 (PlayStation 4 11.00)", 1080, {AVC, HEVC, VP9}, None),
        ("Mozilla/5.0 (PlayStation 4 Pro 5.0)", 2160, {AVC, HEVC, VP9}, ALL_RANGES),
        ("Mozilla/5.0 (Nintendo Switch; ShareApplet)", 1080, {AVC}, SDR),
        ("Mozilla/5.0 (X11; Linux) SteamDeck", None, None, None),
        ("curl/8.5.0", None, None, None),
        ("Lavf/60.3.100", None, None, None),
    ],
)
def test_abilities(
    agent: str, height: int | None, codecs: set[str] | None, ranges: set[str] | None
) -> None:
    """Height, codec families and video ranges of one player."""
    found = _device(agent).capability
    wanted = None if codecs is None else frozenset(CodecFamily(name) for name in codecs)
    shown = None if ranges is None else frozenset(VideoRange(name) for name in ranges)
    assert (height, wanted, shown) == (found.max_height, found.codecs, found.video_ranges)


def test_h264_and_sdr_are_never_withheld() -> None:
    """Known capabilities include what every device plays (B1)."""
    agents = [_iphone("17_5"), _android("14"), _tizen("6.0", "; UHD"), "Roku4640X/DVP-7.70"]
    for ability in (_device(agent).capability for agent in agents):
        assert CodecFamily.AVC in (ability.codecs or {CodecFamily.AVC})
        assert VideoRange.SDR in (ability.video_ranges or {VideoRange.SDR})


def test_only_the_headset_is_spatial() -> None:
    """Only visionOS plays immersive video (A6.10)."""
    assert _device("AppleCoreMedia/1.0 (Apple Vision Pro; visionOS 2.2)").capability.spatial
    assert not _device(_iphone("17_5")).capability.spatial


def test_only_the_speaker_has_no_screen() -> None:
    """A speaker plays sound; whatever may have a screen gets pictures."""
    assert Capability(screen=False) == _device("AudioAccessory5,1/17.4").capability
    for agent in ("", _iphone("17_5"), "Mozilla/5.0 (Fuchsia) CrKey/1.56.500000", "okhttp/4"):
        assert _device(agent).capability.screen


def test_the_silent_device_has_no_limits() -> None:
    """Without a User-Agent nothing is known, and a reason says so."""
    device = _device("")
    assert Capability() == device.capability
    assert ["no-user-agent"] == [reason.code for reason in device.reasons]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("14", (14, 0)), ("1.22.3", (1, 22)), (None, (0, 0)), ("x", (0, 0))],
)
def test_versions_compare_as_numbers(text: str | None, expected: tuple[int, int]) -> None:
    """Major and minor number; zeros when there is none."""
    assert expected == major_and_minor(text)
