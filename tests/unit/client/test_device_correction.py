"""Do client hints correct what the reduced User-Agent no longer says (F3)?"""

import pytest

from gateway.client.device import DeviceClassifier
from gateway.client.facts import DeviceKind
from gateway.client.hints import ClientHints

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
REDUCED_PHONE = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/124.0.0.0 Mobile Safari/537.36"
REDUCED_LARGE = f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/124.0.0.0 Safari/537.36"
LINUX = f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/124.0.0.0 Safari/537.36"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/124.0.0.0 Safari/537.36"
KINDLE = f"Mozilla/5.0 (Linux; Android 9; KFMAWI) {WEBKIT} Silk/106.4.3 like Chrome/106 Safari/537"
ROKU = "Roku/DVP-12.5 (12.5.0.4178-55)"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
ANDROID = ClientHints(platform="Android")
APP = "AcmePlayer/1.0"


@pytest.mark.parametrize(
    ("agent", "hints", "expected"),
    [
        (REDUCED_PHONE, ClientHints(), DeviceKind.PHONE),
        (REDUCED_PHONE, ClientHints(platform="Android", model="SM-X210"), DeviceKind.TABLET),
        (REDUCED_PHONE, ClientHints(platform="Android", model="SM-S918B"), DeviceKind.PHONE),
        (REDUCED_PHONE, ClientHints(platform="Android", model="Acme 1"), DeviceKind.PHONE),
        (REDUCED_PHONE, ClientHints(model="BRAVIA 4K VH2"), DeviceKind.TV),
        (REDUCED_LARGE, ClientHints(model="HK1RBOX-X4"), DeviceKind.TV),
        (REDUCED_LARGE, ClientHints(model="8227L_demo"), DeviceKind.CAR),
        (REDUCED_PHONE, ClientHints(model="RG505"), DeviceKind.CONSOLE),
        (REDUCED_LARGE, ClientHints(platform="Android", mobile=True), DeviceKind.PHONE),
        (REDUCED_LARGE, ClientHints(platform="Android", mobile=False), DeviceKind.TABLET),
        (REDUCED_PHONE, ClientHints(form_factors=("Tablet",)), DeviceKind.TABLET),
        (REDUCED_PHONE, ClientHints(form_factors=("XR", "Automotive")), DeviceKind.CAR),
        (REDUCED_PHONE, ClientHints(form_factors=("Mobile", "XR")), DeviceKind.HEADSET),
        (REDUCED_PHONE, ClientHints(form_factors=("Mobile", "Tablet")), DeviceKind.TABLET),
        (REDUCED_PHONE, ClientHints(form_factors=("EInk", "Mobile")), DeviceKind.PHONE),
        (REDUCED_PHONE, ClientHints(form_factors=("EInk",)), DeviceKind.TABLET),
        (REDUCED_PHONE, ClientHints(form_factors=("Fridge", "Tablet")), DeviceKind.TABLET),
        (REDUCED_PHONE, ClientHints(form_factors=("Fridge",)), DeviceKind.PHONE),
        (
            REDUCED_LARGE,
            ClientHints(model="BRAVIA 4K VH2", form_factors=("Tablet",)),
            DeviceKind.TV,
        ),
        (LINUX, ClientHints(form_factors=("XR",)), DeviceKind.HEADSET),
        (REDUCED_LARGE, ClientHints(form_factors=("Mobile",)), DeviceKind.PHONE),
        (REDUCED_LARGE, ClientHints(form_factors=("Desktop",)), DeviceKind.DESKTOP),
        (REDUCED_LARGE, ClientHints(form_factors=("Watch",)), DeviceKind.PHONE),
        (LINUX, ClientHints(platform="Android", mobile=True), DeviceKind.PHONE),
        (LINUX, ClientHints(platform="Android", mobile=False), DeviceKind.TABLET),
        (LINUX, ClientHints(platform="Linux", mobile=False), DeviceKind.DESKTOP),
        (WINDOWS, ClientHints(platform="Windows", model="SM-T500"), DeviceKind.DESKTOP),
        (WINDOWS, ClientHints(platform="Windows", model="Xbox"), DeviceKind.CONSOLE),
        (WINDOWS, ClientHints(model="Xbox Series X", mobile=False), DeviceKind.CONSOLE),
        (
            WINDOWS,
            ClientHints(platform="Windows", model="Xbox", form_factors=("Desktop",)),
            DeviceKind.CONSOLE,
        ),
        (LINUX, ClientHints(platform="Linux", model="Steam Deck"), DeviceKind.CONSOLE),
        (LINUX, ClientHints(platform="Linux", model="BRAVIA 4K VH2"), DeviceKind.TV),
        (LINUX, ClientHints(platform="Linux", model="SM-T500"), DeviceKind.DESKTOP),
        (WINDOWS, ClientHints(platform="Windows", model="BRAVIA 4K VH2"), DeviceKind.DESKTOP),
        (REDUCED_PHONE, ClientHints(platform="Android", model="Quest 3"), DeviceKind.HEADSET),
        (REDUCED_LARGE, ClientHints(platform="Android", model="Nest Mini"), DeviceKind.SPEAKER),
        (APP, ClientHints(mobile=True), DeviceKind.PHONE),
        (APP, ClientHints(platform="macOS"), DeviceKind.DESKTOP),
        (APP, ClientHints(platform="Fuchsia"), DeviceKind.UNKNOWN),
        (None, ANDROID, DeviceKind.UNKNOWN),
        (APP, ANDROID, DeviceKind.UNKNOWN),
        (LINUX, ANDROID, DeviceKind.DESKTOP),
        (REDUCED_LARGE, ANDROID, DeviceKind.TABLET),
        (None, ClientHints(platform="Android", mobile=False), DeviceKind.TABLET),
        (ROKU, ClientHints(mobile=True, form_factors=("Mobile",)), DeviceKind.TV),
        (GOOGLEBOT, ClientHints(mobile=True), DeviceKind.BOT),
    ],
)
def test_hints_correct_the_class(
    agent: str | None, hints: ClientHints, expected: DeviceKind
) -> None:
    """Hints correct phones, tablets, desktops and unknown devices, but no others."""
    assert expected == DeviceClassifier().classify(agent, hints).kind


@pytest.mark.parametrize(
    ("agent", "hints", "expected"),
    [
        (REDUCED_PHONE, ANDROID, ("Android", "10", None)),
        (
            REDUCED_PHONE,
            ClientHints(platform="Android", platform_version="14.0.0", model="Pixel 8"),
            ("Android", "14.0.0", "Pixel 8"),
        ),
        (
            WINDOWS,
            ClientHints(platform="Windows", platform_version="15.0.0"),
            ("Windows", "11", None),
        ),
        (
            WINDOWS,
            ClientHints(platform="Windows", platform_version="10.0.0"),
            ("Windows", "10", None),
        ),
        (
            WINDOWS,
            ClientHints(platform="Windows", platform_version="new"),
            ("Windows", "10", None),
        ),
        (LINUX, ClientHints(platform="Linux", platform_version="6.5"), ("Linux", None, None)),
        (LINUX, ClientHints(platform="Android", mobile=True), ("Android", None, None)),
        (
            LINUX,
            ClientHints(platform="Android", platform_version="13"),
            ("Android", "13", None),
        ),
        (KINDLE, ANDROID, ("Fire OS", "9", "KFMAWI")),
        (REDUCED_PHONE, ClientHints(model="<b>A\x00B</b>"), ("Android", "10", "bAB/b")),
        (REDUCED_PHONE, ClientHints(model="<>"), ("Android", "10", None)),
    ],
)
def test_hints_tell_system_and_model(
    agent: str, hints: ClientHints, expected: tuple[str | None, str | None, str | None]
) -> None:
    """Version and model come from hints where the User-Agent is reduced; Fire OS stays."""
    device = DeviceClassifier().classify(agent, hints)
    assert expected == (device.os, device.os_version, device.model)
