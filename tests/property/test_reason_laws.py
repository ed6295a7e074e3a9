"""Is every reason true? Each sentence about a ladder is checked against what was decided."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.client.facts import Capability, Device, DeviceKind, Facts, Limits, Throughput
from gateway.decision import Memo, Policy, decide, inquire
from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.explanation import reasons_of
from gateway.ladder.fit import Fit, NothingToPlayError, fit
from gateway.ladder.rung import Constraints, Rung, counted
from gateway.ladder.start import DEFAULT_START_BANDWIDTH
from gateway.play.hls.ladder import ladder_of, rungs_of
from gateway.policy.profile import Profile
from gateway.policy.rules import When
from gateway.policy.start import StartRule, StartRules
from gateway.reason import Reason
from geodata.place import UNKNOWN, Place
from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import MultivariantPlaylist
from tests.property.test_ladder_laws import constraints, law, playlists
from tests.property.test_start_laws import ladders, read

COUNT = re.compile(r": (\d+) of (\d+) (rungs|variants) removed$")
DESCRIBED = re.compile(r"(?:(\d+)p|no stated height) at (\d+) kbit/s")
PUT_BACK = ("safe-rung-added", "min-rungs-added", "home-pathway-added")
AVC = frozenset({CodecFamily.AVC})


@dataclass(frozen=True)
class Found:
    """A fit, with what it was made of. ``kept`` are the entries that stay and count as rungs."""

    rungs: Sequence[Rung]
    limits: Constraints
    home: str | None
    fit: Fit

    @property
    def listed(self) -> list[Rung]:
        """The entries in output order."""
        return [self.rungs[index] for index in self.fit.kept]

    @property
    def kept(self) -> Sequence[Rung]:
        """Those that count."""
        return counted(self.listed)

    @property
    def within(self) -> Sequence[Rung]:
        """Those that count, without the pictures that were put back for another reason."""
        texts = [reason.text for reason in self.fit.reasons if reason.code in PUT_BACK]
        names = {name for text in texts for name in DESCRIBED.findall(text)}
        back = {rung.picture for rung in self.kept if described(rung) in names}
        return [rung for rung in self.kept if rung.picture not in back]


def described(rung: Rung) -> tuple[str, str]:
    """What a reason says to name a rung."""
    return ("" if rung.height is None else str(rung.height), str(rung.bandwidth // 1000))


def names_a_kept_rung(found: Found, text: str) -> bool:
    """The rung that a reason says is kept or added is there."""
    [name] = DESCRIBED.findall(text)
    return name in map(described, found.kept)


def decodes(rung: Rung, limits: Constraints) -> bool:
    """The device's codecs, with H.264."""
    return limits.device_codecs is None or rung.uses_only(limits.device_codecs | AVC)


def caps_hold(rung: Rung, limits: Constraints) -> bool:
    """Bit rate and height."""
    return (limits.max_bandwidth is None or rung.bandwidth <= limits.max_bandwidth) and (
        limits.max_height is None or rung.height is None or rung.height <= limits.max_height
    )


HOLDS: dict[str, Callable[[Rung, Constraints], bool]] = {
    "device-codecs": decodes,
    "profile-codecs": lambda rung, limits: rung.uses_only(limits.allowed_codecs or frozenset()),
    "immersive": lambda rung, limits: limits.immersive or not rung.immersive,
    "device-range": lambda rung, limits: rung.video_range in (limits.device_ranges or ()),
    "profile-range": lambda rung, limits: rung.video_range in (limits.allowed_ranges or ()),
    "frame-rate": lambda rung, limits: (rung.frame_rate or 0) <= (limits.max_frame_rate or 0),
    "caps": caps_hold,
}


def min_resolution(found: Found, _: str) -> bool:
    """No lower rung is left, but for those without a stated height."""
    least = found.limits.min_height or 0
    return all(rung.height is None or rung.height >= least for rung in found.within)


def min_resolution_relaxed(found: Found, text: str) -> bool:
    """The named height is below what was asked for, and the highest that stays."""
    best = int(re.findall(r"is (\d+)p", text)[0])
    heights = {rung.height for rung in found.within if rung.height is not None}
    return best < (found.limits.min_height or 0) and heights <= {best}


def safe(found: Found, text: str) -> bool:
    """The rung that is added is in the named codec and range, and no other such rung stays."""
    [name] = DESCRIBED.findall(text)
    wanted = text.partition("play only ")[2].partition(":")[0]

    def is_safe(rung: Rung) -> bool:
        return ("H.264" not in wanted or rung.uses_only(AVC)) and (
            "SDR" not in wanted or rung.video_range is VideoRange.SDR
        )

    return any(described(rung) == name and is_safe(rung) for rung in found.kept)


def ignored(found: Found, text: str) -> bool:
    """So many entries are ignored by clients, and they count only if nothing else does."""
    gone, total = map(int, re.findall(r"(\d+) of (\d+) variants", text)[0])
    skippable = [rung for rung in found.rungs if rung.skippable]
    none_left = "no others are left" in text
    return (
        gone <= len(skippable)
        and total <= len(found.rungs)
        and (found.kept[0].skippable == none_left or not found.limits.screen)
    )


def audio_only(found: Found, _: str) -> bool:
    """The platform accepts none, and none is listed beside rungs with video."""
    return not found.limits.audio_only and (
        not found.kept[0].has_video or all(rung.has_video for rung in found.listed)
    )


def start_within(found: Found, text: str) -> bool:
    """The first entry is named, within the start bit rate, and the highest unless others are named
    as passed over."""
    return _start_is(
        found,
        text,
        within=True,
        better=lambda rung, first, target: first.bandwidth < rung.bandwidth <= target,
    )


def start_lowest(found: Found, text: str) -> bool:
    """The first entry is named, above the start bit rate, and the lowest unless others are named
    as passed over."""
    return _start_is(
        found,
        text,
        within=False,
        better=lambda rung, first, _: rung.bandwidth < first.bandwidth,
    )


def _start_is(
    found: Found, text: str, *, within: bool, better: Callable[[Rung, Rung, int], bool]
) -> bool:
    first, target = found.listed[0], found.limits.start_bandwidth
    target = DEFAULT_START_BANDWIDTH if target is None else target
    passed = [rung for rung in found.kept if better(rung, first, target)]
    head, _, tail = text.partition("passed over: ")
    return (
        [described(first)] == DESCRIBED.findall(head)
        and (first.bandwidth <= target) is within
        and bool(passed) == bool(tail)
        and all(_cause_is_true(cause, first, passed) for cause in _causes(tail))
    )


def _causes(text: str) -> list[tuple[tuple[str, str], str]]:
    return [
        ((height, kbps), why)
        for height, kbps, why in re.findall(
            r"(?:(\d+)p|no stated height) at (\d+) kbit/s \((.*?)\)", text
        )
    ]


def _cause_is_true(cause: tuple[tuple[str, str], str], first: Rung, passed: Sequence[Rung]) -> bool:
    name, why = cause
    checks: dict[str, Callable[[Rung], bool]] = {
        "HDR": lambda rung: rung.video_range in {VideoRange.PQ, VideoRange.HLG},
        "of unknown video range": lambda rung: rung.video_range is None,
        "not H.264": lambda rung: not rung.uses_only(AVC),
        "on another pathway": lambda rung: rung.pathway != first.pathway,
        "the same picture": lambda rung: rung.picture == first.picture,
        "listed later": lambda rung: rung.picture == first.picture,
        "not a better picture": lambda rung: rung.pathway == first.pathway,
    }
    return any(
        described(rung) == name and all(checks[part](rung) for part in why.split(", "))
        for rung in passed
    )


CHECKS: dict[str, Callable[[Found, str], bool]] = {
    "codecs-asked": lambda found, _: all(
        rung.uses_only(found.limits.wanted_codecs or frozenset()) for rung in found.listed
    ),
    "caps-relaxed": lambda found, text: (
        names_a_kept_rung(found, text)
        and not any(caps_hold(rung, found.limits) for rung in found.within)
    ),
    "min-resolution": min_resolution,
    "min-resolution-relaxed": min_resolution_relaxed,
    "audio-groups": lambda found, _: (
        not {rung.audio_group for rung in found.rungs}
        <= {rung.audio_group for rung in found.within}
    ),
    "safe-rung-added": safe,
    "min-rungs-added": names_a_kept_rung,
    "home-pathway-added": lambda found, text: (
        names_a_kept_rung(found, text) and any(rung.pathway == found.home for rung in found.kept)
    ),
    "variants-ignored": ignored,
    "audio-only": audio_only,
    "beside": lambda found, _: len(found.kept) <= len(found.rungs),
    "no-screen": lambda found, _: not any(rung.has_video for rung in found.listed),
    "no-screen-relaxed": lambda found, _: found.kept[0].has_video or bool(found.home),
    "start-within-speed": start_within,
    "start-lowest": start_lowest,
}


def is_true(found: Found, reason: Reason) -> bool:
    """Whether a reason says what is so."""
    for gone, total, _ in COUNT.findall(reason.text):
        if not 0 < int(gone) <= int(total) <= len(found.rungs):
            return False
    name = reason.code.removesuffix("-relaxed")
    if reason.code not in CHECKS:
        holds = [HOLDS[name](rung, found.limits) for rung in found.within]
        return not any(holds) if reason.code.endswith("-relaxed") else all(holds)
    return CHECKS[reason.code](found, reason.text)


SET = {
    "device-codecs": "device_codecs",
    "profile-codecs": "allowed_codecs",
    "immersive": "immersive",
    "device-range": "device_ranges",
    "profile-range": "allowed_ranges",
    "frame-rate": "max_frame_rate",
    "caps": "min_rungs",
    "min-resolution": "min_height",
}
"""The field that is None when there is no such limit; ``HOLDS`` has the same keys, but the last."""


def untold(found: Found) -> list[str]:
    """The limits that a rung which stays does not meet, though no reason says so."""
    told = {reason.code for reason in found.fit.reasons}
    least = found.limits.min_height or 0
    holds: dict[str, Callable[[Rung, Constraints], bool]] = {
        **HOLDS,
        "min-resolution": lambda rung, _: rung.height is None or rung.height >= least,
    }
    return [
        name
        for name, attribute in SET.items()
        if getattr(found.limits, attribute) is not None
        and f"{name}-relaxed" not in told
        and not all(holds[name](rung, found.limits) for rung in found.within)
    ]


def check(playlist: MultivariantPlaylist, limits: Constraints) -> None:
    """Every reason is true, and says something once. Each limit that is given up is told."""
    rungs = rungs_of(playlist)
    home = playlist.steering.pathway if playlist.steering else None
    try:
        found = Found(rungs, limits, home, fit(rungs, limits, home))
    except NothingToPlayError:
        return
    reasons = found.fit.reasons
    assert len(set(reasons)) == len(reasons)
    assert [] == [str(reason) for reason in reasons if not is_true(found, reason)]
    assert [] == untold(found), [str(reason) for reason in reasons]


@law
@given(playlists(), constraints, st.booleans())
def test_reasons_say_what_is_so(
    playlist: MultivariantPlaylist, limits: Constraints, screen: bool
) -> None:
    """On ladders without any regularity."""
    check(playlist, replace(limits, screen=screen))


@law
@given(ladders(), constraints)
def test_reasons_say_what_is_so_of_regular_ladders(text: str, limits: Constraints) -> None:
    """On ladders with copies for every audio group, codec and pathway."""
    check(read(text), limits)


profiles = st.builds(
    Profile,
    name=st.just("p"),
    max_bitrate_kbps=st.none() | st.integers(1, 4000),
    max_height=st.none() | st.sampled_from([360, 720]),
    start_bitrate_kbps=st.none() | st.integers(1, 4000),
    headroom=st.sampled_from([0.5, 0.8, 0.855, 1.0]),
    device_limits=st.booleans(),
)
devices = st.builds(
    Device,
    kind=st.sampled_from(DeviceKind),
    capability=st.builds(
        Capability,
        max_height=st.none() | st.sampled_from([360, 720]),
        codecs=st.none() | st.just(AVC),
    ),
)
facts = st.builds(
    Facts,
    asset=st.just("film"),
    device=devices,
    place=st.sampled_from([UNKNOWN, Place("found", "KE", "AF"), Place("found", "NO", "EU")]),
    throughput=st.none()
    | st.builds(
        Throughput,
        st.floats(1, 9000),
        st.sampled_from(["query", "cmcd", "session", "hints", "prior"]),
    ),
    save_data=st.booleans(),
    ect=st.none() | st.sampled_from(["2g", "4g"]),
    limits=st.builds(
        Limits,
        max_height=st.none() | st.sampled_from([360, 720]),
        max_bitrate_kbps=st.none() | st.integers(1, 4000),
    ),
)
START = StartRules(
    (
        StartRule(When(save_data=True), 500),
        StartRule(When(ect=frozenset({"2g"})), 50),
        StartRule(When(country=frozenset({"KE"})), 900),
    )
)
FLEET = Fleet.of((Edge("one", "https://one.example/"),))


@law
@given(ladders(), profiles, facts)
def test_who_set_what(text: str, profile: Profile, of: Facts) -> None:
    """The reasons for the caps and for the start bit rate name the one that set it."""
    policy = Policy({"p": profile}, (), "p", FLEET.edges, "UTC", "1", START)
    inquiry = inquire(policy, FLEET, of, ladder_of(read(text), "1"), Memo())
    decision = decide(inquiry, Memo())
    limits, codes = decision.choice.limits, {}
    for reason in reasons_of(decision):
        codes[reason.code] = reason.text
    capability = of.device.capability if profile.device_limits else Capability()
    heights = {
        "profile": profile.max_height,
        "request": of.limits.max_height,
        "device": capability.max_height,
    }
    rates = {"profile": profile.max_bitrate_kbps, "request": of.limits.max_bitrate_kbps}
    for unit, setters, limit in (
        ("height", heights, limits.max_height),
        ("bitrate", rates, limits.max_bandwidth and limits.max_bandwidth // 1000),
    ):
        named = [code for code in codes if code.startswith(f"max-{unit}-")]
        assert len(named) == (limit is not None)
        for code in named:
            assert limit == setters[code.rpartition("-")[2]]
            assert f"at most {limit}" in codes[code]
    starts = {code: text for code, text in codes.items() if code.startswith("start-bitrate")}
    assert len(starts) == (not limits.untouched)
    for code, sentence in starts.items():
        kbps = int(re.findall(r"start within (\d+) kbit/s", sentence)[0])
        first = decision.inquiry.ladder.rungs[decision.kept[0]]
        assert (
            first.bandwidth <= kbps * 1000 + 999
            or "passed over" in str(codes)
            or ("start-lowest" in codes)
        )
        assert _start_source_is_true(code, kbps, sentence, profile, of)


def _start_source_is_true(code: str, kbps: int, sentence: str, profile: Profile, of: Facts) -> bool:
    if code == "start-bitrate-speed":
        word = {"hints": "hinted", "prior": "presumed"}
        speed = of.throughput
        return (
            speed is not None
            and word.get(speed.source, "measured") in sentence
            and kbps == int(speed.kbps * profile.headroom)
        )
    if of.throughput is not None or "no speed is known" not in sentence:
        return of.throughput is None and kbps == profile.start_bitrate_kbps
    if code == "start-bitrate-rule":
        at = int(re.findall(r"start\.rules\[(\d+)\]", sentence)[0])
        return kbps == START.rules[at].kbps <= (profile.start_bitrate_kbps or kbps)
    return kbps == DEFAULT_START_BANDWIDTH // 1000 and profile.start_bitrate_kbps is None
