"""Does each branch of the classifier have its own reason code?"""

import pytest

from gateway.client.device import DeviceClassifier
from gateway.client.facts import DeviceKind
from gateway.reason import Step

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
SILK = "AppleWebKit/535.19 (KHTML, like Gecko) Silk/3.12 Safari/535.19 Silk-Accelerated=true"


@pytest.mark.parametrize(
    ("code", "kind", "agent"),
    [
        ("bot-word", "bot", "AcmeBot/1.0"),
        ("bot-word", "bot", "acme crawler 2"),
        ("bot-address", "bot", "Acme/1.0 (ops@acme.example)"),
        ("bot-address", "bot", "acme.io/1.0"),
        ("bot-program", "bot", "acme link checker/1.0"),
        ("bot-program", "bot", "curl/8.5.0"),
        ("bot-google", "bot", "Google-Acme/1.0"),
        ("bot-google", "bot", f"Mozilla/5.0 (X11; Linux) {WEBKIT} (Google-Acme) Chrome/1"),
        ("desktop", "desktop", f"Mozilla/5.0 (X11; Linux) {WEBKIT} GoogleToolbar Chrome/1"),
        ("bot-preview", "bot", "WhatsApp/2.23.20.0 A"),
        ("bot-compatible", "bot", "Mozilla/5.0 (compatible; Acme/1.0)"),
        ("bot-bare-name", "bot", "Hello World"),
        ("bot-no-system", "bot", "Mozilla/5.0 (acme)"),
        ("library-bot", "bot", "Pompos/1.3"),
        ("console", "console", "Mozilla/5.0 (PlayStation; PlayStation 5/6.00)"),
        ("console-model", "console", "Dalvik/2.1.0 (Linux; U; Android 12; RG405M Build/X)"),
        ("tv", "tv", "HbbTV/1.2.1 (;Acme;;;)"),
        (
            "iphone",
            "phone",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) TV Safari SmartTV",
        ),
        ("tv-model", "tv", "Dalvik/2.1.0 (Linux; U; Android 9; 50LEX-8158 Build/X)"),
        ("tv-model", "tv", "Dalvik/2.1.0 (Linux; U; Android 9; KD1 Build/X)"),
        ("android-tv-build", "tv", "Dalvik/2.1.0 (Linux; U; Android 11; acme Build/RTT7.210923)"),
        ("android-box-build", "tv", "Dalvik/2.1.0 (Linux; U; Android 7.1.2; acme Build/NHG47L)"),
        ("car", "car", "Mozilla/5.0 (X11; Linux) QtCarBrowser"),
        ("phone-model", "phone", "Dalvik/2.1.0 (Linux; U; Android 14; CPH2269 Build/X)"),
        ("car-model", "car", "Dalvik/2.1.0 (Linux; U; Android 9; 8227L_demo Build/X)"),
        ("laptop-model", "desktop", "Dalvik/2.1.0 (Linux; U; Android 9; Inspiron 3542 Build/X)"),
        ("tablet-model", "tablet", "Dalvik/2.1.0 (Linux; U; Android 9; SM-T515 Build/X)"),
        ("tablet-model", "tablet", "Dalvik/2.1.0 (Linux; U; Android 4.4; LGT01 Build/X)"),
        ("tablet-model", "tablet", f"Mozilla/5.0 (Linux; U; en-us; KFTHWI Build/JDQ39) {SILK}"),
        (
            "tablet",
            "tablet",
            "Mozilla/5.0 (Android 11; Tablet; rv:109.0) Gecko/115.0 Firefox/115.0",
        ),
        ("tablet", "tablet", "Mozilla/5.0 (Linux like Android) AppleWebKit/534.34 PocketBook/614"),
        ("android-mobile", "phone", f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Mobile Safari/1"),
        ("android-no-mobile", "tablet", f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Safari/1"),
        ("android-no-mobile", "tablet", f"Mozilla/5.0 (Linux; Android; K) {WEBKIT} Safari/1"),
        ("android-app", "phone", f"Mozilla/5.0 (Linux; U; Android 2.2; acme) {WEBKIT} Safari/1"),
        ("android-no-device", "unknown", "AcmePlay/3.1 (Linux;Android 13) ExoPlayerLib/2.18.1"),
        (
            "android-no-device",
            "unknown",
            "AcmePlay/3.1 (Linux; Android 13; Build/X) ExoPlayerLib/2.18.1",
        ),
        ("android-app", "phone", "AcmePlay/3.1 (Linux;Android 13;Foo One) ExoPlayerLib/2.18.1"),
        (
            "android-app",
            "phone",
            "LG-H870/V20a Player/LG Player 1.0 for Android 8.0.0 (stagefright)",
        ),
        ("tablet-model", "tablet", "AcmePlay/3.1 (Android 13) ExoPlayerLib; SM-T515"),
        ("ipad", "tablet", "AcmePlay/4.2 (iPad13,4; iPadOS 17.2)"),
        ("vision", "headset", "AcmePlay/1.0 (RealityDevice14,1; visionOS 2.0)"),
        ("apple-watch", "phone", "AppleCoreMedia/1.0.0.20S75 (Apple Watch; U; CPU OS 9_0; en_us)"),
        ("iphone", "phone", "AcmePlay/4.2 (iPhone14,2; iOS 17.1)"),
        ("ios-app", "phone", "AcmePlay/4.2 (iOS 17.1)"),
        ("desktop", "desktop", "AcmePlay/4.2 (iOS app on macOS 14)"),
        ("unknown", "unknown", "Curiosity/4.2"),
        ("darwin-mac", "desktop", "Acme/1 CFNetwork/673.4 Darwin/13.1.0 (x86_64)"),
        ("darwin-app", "unknown", "Acme/1 CFNetwork/1410.0.3 Darwin/22.6.0"),
        (
            "phone-system",
            "phone",
            "Mozilla/5.0 (Mobile; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5",
        ),
        (
            "phone-system",
            "phone",
            (
                "Mozilla/5.0 (Mobile; Windows Phone 8.1; Android 4.0; NOKIA; Lumia 520) like "
                "iPhone OS 7_0_3 Mac OS X AppleWebKit/537 Mobile Safari/537"
            ),
        ),
        ("tablet-system", "tablet", "Mozilla/5.0 (PlayBook; U; RIM Tablet OS 2.1.0; en-US)"),
        (
            "windows-tablet",
            "tablet",
            "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; ARM; Touch)",
        ),
        ("desktop", "desktop", f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/1.0 Safari/1"),
        (
            "headset",
            "headset",
            "Mozilla/5.0 (X11; Linux x86_64; Quest 3) VR Safari",
        ),
        ("bot-service", "bot", "LinkDomain/3.0"),
        ("unknown", "unknown", "FeedPlayer/3.0"),
        ("speaker", "speaker", "AudioAccessory5,1/17.4"),
        ("puffin", "phone", f"Mozilla/5.0 (X11; U; Linux x86_64) {WEBKIT} Puffin/4.4.1IP"),
        (
            "ipad-web-view",
            "tablet",
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_4) {WEBKIT} Mobile/15E148",
        ),
        (
            "ios-browser",
            "tablet",
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} CriOS/140 Version/11.1.1",
        ),
        (
            "ios-browser",
            "tablet",
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} FxiOS/140.0",
        ),
        (
            "ios-browser",
            "tablet",
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.0 EdgiOS/140.0",
        ),
        (
            "mac-or-ipad",
            "desktop",
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.0",
        ),
        (
            "desktop",
            "desktop",
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Chrome/124.0",
        ),
        ("media-library", "unknown", "Lavf/60.3.100"),
        ("unknown", "unknown", "AcmePlayer/1.0"),
        ("no-user-agent", "unknown", " \t"),
    ],
)
def test_each_branch_has_its_code(code: str, kind: str, agent: str) -> None:
    """One User-Agent for every branch: its class and its reason."""
    device = DeviceClassifier().classify(agent)
    assert [(Step.DEVICE, code)] == [(reason.step, reason.code) for reason in device.reasons]
    assert DeviceKind(kind) == device.kind


def test_reasons_do_not_quote_the_player() -> None:
    """Reasons, which logs and answers show, contain no text from the User-Agent."""
    marker = "zzqx"
    device = DeviceClassifier().classify(
        f"{marker}/1.0 (Linux; Android 9; {marker} Build/{marker})"
    )
    assert not [reason for reason in device.reasons if marker in reason.text]


def test_the_phone_called_bot_is_a_phone() -> None:
    """Makes and models whose names contain a word of bots are not classified as bots."""
    agents = [
        f"Mozilla/5.0 (Linux; Android 9; {model}) {WEBKIT} Chrome/80.0 Mobile Safari/537.36"
        for model in ("CUBOT X19", "M bot 54", "GM Discovery II", "S710 Ruby", "Redmi Note 7")
    ]
    kinds = {DeviceClassifier().classify(agent).kind for agent in agents}
    assert {DeviceKind.PHONE} == kinds
