"""Whatever a player drops, it starts right: laws of the order of entries (rule B4).

The ladders are regular, as packagers make them, but for entries that are missing: every size in
several codecs and ranges, for several audio groups, on several pathways, with backups.
"""

from collections.abc import Callable, Sequence
from itertools import product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ladder.fit import fit
from gateway.ladder.rung import Constraints, Rung, counted
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import rungs_of
from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import MultivariantPlaylist, Variant, parse, write

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIZES = {"640x360": 500, "960x540": 1500, "1280x720": 3000}
LOOKS = {  # codecs, further attributes, share of the bit rate of H.264
    "avc": ("avc1.64001f", "", 1.0),
    "hevc": ("hvc1.1.6.L120.90", "", 0.6),
    "hevc-pq": ("hvc1.2.4.L150.B0", "VIDEO-RANGE=PQ", 0.7),
    "bare": ("", "", 1.0),
    "new": ("avc1.64001f", "VIDEO-RANGE=XDR", 0.9),
    "protected": ("avc1.64001f", "HDCP-LEVEL=TYPE-0", 1.1),
}
SOUNDS = {"aac": ("mp4a.40.2", 64), "ac3": ("ac-3", 384), "muxed": ("mp4a.40.2", 96)}
PLAYERS: dict[str, Callable[[Variant], bool]] = {
    "without AC-3": lambda entry: "ac-3" not in entry.codecs,
    "without AAC": lambda entry: "mp4a.40.2" not in entry.codecs,
    "without HEVC": lambda entry: CodecFamily.HEVC not in entry.families,
    "without H.264": lambda entry: CodecFamily.AVC not in entry.families,
    "without HDR": lambda entry: entry.video_range is VideoRange.SDR,
    "without HDCP": lambda entry: entry.hdcp_level in {None, "NONE"},
    "that ignores unknown values": lambda entry: not entry.is_ignored,
    "without steering, on one pathway": lambda entry: entry.pathway != "B",
}


def entry_of(look: str, size: str, sound: str, pathway: str, copy: str) -> str:
    """One EXT-X-STREAM-INF and its URI."""
    video, more, share = LOOKS[look]
    audio, audio_kbps = SOUNDS[sound]
    kbps = round(SIZES[size] * share) + audio_kbps
    attributes = [
        f"BANDWIDTH={kbps * 1000}",
        f"RESOLUTION={size}",
        f'CODECS="{video},{audio}"' if video else "",
        more,
        "" if sound == "muxed" else f'AUDIO="{sound}{pathway}"',
        f'PATHWAY-ID="{pathway}"' if pathway else "",
    ]
    uri = f"{look}/{size}/{sound}/{pathway}/{copy}"
    return f"#EXT-X-STREAM-INF:{','.join(filter(None, attributes))}\n{uri}"


def some(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """One or more of these."""
    return st.lists(st.sampled_from(values), min_size=1, unique=True)


@st.composite
def ladders(draw: st.DrawFn, *, whole: bool = False) -> str:
    """A ladder in any order; unless it is ``whole``, some entries are missing."""
    pathways = draw(st.sampled_from([[""], [""], ["A", "B"]]))
    axes = (
        draw(some([*LOOKS])),
        draw(some([*SIZES])),
        draw(some([*SOUNDS])),
        pathways,
        draw(st.sampled_from([["one"], ["one"], ["one", "two"]])),
    )
    entries = draw(st.permutations([entry_of(*each) for each in product(*axes)]))
    if not whole:
        entries = entries[: draw(st.integers(1, len(entries)))]
    lines = ["#EXTM3U"]
    for sound, pathway in product(("aac", "ac3"), pathways):
        lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{sound}{pathway}",NAME="n",URI="u"')
    if pathways != [""]:
        home = draw(st.sampled_from(pathways))
        lines.append(f'#EXT-X-CONTENT-STEERING:SERVER-URI="s",PATHWAY-ID="{home}"')
    return "\n".join([*lines, *entries, ""])


starts = st.integers(0, 4_000_000)
players = st.lists(st.sampled_from([*PLAYERS]), unique=True)


def read(text: str) -> MultivariantPlaylist:
    """The playlist of a text."""
    return parse(text.encode())


def ordered(playlist: MultivariantPlaylist, start: int) -> list[Rung]:
    """The entries as they are listed."""
    home = playlist.steering.pathway if playlist.steering else None
    rungs = rungs_of(playlist)
    return [rungs[at] for at in fit(rungs, Constraints(start_bandwidth=start), home).kept]


def start_of(group: Sequence[Rung], start: int) -> int:
    """The bit rate to start on in one group: the highest within ``start``, else the lowest."""
    rates = [rung.bandwidth for rung in group]
    return max([rate for rate in rates if rate <= start], default=min(rates))


def plays(playlist: MultivariantPlaylist, rung: Rung, player: Sequence[str]) -> bool:
    """Whether a player keeps an entry."""
    return all(PLAYERS[name](playlist.variants[rung.index]) for name in player)


@law
@given(ladders(), starts, players)
def test_whatever_is_dropped_the_first_that_is_left_is_a_start_rung(
    text: str, start: int, player: list[str]
) -> None:
    """B4: among the entries with the same audio, codecs and pathway there is no better start."""
    playlist = read(text)
    entries = ordered(playlist, start)
    heeded = counted(entries)
    left = [rung for rung in heeded if plays(playlist, rung, player)]
    if left:
        group = [
            rung
            for rung in heeded
            if (rung.audio_group, rung.pathway) == (left[0].audio_group, left[0].pathway)
            and rung.playability == left[0].playability
        ]
        assert start_of(group, start) == left[0].bandwidth


@law
@given(ladders(whole=True), starts, players)
def test_dropping_entries_is_like_never_having_had_them(
    text: str, start: int, player: list[str]
) -> None:
    """B4: in a ladder without gaps, the first that is left is as high as the first in the ladder of
    what is left."""
    playlist = read(text)
    entries = ordered(playlist, start)
    left = [rung for rung in counted(entries) if plays(playlist, rung, player)]
    if left:
        home = playlist.steering.pathway if playlist.steering else None
        again = fit(
            sorted(left, key=lambda rung: rung.index), Constraints(start_bandwidth=start), home
        )
        assert rungs_of(playlist)[again.kept[0]].height == left[0].height


@law
@given(ladders(), starts)
def test_pathways_are_listed_whole(text: str, start: int) -> None:
    """C2.6: the pathway on which steering starts comes first, and none comes twice."""
    playlist = read(text)
    pathways = [rung.pathway for rung in ordered(playlist, start)]
    changes = [one for one, other in zip(pathways, ["?", *pathways], strict=False) if one != other]
    assert len(set(changes)) == len(changes)
    home = playlist.steering.pathway if playlist.steering else None
    heeded = {rung.pathway for rung in counted(rungs_of(playlist))}
    assert home not in heeded or home == pathways[0]


@law
@given(ladders(), starts)
def test_copies_start_together(text: str, start: int) -> None:
    """A6.16: the backups of the first entry follow it, and copies keep their order everywhere."""
    playlist = read(text)
    entries = ordered(playlist, start)

    def copies(of: Rung) -> list[int]:
        key = (of.audio_group, of.pathway, of.playability, of.picture)
        return [
            at
            for at, rung in enumerate(entries)
            if key == (rung.audio_group, rung.pathway, rung.playability, rung.picture)
        ]

    first = copies(entries[0])
    assert first == list(range(len(first)))
    for rung in entries:
        indices = [entries[at].index for at in copies(rung)]
        assert indices == sorted(indices)


@law
@given(ladders(), starts)
def test_the_others_keep_their_order(text: str, start: int) -> None:
    """A11.5: on each pathway, start rungs and their copies come before the others, whose order is
    that of the source."""
    playlist = read(text)
    entries = ordered(playlist, start)
    heeded = {rung.index for rung in counted(entries)}
    for pathway in {rung.pathway for rung in entries}:
        there = [rung for rung in entries if rung.pathway == pathway]
        groups: dict[object, list[Rung]] = {}
        for rung in there:
            if rung.index in heeded:
                groups.setdefault((rung.audio_group, rung.playability), []).append(rung)
        moved = {
            rung.index
            for group in groups.values()
            for rung in group
            if rung.bandwidth == start_of(group, start)
        }
        indices = [rung.index for rung in there]
        assert set(indices[: len(moved)]) == moved
        assert indices[len(moved) :] == sorted(indices[len(moved) :])


@law
@given(ladders(), starts, starts)
def test_a_faster_start_is_never_lower_here(text: str, one: int, other: int) -> None:
    """More speed never starts lower, in ladders with many groups either."""
    playlist = read(text)
    slow, fast = (ordered(playlist, start)[0].bandwidth for start in sorted((one, other)))
    assert slow <= fast


@law
@given(ladders(), starts)
def test_an_ordered_ladder_stays_as_it_is(text: str, start: int) -> None:
    """A11.5: fitting what was fitted changes no byte."""
    playlist = read(text)
    limits = Constraints(start_bandwidth=start)

    def once(source: MultivariantPlaylist) -> bytes:
        home = source.steering.pathway if source.steering else None
        return write(source, edit_of(source, fit(rungs_of(source), limits, home).kept, limits), str)

    assert once(playlist) == once(parse(once(playlist)))
