"""The fit on playlists that others wrote: nothing is lost, nothing dangles, nothing is empty."""

from pathlib import Path

import pytest

from gateway.ladder.fit import NothingToPlayError, fit
from gateway.ladder.rung import Constraints
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import rungs_of
from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import MultivariantPlaylist, parse, write
from tests.corpus.served import served

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "hls"
FILES = served(CORPUS, "*.m3u8", parse)

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"NOT RUN: the playlist corpus is not at {CORPUS}"
)

BOM = b"\xef\xbb\xbf"
AVC, HEVC = frozenset({CodecFamily.AVC}), frozenset({CodecFamily.HEVC})
SDR = frozenset({VideoRange.SDR})
CLIENTS = {
    "slow phone": Constraints(200_000, 240, immersive=False, device_codecs=AVC, device_ranges=SDR),
    "nobody known": Constraints(2_500_000, 1080, immersive=False),
    "HEVC television": Constraints(max_height=1080, device_codecs=HEVC, device_ranges=SDR),
    "tvOS": Constraints(8_000_000, 2160, audio_only=False, immersive=False),
    "headset": Constraints(20_000_000, allowed_codecs=HEVC),
    "asks for HEVC": Constraints(1_200_000, wanted_codecs=HEVC),
    "asks for 720p": Constraints(600_000, min_height=720, min_rungs=2),
    "least": Constraints(max_bandwidth=1, max_height=1, max_frame_rate=1.0, start_bandwidth=1),
    "operator's three": Constraints(max_bandwidth=1, min_rungs=3, allowed_ranges=SDR),
}


def fitted(playlist: MultivariantPlaylist, limits: Constraints) -> bytes:
    """The playlist for a client; its URIs as they are."""
    home = playlist.steering.pathway if playlist.steering else None
    kept = fit(rungs_of(playlist), limits, home).kept
    return write(playlist, edit_of(playlist, kept, limits), str)


def dangling(playlist: MultivariantPlaylist) -> set[tuple[str, str]]:
    """The groups that are referred to and not there."""
    here = {(rendition.type, rendition.group_id) for rendition in playlist.renditions}
    entries = (*playlist.variants, *playlist.iframes)
    return {group for entry in entries for group in entry.groups} - here


def test_there_is_something_to_try() -> None:
    """Most of the corpus can be served."""
    assert len(FILES) > 200


@pytest.mark.parametrize("name", FILES)
def test_keeping_everything_is_lossless(name: str) -> None:
    """A2.2: a profile that keeps everything gives the same bytes."""
    data = (CORPUS / name).read_bytes()
    assert data.removeprefix(BOM).lstrip() == fitted(parse(data), Constraints(untouched=True))


@pytest.mark.parametrize("name", FILES)
def test_every_client_gets_a_ladder(name: str) -> None:
    """A11: for each kind of client at least one variant, no new dangling reference, and the same
    again when it is fitted again."""
    source = parse((CORPUS / name).read_bytes())
    for client, limits in CLIENTS.items():
        try:
            data = fitted(source, limits)
        except NothingToPlayError:
            assert limits.wanted_codecs is not None
            continue
        after = parse(data)
        assert after.variants, client
        assert dangling(after) <= dangling(source), client
        assert data == fitted(after, limits), client
        if after.steering and after.steering.pathway in {
            entry.pathway for entry in source.variants
        }:
            assert after.steering.pathway in {entry.pathway for entry in after.variants}, client


@pytest.mark.parametrize("name", FILES)
def test_scores_and_captions_stay_consistent(name: str) -> None:
    """A6.3, A6.12: SCORE and CLOSED-CAPTIONS=NONE stay on all or on none where they were so."""
    source = parse((CORPUS / name).read_bytes())
    after = parse(fitted(source, CLIENTS["slow phone"]))
    for asked in ("A6.3", "A6.12"):
        before_broken = {fault.rule for fault in source.faults} & {asked}
        after_broken = {fault.rule for fault in after.faults} & {asked}
        assert after_broken <= before_broken
