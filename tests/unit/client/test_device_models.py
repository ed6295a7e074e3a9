"""Is an Android device's class told by its model, where its browser does not tell it?

Each model is put into the same User-Agent, with "Mobile" where only the model can contradict it.
"""

import pytest

from gateway.client.device import DeviceClassifier
from gateway.client.facts import DeviceKind

AGENT = (
    "Mozilla/5.0 (Linux; Android 9; {model}) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 {mobile}Safari/537.36"
)

# Browsers that say "Mobile" on all of these.
MOBILE = {
    "tablet": (
        "SM-T515", "SC-01C", "SGH-T859", "TB-X304F", "Lenovo A3500-H", "YT3-850M", "B1-770",
        "ME301T", "MediaPad 10 FHD", "AGS2-L09", "BAH3-AL00", "23043RP34G", "2307BRPDCC",
        "PA2353", "OPD2203", "RMP2102", "XT2261-2", "9032X", "8088X", "K92", "D-01J", "SO-03E",
        "SGPT12", "100011886", "QTAIR7", "RCT6973W43", "BNTV250", "KFTT", "Nexus 7", "PMT3008",
        "TM-7855", "BQ-8067L", "Plane 1525 3G PS1137MG", "CITI 1590 3G CS1182MG", "Irbis TZ70",
        "C101034", "NB105", "Archos 101 Xenon", "TBLT10Q", "MPQC974", "PI3210G", "MSI Primo 73",
        "FreeTAB 1014", "Fine7 Genius", "V975i", "CT695", "Micromax P480", "Advan T1X",
        "YPY L700", "GT-7204", "Via L8", "P20HD_EEA", "T40_Plus(N9H6)", "RT1", "T30Pro",
        "MC_Note5", "iWork WiFi", "Acme Kids", "Acme 10.1", "Acme_7 inch",
        "acme-1017", "acmex_EEA", "Nokia T20", "ViewSonic VB733", "A101IT", "Ideos S7",
        "TOSHIBA_FOLIO_AND_A", "A7GOCLEVER", "ODYS-Xpress", "HP eStation",
    ),
    "tv": ("MIBOX3", "BRAVIA 4K GB", "AFTMM", "43LU8010T", "X96mini", "H96 Max", "QLED55"),
    "console": ("RG405M", "GPD XD", "SHIELD Portable", "Retroid Pocket 3", "Switch"),
    "car": (
        "8227L_demo", "PX5", "UIS7862", "Volvo XC40", "XTRONS TE103", "CC3", "acme_1280x480",
        "Head unit", "Toyota RAV4", "acme car",
    ),
    "phone": (
        "STV100-1", "HTV33", "SUNNY2", "Letv X500", "Swift 2", "Z983", "Z957", "TA-1021",
        "Redmi Note 10", "Nokia 7.1", "LGE-AN10", "XT1032", "ZTE Blade V10 Vita", "DVD-AN00",
        "AX1070", "Polestar Phone", "OpelMobile_SmartX6", "RG500", "SM-A336B", "CPH2269", "ME722",
        "Tesla_SP6.2",
    ),
}  # fmt: skip
# Browsers that do not: what is not known to be larger is a tablet.
NOT_MOBILE = {
    "tv": ("Mecool KM9", "S905X4", "RK3368", "uiw4020", "xds74k", "MT5806", "acme43ab10", "DV9161"),
    "tablet": ("Acme",),
}


@pytest.mark.parametrize(
    ("kind", "mobile", "model"),
    [(kind, "Mobile ", model) for kind, models in MOBILE.items() for model in models]
    + [(kind, "", model) for kind, models in NOT_MOBILE.items() for model in models],
)
def test_a_model_tells_its_class(kind: str, mobile: str, model: str) -> None:
    """The model decides, whatever the browser adds."""
    classifier = DeviceClassifier()
    device = classifier.classify(AGENT.format(model=model, mobile=mobile))
    assert (DeviceKind(kind), model) == (device.kind, device.model)
