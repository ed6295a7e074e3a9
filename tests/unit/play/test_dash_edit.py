"""What stays of an MPD: the conformance cases, and what they do not show."""

import pytest

from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints
from gateway.play.dash.edit import gone_of, shape_of
from gateway.play.dash.ladder import ladder_of, rungs_of
from manifests.dash.filtering import filter_splices
from manifests.dash.needs import with_needs
from manifests.dash.reading import parse
from manifests.dash.splices import apply
from tests.conformance.dash_driver import CASES, filtered

HEAD = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" '
    'minBufferTime="PT2S" '
)
LIVE = (
    f'{HEAD} type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" '
    'publishTime="2026-01-01T00:00:00Z" minimumUpdatePeriod="PT2S">'
)
FILM = """<AdaptationSet id="1" mimeType="video/mp4" codecs="avc1.64001f">
<Representation id="a" bandwidth="300000" width="640" height="360"/>
<Representation id="b" bandwidth="900000" width="1280" height="720"/>
</AdaptationSet>"""
SPOT = FILM.replace('height="360"', 'height="540"')


def live(*periods: str) -> bytes:
    """A live MPD of these Periods, which are named by their content."""
    inner = [f'<Period id="{number}">{content}</Period>' for number, content in enumerate(periods)]
    return "\n".join([LIVE, *inner, "</MPD>"]).encode()


def test_the_conformance_cases_hold() -> None:
    """Every case that is served, as ``tests/conformance`` runs them one by one."""
    for case in CASES:
        if case.expected is not None:
            assert case.expected.decode() == filtered(case.source, case.limits).decode(), case.name


@pytest.mark.parametrize("limits", [Constraints(max_height=480), Constraints(max_bandwidth=1)])
def test_a_refresh_is_filtered_alike(limits: Constraints) -> None:
    """E10: one more Period comes, and later the first goes: what stayed of the others stays."""
    now = filtered(live(FILM), limits).decode()
    [film] = [line for line in now.splitlines() if "Representation" in line]
    for periods in [(FILM, SPOT), (SPOT, FILM), (FILM, FILM), (SPOT, FILM, SPOT)]:
        later = filtered(live(*periods), limits).decode()
        assert later.count(film) == periods.count(FILM)
        assert later.count("<Representation") == len(periods)


def test_the_ladder_keeps_its_version() -> None:
    """A refresh that lists other segments is the same ladder, so decisions are looked up again."""
    before, after = FILM, FILM.replace("<Rep", '<SegmentTemplate media="$Number$"/><Rep', 1)
    first, second = (ladder_of(parse(live(text))) for text in (before, after))
    assert first.version == second.version
    assert first.version != ladder_of(parse(live(SPOT))).version
    assert first.version != ladder_of(parse(live(FILM, FILM))).version


def test_an_early_live_mpd() -> None:
    """E1: a live programme may have a Period and nothing in it yet."""
    source = live("")
    assert () == rungs_of(parse(source))
    assert source == filtered(source, Constraints(max_height=240))


def test_chains_of_dependencies() -> None:
    """E7: layers are followed to their base, also in circles, and codecs count for all layers."""
    layers = [
        f'<Representation id="{at}" bandwidth="{at + 1}" codecs="{codec}" dependencyId="{on}"/>'
        for at, (on, codec) in enumerate([("2 x", "avc1.64001f"), ("0", "hev1"), ("1", "lvc1")])
    ]
    mpd = parse(live(f'<AdaptationSet mimeType="video/mp4">{"".join(layers)}</AdaptationSet>'))
    assert set() == with_needs(mpd, {0, 2})
    assert {0, 1, 2} == with_needs(mpd, {0, 1, 2})
    for rung in rungs_of(mpd):
        assert {"avc1.64001f", "hev1", "lvc1"} == set(rung.codecs)
        assert rung.other_video


def test_more_key_systems_than_exist_are_not_looked_at() -> None:
    """The names of what is served stay few, whatever a source lists."""
    sets = "".join(
        FILM.replace('id="1"', f'id="{at}"').replace(
            "<Rep", f'<ContentProtection schemeIdUri="urn:x:{at}"/><Rep', 1
        )
        for at in range(40)
    )
    assert {frozenset()} == {rung.serves for rung in rungs_of(parse(live(sets)))}


def test_trick_mode_alone_stays() -> None:
    """E6: no device takes away the only pictures of a title."""
    trick = '<EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode"/>'
    source = live(FILM.replace("<Rep", f"{trick}<Rep", 1))
    assert source == filtered(source, Constraints(screen=False))
    both = filtered(
        live(f"{FILM}{FILM.replace('<Rep', f'{trick}<Rep', 1)}"), Constraints(screen=False)
    )
    assert both.count(b"<AdaptationSet") == 1


def test_an_edit_knows_what_it_needs_of_the_fit() -> None:
    """A rung that the fit dropped is gone, and none of its Period that it kept."""
    mpd = parse(live(FILM, SPOT))
    kept = fit_all(rungs_of(mpd), Constraints(max_height=480)).kept
    assert (0, 2) == kept
    assert {1, 3} == gone_of(mpd, kept, Constraints(max_height=480))
    splices = filter_splices(mpd, {1, 3})
    assert apply(mpd.document, splices) == filtered(live(FILM, SPOT), Constraints(max_height=480))


SOUND = '<AdaptationSet id="2" contentType="audio" mimeType="audio/mp4">{}</AdaptationSet>'
LOUD = '<Representation id="s" bandwidth="96000"/><Representation id="t" bandwidth="384000"/>'


def test_what_the_limits_of_a_class_depend_on_besides_the_rungs() -> None:
    """Other audio is another shape, though the ladder is the same; other segments are not."""
    quiet = LOUD.partition("/>")[0] + "/>"
    ladders, shapes = set(), set()
    for sound in (quiet, LOUD):
        for number in (1, 2):
            template = f'<SegmentTemplate media="$Number$.m4s" startNumber="{number}"/>'
            mpd = parse(live(FILM.replace('">\n', f'">\n{template}', 1) + SOUND.format(sound)))
            ladders.add(ladder_of(mpd).version)
            shapes.add((sound, shape_of(mpd)))
    assert 1 == len(ladders)
    assert 2 == len(shapes) == len({shape for _, shape in shapes})
