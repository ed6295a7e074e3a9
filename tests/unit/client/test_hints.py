"""Are client hints read as structured fields, and invalid ones as absent (F1-F3)?"""

from typing import Any

import pytest

from gateway.client.hints import (
    NO_HINTS,
    ClientHints,
    NetworkHints,
    parse_hints,
    parse_network_hints,
)

MANY = ", ".join(f'"f{number}"' for number in range(40))


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
        ("sec-ch-ua-form-factors", '"Tablet";v="8", "XR"', "form_factors", ("Tablet", "XR")),
        ("sec-ch-ua-form-factors", "Tablet;", "form_factors", ()),
        ("sec-ch-ua-form-factors", "1, 2, (3 4)", "form_factors", ()),
        ("sec-ch-ua-form-factors", MANY, "form_factors", 16),
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
    ],
)
def test_one_header_is_read(header: str, value: str, field: str, expected: Any) -> None:
    """Each hint has its own type; a malformed or implausible value counts as absent."""
    read = parse_hints if header.startswith("sec-") else parse_network_hints
    found = getattr(read({header: value}), field)
    assert expected == (len(found) if value == MANY else found)


def test_nothing_said_is_no_hints() -> None:
    """Without headers every hint is absent."""
    assert parse_hints({"user-agent": "x"}) == NO_HINTS
    assert parse_network_hints({"user-agent": "x"}) == NetworkHints()


def test_all_hints_together() -> None:
    """A full set of hints as Chrome on Android sends it."""
    expected = ClientHints(
        mobile=True,
        platform="Android",
        platform_version="14.0.0",
        model="Pixel 8",
        form_factors=("Mobile",),
    )
    headers = {
        "sec-ch-ua-mobile": "?1",
        "sec-ch-ua-platform": '"Android"',
        "sec-ch-ua-platform-version": '"14.0.0"',
        "sec-ch-ua-model": '"Pixel 8"',
        "sec-ch-ua-form-factors": '"Mobile"',
        "save-data": "on",
        "downlink": "1.7",
        "ect": "3g",
    }
    assert expected == parse_hints(headers)
    assert NetworkHints(True, 1.7, "3g") == parse_network_hints(headers)
