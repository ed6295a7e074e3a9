"""Laws of the whole decision, under the rules that ship."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.client.facts import Capability, Device, DeviceKind, Facts, Limits, Throughput
from gateway.config.load import load
from gateway.decision import (
    Decision,
    Fitted,
    cache_keys,
    choose,
    decide,
    edges_for,
    reasons_of,
)
from gateway.edge.fleet import Fleet
from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.hls import bandwidths_of
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


def decided(facts: Facts, playlist: MultivariantPlaylist) -> Decision:
    """The decision; skips what the request itself rules out."""
    try:
        return decide(FLEET, facts, choose(SHIPPED, facts, bandwidths_of(playlist)), playlist)
    except NothingToPlayError:
        assume(False)
        raise


@law
@given(facts_of, playlists())
def test_every_request_has_an_answer(facts: Facts, playlist: MultivariantPlaylist) -> None:
    """Something to play, somewhere to play it from, and a printable reason for each step."""
    decision = decided(facts, playlist)
    assert decision.edit.variants
    assert edges_for(FLEET, decision, facts)
    choice = choose(SHIPPED, facts, bandwidths_of(playlist))
    reasons = reasons_of(SHIPPED, FLEET, facts, choice, decision, edges_for(FLEET, decision, facts))
    assert all(str(reason).isprintable() for reason in reasons)


@law
@given(facts_of, playlists())
def test_the_store_gives_back_what_it_got(facts: Facts, playlist: MultivariantPlaylist) -> None:
    """Writing and reading a decision loses nothing."""
    decision = decided(facts, playlist)
    ladder = Fitted(decision.edit, decision.reasons)
    assert ladder == ladder_from_bytes(ladder_to_bytes(ladder), playlist)
    assert decision.tiers == tiers_from_bytes(tiers_to_bytes(decision.tiers), FLEET)


@law
@given(facts_of, playlists(), speeds, speeds)
def test_faster_is_never_lower(
    facts: Facts, playlist: MultivariantPlaylist, one: int, other: int
) -> None:
    """Under the shipped rules, more speed lowers neither the top rung nor the first."""
    tops, firsts = [], []
    for kbps in sorted((one, other)):
        found = decided(replace(facts, throughput=Throughput(kbps, "query")), playlist)
        kept = [playlist.variants[index] for index in found.edit.variants]
        shown = [entry for entry in kept if not entry.has_unknown_req]
        tops.append(max(entry.bandwidth for entry in shown or kept))
        firsts.append(kept[0].bandwidth)
    assert sorted(tops) == tops
    assert sorted(firsts) == firsts


@law
@given(facts_of, facts_of, playlists())
def test_one_key_one_decision(one: Facts, other: Facts, playlist: MultivariantPlaylist) -> None:
    """Requests with the same key get the same decision."""
    merged = replace(one, device=replace(other.device, kind=one.device.kind), viewer=other.viewer)
    peaks = bandwidths_of(playlist)
    for facts in (other, merged):
        keys = {
            cache_keys(SHIPPED, FLEET, each, choose(SHIPPED, each, peaks), "v")
            for each in (one, facts)
        }
        assert len(keys) == 2 or decided(one, playlist) == decided(facts, playlist)


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
@given(facts_of, playlists(), st.data())
def test_mutated_ladders_are_refused_or_fit(
    facts: Facts, playlist: MultivariantPlaylist, choice: st.DataObject
) -> None:
    """Still something that can be served, or nothing, and never an exception."""
    decision = decided(facts, playlist)
    data = mutated(ladder_to_bytes(Fitted(decision.edit, decision.reasons)), choice)
    ladder = ladder_from_bytes(data, playlist)
    if ladder is not None:
        assert ladder.edit.variants
        assert set(ladder.edit.variants) <= set(range(len(playlist.variants)))
        assert ladder == ladder_from_bytes(ladder_to_bytes(ladder), playlist)


@law
@given(facts_of, playlists(), st.data())
def test_mutated_rankings_are_refused_or_fit(
    facts: Facts, playlist: MultivariantPlaylist, choice: st.DataObject
) -> None:
    """Still edges that can be named, or nothing, and never an exception."""
    decision = decided(facts, playlist)
    tiers = tiers_from_bytes(mutated(tiers_to_bytes(decision.tiers), choice), FLEET)
    if tiers is not None:
        assert edges_for(FLEET, replace(decision, tiers=tiers), facts)
        assert tiers == tiers_from_bytes(tiers_to_bytes(tiers), FLEET)


@law
@given(
    playlists(), st.binary() | st.text().map(str.encode) | anything.map(json.dumps).map(str.encode)
)
def test_garbage_is_no_decision(playlist: MultivariantPlaylist, data: bytes) -> None:
    """Arbitrary bytes and arbitrary JSON are none, and never an exception."""
    assert ladder_from_bytes(data, playlist) is None
    assert tiers_from_bytes(data, FLEET) is None
