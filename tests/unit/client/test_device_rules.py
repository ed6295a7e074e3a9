"""Do the operator's rules override what the classifier finds?"""

import pytest

from gateway.client.device import DeviceClassifier, DeviceRule, check_match
from gateway.client.facts import Capability, DeviceKind
from manifests.codecs import CodecFamily, VideoRange

ROKU = "Roku/DVP-12.5 (12.5.0.4178-55)"
BOX = DeviceRule(
    name="our box",
    match=r"AcmeBox/\d",
    kind=DeviceKind.TV,
    os="AcmeOS",
    player="AcmePlay",
    model="AcmeBox 4",
    max_height=1080,
    max_frame_rate=50.0,
    codecs=frozenset({CodecFamily.AVC}),
    video_ranges=frozenset({VideoRange.SDR}),
)


def test_a_rule_sets_everything_it_names() -> None:
    """All keys of a rule are in the device, its capabilities and its reasons."""
    device = DeviceClassifier([BOX]).classify("AcmeBox/4 (Linux; Android 10; K) Mobile Safari")
    told = (device.kind, device.os, device.player, device.model)
    assert (DeviceKind.TV, "AcmeOS", "AcmePlay", "AcmeBox 4") == told
    expected = Capability(1080, 50.0, frozenset({CodecFamily.AVC}), frozenset({VideoRange.SDR}))
    assert expected == device.capability
    reasons = [str(reason) for reason in device.reasons]
    assert ["device: tv: the rule 'our box' matches [operator-rule]"] == reasons


def test_a_rule_leaves_the_rest_as_found() -> None:
    """A rule that names only a height keeps class, system, player and codecs."""
    plain = DeviceClassifier().classify(ROKU)
    ruled = DeviceClassifier([DeviceRule(name="flat", match="Roku", max_height=720)]).classify(ROKU)
    assert (plain.kind, plain.os, plain.player) == (ruled.kind, ruled.os, ruled.player)
    assert (720, plain.capability.codecs) == (ruled.capability.max_height, ruled.capability.codecs)
    codes = [reason.code for reason in ruled.reasons]
    assert [plain.reasons[0].code, "operator-rule"] == codes, "why it is of its class stays known"


def test_abilities_follow_the_class_that_a_rule_sets() -> None:
    """A rule that makes a bot a phone gives it a phone's capabilities."""
    rule = DeviceRule(name="lab", match="^curl", kind=DeviceKind.TV, model="AFTM")
    assert 1080 == DeviceClassifier([rule]).classify("curl/8.5.0").capability.max_height


def test_the_first_rule_that_matches_wins() -> None:
    """The first rule that matches is used, not the longest."""
    rules = [
        DeviceRule(name="no", match="Nothing", kind=DeviceKind.CAR),
        DeviceRule(name="first", match="Acme", kind=DeviceKind.CONSOLE),
        DeviceRule(name="second", match="AcmeBox/4", kind=DeviceKind.TV),
    ]
    assert DeviceKind.CONSOLE == DeviceClassifier(rules).classify("AcmeBox/4").kind


def test_letter_case_counts_unless_the_pattern_says_otherwise() -> None:
    """Patterns are case-sensitive unless they have ``(?i)``."""
    strict = DeviceClassifier([DeviceRule(name="a", match="acme/", kind=DeviceKind.CAR)])
    loose = DeviceClassifier([DeviceRule(name="a", match="(?i)acme/", kind=DeviceKind.CAR)])
    kinds = (strict.classify("ACME/1").kind, loose.classify("ACME/1").kind)
    assert (DeviceKind.UNKNOWN, DeviceKind.CAR) == kinds


@pytest.mark.parametrize(
    "pattern",
    ["", "x" * 513, "(", "[", "a(?=b)", r"(a)\1", "x{1000000}"],
)
def test_patterns_that_could_run_away_are_refused(pattern: str) -> None:
    """Look-around, back-references and very long patterns are refused."""
    with pytest.raises(ValueError, match="is not"):
        DeviceRule(name="bad", match=pattern)


def test_a_good_pattern_is_given_back() -> None:
    """The check returns the pattern, so that the config can use it as a validator."""
    assert "(a+)+$" == check_match("(a+)+$")
