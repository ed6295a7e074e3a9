"""Laws of the filter, on MPDs that nobody wrote by hand."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints, Rung, counted
from gateway.play.dash.edit import gone_of
from gateway.play.dash.ladder import offered, rungs_of
from manifests.codecs import CodecFamily, VideoRange
from manifests.dash.filtering import filter_splices
from manifests.dash.model import Mpd, Period
from manifests.dash.reading import parse
from manifests.dash.splices import apply, remove_element
from manifests.fault import ManifestError
from tests.property.mpds import independent_mpds, mpds

law = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
"""How many examples have nothing to play, and are discarded, is left to chance."""

FAMILIES = st.none() | st.frozensets(st.sampled_from(list(CodecFamily)), min_size=1, max_size=3)
RANGES = st.none() | st.frozensets(st.sampled_from(list(VideoRange)), min_size=1)
LIMITS = st.builds(
    Constraints,
    max_bandwidth=st.none() | st.integers(1, 3_000_000),
    max_height=st.none() | st.sampled_from([240, 360, 720, 1080]),
    min_height=st.none() | st.sampled_from([360, 720]),
    max_frame_rate=st.none() | st.sampled_from([24.0, 30.0]),
    wanted_codecs=FAMILIES,
    allowed_codecs=FAMILIES,
    device_codecs=FAMILIES,
    device_ranges=RANGES,
    immersive=st.booleans(),
    screen=st.sampled_from([True, True, True, False]),
    min_rungs=st.integers(1, 3),
)


def filtered(mpd: Mpd, limits: Constraints) -> bytes:
    """The MPD for a client; its URIs as they are. Discards the example when there is none."""
    try:
        kept = fit_all(rungs_of(mpd), limits).kept
    except NothingToPlayError:
        assume(False)
        raise
    return apply(mpd.document, filter_splices(mpd, gone_of(mpd, kept, limits)))


def parsed(text: str) -> Mpd:
    """The MPD; discards the example when nothing can play it."""
    try:
        return parse(text.encode())
    except ManifestError:
        assume(False)
        raise


def ids(period: Period) -> list[str]:
    """The ids of the Representations of a Period, which are unique in what ``mpds`` makes."""
    return [each.id for found in period.adaptation_sets for each in found.representations]


def types(period: Period) -> set[tuple[str, bool]]:
    """The types of media that a Period has, without trick mode."""
    return {
        (found.content_type, found.is_thumbnails)
        for found in period.adaptation_sets
        if found.representations and not found.is_trick_mode
    }


def dangling(period: Period) -> set[str]:
    """What is referred to in a Period, and is not there."""
    sets = {found.id for found in period.adaptation_sets}
    every = [each for found in period.adaptation_sets for each in found.representations]
    wanted = {name for each in every for name in (*each.dependency_ids, *each.association_ids)}
    dangles = wanted - {each.id for each in every}
    lists = [
        element.attributes.get("preselectionComponents", "") for element in period.preselections
    ]
    lists += [element.attributes.get("contains", "") for element in period.subsets]
    lists += [
        each.value.replace(",", " ")
        for found in period.adaptation_sets
        for each in (*found.essential, *found.supplemental)
        if each.scheme.endswith(("switching:2016", "trickmode"))
    ]
    return dangles | {f"set {name}" for text in lists for name in text.split() if name not in sets}


@law
@given(mpds())
def test_keeping_everything_changes_nothing(text: str) -> None:
    """E15: the source's own bytes."""
    assert text.encode() == filtered(parsed(text), Constraints(untouched=True))


@law
@given(mpds(), LIMITS)
def test_nothing_is_lost_and_nothing_dangles(text: str, limits: Constraints) -> None:
    """E6, E7: every Period has each type that it had, and refers to nothing that is gone."""
    before = parsed(text)
    assume(not ("trickmode" in text and "dependencyId" in text))
    after = parse(filtered(before, limits))
    for source, left in zip(before.periods, after.periods, strict=True):
        assert types(source) == types(left)
        assert dangling(left) <= dangling(source)
        assert set(ids(left)) <= set(ids(source))
        assert all(found.representations for found in left.adaptation_sets)


@law
@given(independent_mpds(), LIMITS)
def test_filtering_again_changes_nothing(text: str, limits: Constraints) -> None:
    """What comes out, used as a source, gives itself. Nothing depends on others here: what is put
    back for them may be of use to the second filter."""
    source = parsed(text)
    once = filtered(source, limits)
    assert once.decode() == filtered(parse(once), limits).decode()


@law
@given(mpds(), LIMITS)
def test_another_period_changes_nothing(text: str, limits: Constraints) -> None:
    """E10: after a Period has passed, the others have the same Representations."""
    source = parsed(text)
    assume(len(source.periods) > 1)
    first = remove_element(source.document, source.periods[0].element)
    later = parsed(apply(source.document, [first]).decode())
    kinds = [bool(rungs_of(mpd)) and rungs_of(mpd)[0].has_video for mpd in (source, later)]
    assume(kinds[0] == kinds[1])
    before, after = parse(filtered(source, limits)), parse(filtered(later, limits))
    assert [ids(period) for period in before.periods[1:]] == [ids(one) for one in after.periods]


@law
@given(independent_mpds(), LIMITS)
def test_caps_hold(text: str, limits: Constraints) -> None:
    """A Period has nothing above the caps if it has something within all limits that serves what
    others serve, and no other Representation needs one."""
    source = parsed(text)
    rungs = rungs_of(source)
    limits = replace(limits, min_height=None, min_rungs=1, screen=True)
    left = [set(ids(period)) for period in parse(filtered(source, limits)).periods]
    shown = [each.id for each in offered(source)]
    for number in {rung.period for rung in rungs}:
        period = [rung for rung in rungs if rung.period == number]
        if any(rung.serves for rung in period) or source.periods[number].preselections:
            continue
        if any(is_within(rung, limits) and is_playable(rung, limits) for rung in counted(period)):
            kept = [rung for rung in period if shown[rung.index] in left[number]]
            assert all(is_within(rung, limits) for rung in kept)


def is_within(rung: Rung, limits: Constraints) -> bool:
    """Whether a rung is within the caps."""
    cap, tallest = limits.max_bandwidth, limits.max_height
    return (cap is None or rung.bandwidth <= cap) and (
        tallest is None or rung.height is None or rung.height <= tallest
    )


def is_playable(rung: Rung, limits: Constraints) -> bool:
    """Whether every client plays it: H.264 in SDR, flat, and slow enough."""
    avc = frozenset({CodecFamily.AVC})
    lists: Sequence[frozenset[CodecFamily] | None] = (limits.wanted_codecs, limits.allowed_codecs)
    return (
        rung.uses_only(avc)
        and rung.video_range is VideoRange.SDR
        and not rung.immersive
        and all(names is None or CodecFamily.AVC in names for names in lists)
        and (limits.device_ranges is None or VideoRange.SDR in limits.device_ranges)
        and (limits.max_frame_rate is None or (rung.frame_rate or 0) <= limits.max_frame_rate)
    )
