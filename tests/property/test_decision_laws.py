"""Laws of the whole decision, under the rules that ship."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.client.facts import Capability, Device, DeviceKind, Facts, Limits, Throughput
from gateway.config.load import load
from gateway.decision import Choice, Decision, FittedLadder, Memo, decide, inquire
from gateway.edge.fleet import Fleet
from gateway.explanation import reasons_of
from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.rung import Constraints, Ladder
from gateway.play.hls.ladder import ladder_of
from gateway.store.caches.decision_wire import (
    ladder_from_bytes,
    ladder_to_bytes,
    tiers_from_bytes,
    tiers_to_bytes,
)
from geodata.place import NOT_LOOKED_UP, UNKNOWN, Continent, Place
from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import MultivariantPlaylist
from tests.property.test_ladder_laws import playlists, some

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHIPPED = load(environ={}).policy
FLEET = Fleet.of(SHIPPED.edges)
CONTINENTS: list[Continent] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"]

capabilities = st.builds(
    Capability,
    max_height=st.none() | st.sampled_from([360, 720, 1080, 2160]),
    max_frame_rate=st.none() | st.sampled_from([30.0, 60.0]),
    codecs=some(CodecFamily),
    video_ranges=some(VideoRange),
    spatial=st.booleans(),
    screen=st.booleans(),
)
devices = st.builds(
    Device,
    kind=st.sampled_from(DeviceKind),
    os=st.sampled_from([None, "tvOS", "Android"]),
    capability=capabilities,
)
places = st.sampled_from([UNKNOWN, NOT_LOOKED_UP]) | st.builds(
    Place,
    status=st.just("found"),
    country=st.sampled_from([None, "IN", "PK", "US", "FR"]),
    continent=st.none() | st.sampled_from(CONTINENTS),
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    accuracy_km=st.none() | st.floats(0, 25_000),
)
limits = st.builds(
    Limits,
    max_height=st.none() | st.sampled_from([270, 720, 2160]),
    min_height=st.none() | st.sampled_from([270, 720]),
    max_bitrate_kbps=st.none() | st.integers(1, 10_000),
    codecs=some(CodecFamily),
)
speeds = st.integers(0, 10**9)
facts_of = st.builds(
    Facts,
    asset=st.sampled_from(["film", "series/one"]),
    device=devices,
    place=places,
    throughput=st.none() | st.builds(Throughput, speeds, st.just("query")),
    save_data=st.booleans(),
    limits=limits,
    viewer=st.text(max_size=4),
)


ladders = playlists().map(lambda playlist: ladder_of(playlist, "v"))


def decided(facts: Facts, ladder: Ladder, memo: Memo | None = None) -> Decision:
    """The decision; skips what the request itself rules out."""
    try:
        memo = memo or Memo()
        return decide(inquire(SHIPPED, FLEET, facts, ladder, memo), memo)
    except NothingToPlayError:
        assume(False)
        raise


def half(decision: Decision) -> FittedLadder:
    """The half of a decision that follows from the ladder."""
    return FittedLadder(decision.choice, decision.kept, decision.ladder_reasons, decision.rungs)


@law
@given(facts_of, ladders)
def test_every_request_has_an_answer(facts: Facts, ladder: Ladder) -> None:
    """Something to play, somewhere to play it from, and a printable reason for each step."""
    decision = decided(facts, ladder)
    assert decision.kept
    assert decision.edges
    assert all(str(reason).isprintable() for reason in reasons_of(decision))


@law
@given(facts_of, ladders)
def test_the_store_gives_back_what_it_got(facts: Facts, ladder: Ladder) -> None:
    """Writing and reading a decision loses nothing."""
    decision = decided(facts, ladder)
    fitted = half(decision)
    assert fitted == ladder_from_bytes(ladder_to_bytes(fitted), fitted.choice, ladder)
    assert decision.tiers == tiers_from_bytes(tiers_to_bytes(decision.tiers), FLEET)


@law
@given(facts_of, playlists(), speeds, speeds)
def test_faster_is_never_lower(
    facts: Facts, playlist: MultivariantPlaylist, one: int, other: int
) -> None:
    """Under the shipped rules, more speed lowers neither the top rung nor the first."""
    tops, firsts = [], []
    for kbps in sorted((one, other)):
        measured = replace(facts, throughput=Throughput(kbps, "query"))
        found = decided(measured, ladder_of(playlist, "v"))
        kept = [playlist.variants[index] for index in found.kept]
        shown = [entry for entry in kept if not entry.is_ignored]
        tops.append(max(entry.bandwidth for entry in shown or kept))
        firsts.append(kept[0].bandwidth)
    assert sorted(tops) == tops
    assert sorted(firsts) == firsts


@law
@given(st.lists(facts_of, min_size=2, max_size=6), ladders)
def test_a_memo_changes_nothing(requests: list[Facts], ladder: Ladder) -> None:
    """What was worked out for other requests decides as if it were worked out afresh."""
    memo = Memo()
    first = requests[0]
    requests += [
        replace(first, device=replace(each.device, kind=first.device.kind), viewer=each.viewer)
        for each in requests[1:]
    ]
    for facts in requests:
        inquiry = inquire(SHIPPED, FLEET, facts, ladder, memo)
        try:
            fresh = decide(inquire(SHIPPED, FLEET, facts, ladder, Memo()), Memo())
        except NothingToPlayError:
            with pytest.raises(NothingToPlayError):
                decide(inquiry, memo)
            continue
        found = decide(inquiry, memo)
        assert (fresh.choice, fresh.kept, fresh.tiers) == (found.choice, found.kept, found.tiers)
        assert (fresh.edges, fresh.ladder_reasons) == (found.edges, found.ladder_reasons)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def mutated(data: bytes, choice: st.DataObject) -> bytes:
    """Some part of it replaced by anything."""
    found: Any = json.loads(data)
    here, at = found, choice.draw(st.sampled_from(sorted(found)))
    while isinstance(here[at], list) and here[at] and choice.draw(st.booleans()):
        here, at = here[at], choice.draw(st.integers(0, len(here[at]) - 1))
    here[at] = choice.draw(anything)
    return json.dumps(found).encode()


@law
@given(facts_of, ladders, st.data())
def test_mutated_ladders_are_refused_or_fit(
    facts: Facts, ladder: Ladder, choice: st.DataObject
) -> None:
    """Still something that can be served, or nothing, and never an exception."""
    fitted = half(decided(facts, ladder))
    data = mutated(ladder_to_bytes(fitted), choice)
    found = ladder_from_bytes(data, fitted.choice, ladder)
    if found is not None:
        assert found.kept
        assert set(found.kept) <= set(range(len(ladder.rungs)))
        assert found == ladder_from_bytes(ladder_to_bytes(found), fitted.choice, ladder)


@law
@given(facts_of, ladders, st.data())
def test_mutated_rankings_are_refused_or_fit(
    facts: Facts, ladder: Ladder, choice: st.DataObject
) -> None:
    """Still edges that can be named, or nothing, and never an exception."""
    decision = decided(facts, ladder)
    tiers = tiers_from_bytes(mutated(tiers_to_bytes(decision.tiers), choice), FLEET)
    if tiers is not None:
        decision.inquiry.tiers = tiers
        assert decide(decision.inquiry, Memo()).edges
        assert tiers == tiers_from_bytes(tiers_to_bytes(tiers), FLEET)


@law
@given(ladders, st.binary() | st.text().map(str.encode) | anything.map(json.dumps).map(str.encode))
def test_garbage_is_no_decision(ladder: Ladder, data: bytes) -> None:
    """Arbitrary bytes and arbitrary JSON are none, and never an exception."""
    assert ladder_from_bytes(data, CHOICE, ladder) is None
    assert tiers_from_bytes(data, FLEET) is None


CHOICE = Choice(SHIPPED.profiles["wifi"], None, Constraints(), "wifi")
