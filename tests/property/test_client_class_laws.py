"""Laws of client classes, on MPDs that nobody wrote by hand."""

from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.ladder.fit import NothingToPlayError
from gateway.ladder.periods import fit_all
from gateway.ladder.rung import Constraints
from gateway.play.dash.client_class import (
    EVERYTHING,
    ClientClass,
    as_read,
    class_limits,
    gone_for,
    read_class,
    sign_class,
)
from gateway.play.dash.edit import gone_of
from gateway.play.dash.manifest import DashManifest, read_dash
from gateway.source.source import BadSourceError
from gateway.trust.keys import KeyRing, SigningKey
from tests.property.mpds import mpds
from tests.property.test_dash_filter_laws import LIMITS

law = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
KEYS = KeyRing(SigningKey("k", b"s" * 32))


def read(text: str) -> DashManifest:
    """The MPD; discards the example when nothing can play it."""
    try:
        return read_dash(text.encode(), "x", 10**6)
    except BadSourceError:
        assume(False)
        raise


def kept_within(manifest: DashManifest, limits: Constraints) -> tuple[int, ...]:
    """The rungs that stay; discards the example when there are none."""
    try:
        return fit_all(manifest.ladder.rungs, limits).kept
    except NothingToPlayError:
        assume(False)
        raise


@law
@given(mpds(), LIMITS)
def test_a_class_gets_what_its_viewers_would_get(text: str, limits: Constraints) -> None:
    """The same Representations, also when its key has been written and read."""
    manifest = read(text)
    kept = kept_within(manifest, limits)
    gone = set(gone_of(manifest.mpd, kept, limits))
    found = class_limits(manifest, kept, limits)
    assert gone == gone_for(manifest, found)
    assert gone or not kept or found == EVERYTHING
    client = as_read(ClientClass(found, 2**64 - 1, 7, 3, single=True, start=123), "a/b")
    assert client == read_class(KEYS, sign_class(KEYS, client, "a/b"), "a/b")
    assert gone == gone_for(manifest, client.limits)


@law
@given(mpds(), LIMITS, st.integers(0, 30))
def test_caps_that_lead_to_the_same_are_one_class(
    text: str, limits: Constraints, number: int
) -> None:
    """Between two bit rates that the MPD lists, a cap makes no difference, whatever other limits
    there are."""
    manifest = read(text)
    listed = sorted(bandwidths(manifest))
    assume(listed and manifest.ladder.rungs)
    low = listed[number % len(listed)]
    above = [each for each in listed if each > low]
    found = set()
    for cap in (low, min(above, default=10**9) - 1):
        own = replace(limits, max_bandwidth=cap)
        found.add(class_limits(manifest, kept_within(manifest, own), own))
    assert 1 == len(found)


def bandwidths(manifest: DashManifest) -> set[int]:
    """All that the MPD lists, of audio as well."""
    return {
        each.bandwidth
        for period in manifest.mpd.periods
        for sets in period.adaptation_sets
        for each in sets.representations
        if each.bandwidth is not None
    }
