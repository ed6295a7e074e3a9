"""Are client hints read as structured fields, and rubbish as silence (F1-F3)?"""

from typing import Any

import pytest

from gateway.client.hints import NO_HINTS, ClientHints, parse_hints

GREASE = '"Not_A Brand";v="8", "Chromium";v="120", "Google Chrome";v="120"'


@pytest.mark.parametrize(
    ("header", "value", "field", "expected"),
    [
        ("sec-ch-ua-mobile", "?1", "mobile", True),
        ("sec-ch-ua-mobile", "?0", "mobile", False),
        ("sec-ch-ua-mobile", "1", "mobile", None),
        ("sec-ch-ua-mobile", "?2", "mobile", None),
        ("sec-ch-ua-mobile", "", "mobile", None),
        ("sec-ch-ua-platform", '"Android"', "platform", "Android"),
        ("sec-ch-ua-platform", '"Chrome OS"', "platform", "Chrome OS"),
        ("sec-ch-ua-platform", "Windows", "platform", "Windows"),
        ("sec-ch-ua-platform", '""', "platform", None),
        ("sec-ch-ua-platform", '"unclosed', "platform", None),
        ("sec-ch-ua-platform", "7", "platform", None),
        ("sec-ch-ua-platform", '"' + "x" * 65 + '"', "platform", None),
        ("sec-ch-ua-platform-version", '"15.0.0"', "platform_version", "15.0.0"),
        ("sec-ch-ua-model", '"SM-S918B"', "model", "SM-S918B"),
        ("sec-ch-ua-model", '"ü"', "model", None),
        ("sec-ch-ua-model", '"' + "x" * 70_000 + '"', "model", None),
        ("sec-ch-ua", GREASE, "brands", ("Chromium", "Google Chrome")),
        ("sec-ch-ua", '"(Not(A:Brand";v="99", "Opera";v="1"', "brands", ("Opera",)),
        ("sec-ch-ua", "Chromium;", "brands", ()),
        ("sec-ch-ua", "1, 2, (3 4)", "brands", ()),
        ("sec-ch-ua", ", ".join(f'"b{number}"' for number in range(40)), "brands", 16),
        ("sec-ch-ua-full-version-list", '"Vivaldi";v="6.5"', "brands", ("Vivaldi",)),
        ("sec-ch-ua-form-factors", '"Tablet", "XR"', "form_factors", ("Tablet", "XR")),
        ("save-data", "on", "save_data", True),
        ("save-data", " On ", "save_data", True),
        ("save-data", "off", "save_data", False),
        ("downlink", "1.725", "downlink_mbps", 1.725),
        ("downlink", "10", "downlink_mbps", 10.0),
        ("downlink", "-1", "downlink_mbps", None),
        ("downlink", "nan", "downlink_mbps", None),
        ("downlink", "inf", "downlink_mbps", None),
        ("downlink", "fast", "downlink_mbps", None),
        ("downlink", "1" * 65, "downlink_mbps", None),
        ("downlink", "99999999", "downlink_mbps", None),
        ("ect", "slow-2g", "ect", "slow-2g"),
        ("ect", "4G", "ect", "4g"),
        ("ect", "5g", "ect", None),
        ("rtt", "50", "rtt_ms", 50),
        ("rtt", "70000", "rtt_ms", None),
        ("sec-ch-viewport-width", "412", "viewport_width", 412),
        ("viewport-width", "1280", "viewport_width", 1280),
    ],
)
def test_one_header_is_read(header: str, value: str, field: str, expected: Any) -> None:
    """Each hint is read by its own rule; what is malformed or absurd reads as absent."""
    found = getattr(parse_hints({header: value}), field)
    assert expected == (len(found) if isinstance(expected, int) and field == "brands" else found)


def test_nothing_said_is_no_hints() -> None:
    """Without headers every hint is absent."""
    assert parse_hints({"user-agent": "x"}) == NO_HINTS


def test_all_hints_together() -> None:
    """A full set of hints as Chrome on Android sends it."""
    expected = ClientHints(
        mobile=True,
        platform="Android",
        platform_version="14.0.0",
        model="Pixel 8",
        brands=("Chromium", "Google Chrome"),
        form_factors=("Mobile",),
        save_data=True,
        downlink_mbps=1.7,
        ect="3g",
        rtt_ms=150,
        viewport_width=412,
    )
    found = parse_hints(
        {
            "sec-ch-ua": GREASE,
            "sec-ch-ua-mobile": "?1",
            "sec-ch-ua-platform": '"Android"',
            "sec-ch-ua-platform-version": '"14.0.0"',
            "sec-ch-ua-model": '"Pixel 8"',
            "sec-ch-ua-form-factors": '"Mobile"',
            "save-data": "on",
            "downlink": "1.7",
            "ect": "3g",
            "rtt": "150",
            "sec-ch-viewport-width": "412",
        }
    )
    assert expected == found
