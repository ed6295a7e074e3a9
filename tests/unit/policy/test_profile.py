"""When does a profile keep everything?"""

from typing import Any

import pytest

from gateway.policy.profile import Profile
from manifests.codecs import CodecFamily, VideoRange


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"device_limits": False}, True),
        ({"device_limits": False, "min_rungs": 3, "headroom": 0.5}, True),
        ({"device_limits": False, "max_bitrate_kbps": 1}, False),
        ({"device_limits": False, "max_height": 1}, False),
        ({"device_limits": False, "max_frame_rate": 30.0}, False),
        ({"device_limits": False, "codecs": frozenset(CodecFamily)}, False),
        ({"device_limits": False, "video_range": frozenset(VideoRange)}, False),
        ({"device_limits": False, "start_bitrate_kbps": 1}, False),
    ],
)
def test_keeps_everything(given: dict[str, Any], expected: bool) -> None:
    """Only without any cap, and with the device left out (docs/config.md)."""
    assert expected == Profile("any", **given).keeps_everything
