"""Laws of the fit, on ladders that nobody wrote by hand."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.ladder.fit import Fit, NothingToPlayError, fit
from gateway.ladder.rung import Constraints, counted
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import is_skippable, rungs_of
from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import MultivariantPlaylist, parse, write

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CODECS = [
    "avc1.64001f,mp4a.40.2",
    "avc1.64001f,ec-3",
    "hvc1.2.4.L123.B0,mp4a.40.2",
    "dvh1.05.06,mp4a.40.2",
    "vvc1.1.L51.CQA,mp4a.40.2",
    "mp4a.40.2",
    "new1.1",
    "",
]
SIZES = ["426x240", "640x360", "720x1280", "1280x720", "1920x1080", ""]
MORE = [
    "",
    "",
    "FRAME-RATE=60.000",
    "FRAME-RATE=25",
    "VIDEO-RANGE=PQ",
    "VIDEO-RANGE=NEW",
    'REQ-VIDEO-LAYOUT="CH-STEREO"',
    'REQ-FUTURE="x"',
]
GROUPS = ["", "g", "h"]
KINDS = ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"]
PATHWAYS = ["", "", 'PATHWAY-ID="A"', 'PATHWAY-ID="B"']


def _joined(*items: str) -> str:
    return ",".join(filter(None, items))


def _named(name: str, value: str) -> str:
    return f'{name}="{value}"' if value else ""


# Few values, so that entries meet; drawn in few pieces, so that drawing is quick.
LOOKS = [
    _joined(_named("CODECS", codecs), f"RESOLUTION={size}" if size else "", more)
    for codecs in CODECS
    for size in SIZES
    for more in MORE
]
REFERENCES = [
    _joined(*(_named(kind, group) for kind, group in zip(KINDS, groups, strict=True)))
    for groups in product(GROUPS, repeat=len(KINDS))
]
MEDIA = [
    f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{group}",NAME="n"'
    + ("" if kind == "CLOSED-CAPTIONS" else ',URI="m"')
    for kind in KINDS
    for group in GROUPS[1:]
]


@st.composite
def attributes(draw: st.DrawFn, references: list[str]) -> str:
    """BANDWIDTH and what else an entry may say."""
    bandwidth = draw(st.integers(1, 12)) * 250_000
    others = (draw(st.sampled_from(values)) for values in (LOOKS, PATHWAYS, references))
    return _joined(f"BANDWIDTH={bandwidth}", *others)


@st.composite
def playlists(draw: st.DrawFn) -> MultivariantPlaylist:
    """A well-formed playlist: every group that may be referred to is there."""
    lines = ["#EXTM3U", *MEDIA]
    home = draw(st.sampled_from(["", "A", "B", "."]))
    if home:
        lines.append(f'#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="{home}"')
    for number, entry in enumerate(draw(st.lists(attributes(REFERENCES), min_size=1, max_size=7))):
        lines += [f"#EXT-X-STREAM-INF:{entry}", f"v{number}"]
    for number, entry in enumerate(draw(st.lists(attributes(["", 'VIDEO="g"']), max_size=3))):
        lines.append(f'#EXT-X-I-FRAME-STREAM-INF:{entry},URI="i{number}"')
    return parse("\n".join([*lines, ""]).encode())


def some(
    values: type[CodecFamily] | type[VideoRange],
) -> st.SearchStrategy[frozenset[object] | None]:
    """No limit, or a set of members."""
    return st.none() | st.frozensets(st.sampled_from(list(values)), min_size=1)


constraints = st.builds(
    Constraints,
    max_bandwidth=st.none() | st.integers(0, 3_100_000),
    max_height=st.none() | st.sampled_from([100, 240, 360, 720, 1080]),
    min_height=st.none() | st.sampled_from([240, 360, 720, 2160]),
    max_frame_rate=st.none() | st.sampled_from([24.0, 30.0, 60.0]),
    wanted_codecs=some(CodecFamily),
    allowed_codecs=some(CodecFamily),
    device_codecs=some(CodecFamily),
    allowed_ranges=some(VideoRange),
    device_ranges=some(VideoRange),
    immersive=st.booleans(),
    screen=st.booleans(),
    audio_only=st.booleans(),
    min_rungs=st.integers(1, 4),
    start_bandwidth=st.none() | st.integers(0, 3_100_000),
    untouched=st.booleans(),
)


def fitted(playlist: MultivariantPlaylist, limits: Constraints) -> tuple[Fit, bytes]:
    """What stays and how it is written; skips what the request itself rules out."""
    home = playlist.steering.pathway if playlist.steering else None
    try:
        found = fit(rungs_of(playlist), limits, home)
    except NothingToPlayError:
        assume(False)
        raise
    return found, write(playlist, edit_of(playlist, found.kept, limits), str)


def top(playlist: MultivariantPlaylist, found: Fit) -> int:
    """The bit rate of the best rung with pictures, else of the best."""
    rungs = [rung for rung in rungs_of(playlist) if rung.index in found.kept]
    return max(rung.bandwidth for rung in counted(rungs))


def dangling(playlist: MultivariantPlaylist) -> set[tuple[str, str]]:
    """The groups that are referred to and not there."""
    here = {(rendition.type, rendition.group_id) for rendition in playlist.renditions}
    entries = (*playlist.variants, *playlist.iframes)
    return {group for entry in entries for group in entry.groups} - here


@law
@given(playlists(), constraints)
def test_a_fitted_ladder_fits(playlist: MultivariantPlaylist, limits: Constraints) -> None:
    """A11.5: fitting what was fitted changes no byte."""
    _, once = fitted(playlist, limits)
    _, twice = fitted(parse(once), limits)
    assert once == twice


WITHOUT_A_SCREEN = {
    # The rung at home is not among those asked for, so it cannot stay.
    "home": """#EXTM3U
#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="A"
#EXT-X-STREAM-INF:BANDWIDTH=250000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=426x240
v0
#EXT-X-STREAM-INF:BANDWIDTH=250000,CODECS="hvc1.2.4.L123.B0",RESOLUTION=426x240,PATHWAY-ID="A"
v1
#EXT-X-STREAM-INF:BANDWIDTH=250000,CODECS="mp4a.40.2"
v2
""",
    # Beside a variant with video the others look like audio, and without it they do not.
    "looks": """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=250000,CODECS="avc1.64001f",RESOLUTION=426x240,VIDEO-RANGE=NEW
v0
#EXT-X-STREAM-INF:BANDWIDTH=250000
v1
#EXT-X-STREAM-INF:BANDWIDTH=500000
v2
""",
}


@pytest.mark.parametrize("name", WITHOUT_A_SCREEN)
def test_a_ladder_that_was_fitted_for_a_speaker_fits(name: str) -> None:
    """A11.5, where a rung that is removed decides what the others are taken for."""
    limits = Constraints(
        screen=False,
        wanted_codecs=frozenset({CodecFamily.AVC}) if name == "home" else None,
        device_ranges=frozenset({VideoRange.SDR}),
    )
    _, once = fitted(parse(WITHOUT_A_SCREEN[name].encode()), limits)
    assert 1 == once.count(b"STREAM-INF")
    assert once == fitted(parse(once), limits)[1]


@law
@given(playlists(), constraints)
def test_every_entry_is_listed_once(playlist: MultivariantPlaylist, limits: Constraints) -> None:
    """A11.1, A11.5: at least one entry, each once, and in source order when nothing may move."""
    found, _ = fitted(playlist, limits)
    assert found.kept
    assert len(set(found.kept)) == len(found.kept)
    assert not limits.untouched or sorted(found.kept) == list(found.kept)


@law
@given(playlists(), constraints)
def test_the_same_comes_out_again(playlist: MultivariantPlaylist, limits: Constraints) -> None:
    """Equal rungs and constraints give equal rungs and reasons."""
    assert fitted(playlist, limits) == fitted(playlist, replace(limits))


@law
@given(playlists(), constraints)
def test_no_group_dangles(playlist: MultivariantPlaylist, limits: Constraints) -> None:
    """A6.12, A11.2, A11.3: no reference without its group, no group that lost its references."""
    _, data = fitted(playlist, limits)
    after = parse(data)
    assert set() == dangling(after)
    named_before, named_after = (
        {group for entry in (*each.variants, *each.iframes) for group in entry.groups}
        for each in (playlist, after)
    )
    here = {(rendition.type, rendition.group_id) for rendition in after.renditions}
    assert set() == here & (named_before - named_after)


@law
@given(playlists(), constraints)
def test_an_iframe_playlist_of_each_family_stays(
    playlist: MultivariantPlaylist, limits: Constraints
) -> None:
    """A7.2: of each codec family of a variant that stays, if there is one that may be shown."""
    assume(limits.screen)
    _, data = fitted(playlist, limits)
    after = parse(data)
    ranges = [limits.device_ranges, limits.allowed_ranges]

    def of(each: MultivariantPlaylist) -> set[tuple[object, ...]]:
        return {
            (entry.pathway, entry.families)
            for entry in each.iframes
            if not is_skippable(entry)
            and (limits.immersive or entry.video_layout is None)
            and all(one is None or entry.video_range in one for one in ranges)
        }

    families = {(variant.pathway, variant.families) for variant in after.variants}
    served = {(entry.pathway, entry.families) for entry in after.iframes if not is_skippable(entry)}
    assert of(playlist) & families <= served


@law
@given(playlists(), constraints, st.integers(0, 3_100_000), st.integers(0, 3_100_000))
def test_a_higher_cap_never_lowers_the_top(
    playlist: MultivariantPlaylist, limits: Constraints, one: int, other: int
) -> None:
    """Other facts being equal, more bit rate is never worse."""
    less, _ = fitted(playlist, replace(limits, max_bandwidth=min(one, other)))
    more, _ = fitted(playlist, replace(limits, max_bandwidth=max(one, other)))
    assert top(playlist, less) <= top(playlist, more)


@law
@given(playlists(), constraints, st.integers(0, 3_100_000), st.integers(0, 3_100_000))
def test_a_faster_start_is_never_lower(
    playlist: MultivariantPlaylist, limits: Constraints, one: int, other: int
) -> None:
    """Other facts being equal, more speed never starts lower."""
    limits = replace(limits, untouched=False)
    less, _ = fitted(playlist, replace(limits, start_bandwidth=min(one, other)))
    more, _ = fitted(playlist, replace(limits, start_bandwidth=max(one, other)))
    slow, fast = (playlist.variants[found.kept[0]].bandwidth for found in (less, more))
    assert slow <= fast


@law
@given(playlists(), constraints)
def test_the_codecs_asked_for_are_all_there_is(
    playlist: MultivariantPlaylist, limits: Constraints
) -> None:
    """No variant with pictures names a video codec that the request did not."""
    found, _ = fitted(playlist, limits)
    wanted = limits.wanted_codecs
    rungs = [rung for rung in rungs_of(playlist) if rung.index in found.kept]
    assert wanted is None or all(rung.uses_only(wanted) for rung in rungs)


@law
@given(playlists(), constraints)
def test_steering_starts_where_there_is_a_variant(
    playlist: MultivariantPlaylist, limits: Constraints
) -> None:
    """C1.1: the pathway that steering names keeps a variant, if the request's codecs let it."""
    home = playlist.steering.pathway if playlist.steering else None
    rungs = [rung for rung in rungs_of(playlist) if rung.has_video and not rung.skippable]
    _, data = fitted(playlist, replace(limits, wanted_codecs=None))
    kept = {entry.pathway for entry in parse(data).variants}
    assert home in kept or home not in {rung.pathway for rung in rungs}


@law
@given(playlists())
def test_keeping_everything_changes_nothing(playlist: MultivariantPlaylist) -> None:
    """A2.2: without limits, and untouched, the output is the input."""
    found, data = fitted(playlist, Constraints(untouched=True))
    everything = tuple(range(len(playlist.variants)))
    assert (everything, ()) == (found.kept, found.reasons)
    assert parse(data) == playlist
