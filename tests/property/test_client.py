"""Laws of the facts about a client: hostile text never raises, and clients cannot claim trust."""

import math
import operator
import re
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import get_args
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.client import cmcd_dictionary
from gateway.client.address import TrustedProxies, resolve, viewer_prefix
from gateway.client.asset import AssetError, asset_id
from gateway.client.cmcd import MAX_FAULTS, Cmcd, parse_headers, parse_query
from gateway.client.cmcd_dictionary import MAX_PARTS, read_dictionary
from gateway.client.estimate import (
    MAX_BYTES,
    MAX_KBPS,
    MIN_KBPS,
    SampleSource,
    SessionEstimate,
)
from gateway.client.limits import ParameterError, parse_parameters
from gateway.client.prior import SLOTS, PriorSketch, rounded
from gateway.client.throughput import choose_throughput, with_measurement
from gateway.config.build import estimator_of, prior_config_of
from gateway.config.load import load

CONFIG = estimator_of(load(environ={}).settings)
PRIORS = prior_config_of(load(environ={}).settings)
TRUSTED = TrustedProxies.of(["10.0.0.0/8", "2001:db8:ffff::/48"])
HOSTILE = st.text(st.characters(codec="utf-8") | st.sampled_from('",;=()\\ \t:[]%_for0123.\ud800'))
CMCD_LIKE = st.lists(
    st.sampled_from(
        [
            "mtp",
            "sid",
            "v",
            "br",
            "nor",
            "=",
            ",",
            "(",
            ")",
            ";",
            '"',
            "\\",
            " ",
            "1",
            "2",
            "?0",
            "a",
        ]
    )
).map("".join)
CMCD_MEMBERS = st.from_regex(
    r"[ \t]?[a-z*][a-z0-9_.*-]{0,3}[ ]?(=(-?[0-9]{1,17}(\.[0-9]{0,3})?|\"[^\"]{0,5}\"|true|falsey"
    r"|\?1|\*?[A-Za-z!:/]{1,3}|[^,]{0,4}))?[ \t]*",
    fullmatch=True,
)
NUMBERS = st.none() | st.floats() | st.integers()
HOPS = st.ip_addresses().map(str) | st.sampled_from(
    ["10.0.0.1", "unknown", "_x", '"', "", "[", "="]
)


@given(HOSTILE | CMCD_LIKE)
@example('a="' + '\\"' * 4000)
@example("a=(" + "1;v=" * 2000)
@example("%22%2C" * 1300)
@example('"\\' * 4000 + "%2C")
def test_cmcd_never_raises(text: str) -> None:
    """Any text is read within bounds, and all values have their types."""
    for cmcd in (parse_query(text), parse_query("{" + text), parse_headers(text, text, text, text)):
        assert len(cmcd.faults) <= MAX_FAULTS
        assert len(cmcd.raw) <= 4 * MAX_PARTS
        assert "".join(cmcd.faults).isprintable()
        assert cmcd.speed_kbps is None or cmcd.speed_kbps >= 0
        assert (cmcd.version is None) == (cmcd == Cmcd(faults=cmcd.faults))
        repr(cmcd).encode()


MEMBERS = st.dictionaries(
    st.from_regex(r"com\.[a-z]{1,8}-[a-z]{1,8}", fullmatch=True),
    st.booleans()
    | st.integers(-(10**15) + 1, 10**15 - 1)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    max_size=20,
)


@given(MEMBERS)
def test_cmcd_that_follows_the_rules_is_read_back(members: dict[str, bool | int | str]) -> None:
    """A correct dictionary (D1.2) is read without faults."""

    cmcd = parse_query(dictionary(members))
    assert (members, ()) == (cmcd.raw, cmcd.faults)


def dictionary(members: dict[str, bool | int | str]) -> str:
    """A dictionary as the standard has it (D1.2)."""

    def written(value: bool | int | str) -> str:
        if isinstance(value, bool):
            return "" if value else "=?0"
        escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
        return f'="{escaped}"' if isinstance(value, str) else f"={value}"

    return ",".join(key + written(value) for key, value in members.items())


AS_ENCODE_URI = ";,/?:@&=+$-_.!~*'()#"
"""What JavaScript's ``encodeURI`` leaves as it is."""


@given(
    MEMBERS, st.sampled_from([quote_plus, partial(quote, safe=""), partial(quote, safe="!~*'()")])
)
def test_cmcd_that_is_encoded_twice_is_read_back(
    members: dict[str, bool | int | str], encode: Callable[[str], str]
) -> None:
    """A correct dictionary that was encoded once or twice more than it is decoded, by any encoder
    that encodes delimiters."""
    text = dictionary(members)
    for _ in range(2):
        text = encode(text)
        cmcd = parse_query(text)
        assert (members, ()) == (cmcd.raw, cmcd.faults)


@given(MEMBERS)
def test_cmcd_whose_quotes_are_encoded_twice_is_read_back(
    members: dict[str, bool | int | str],
) -> None:
    """``encodeURI`` leaves the delimiters, and a plus sign, which is no space then."""
    kept = {key: each for key, each in members.items() if "+" not in str(each)}
    cmcd = parse_query(quote(dictionary(kept), safe=AS_ENCODE_URI))
    assert (kept, ()) == (cmcd.raw, cmcd.faults)


@given(st.lists(CMCD_MEMBERS | CMCD_LIKE).map(",".join))
@example("a," * (MAX_PARTS + 2))
@example("a=1," * (MAX_PARTS // 2 + 2))
@example("a=1," * (MAX_PARTS // 2 - 1) + "b,c=2,d")
@example("k" * 65)
@example("a=" + "b" * 257)
def test_cmcd_is_read_alike_at_once_and_part_by_part(text: str) -> None:
    """Reading a whole member at once gives the same as reading it part by part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cmcd_dictionary, "_PLAIN", re.compile("(?!)"))
        expected = read_dictionary(text)
    found = read_dictionary(text)
    assert expected == found
    assert list(map(repr, expected[0].items())) == list(map(repr, found[0].items()))


def refusal(query: bytes) -> str:
    """The error for a query; empty without one."""
    try:
        parse_parameters(query)
    except ParameterError as error:
        return str(error)
    return ""


@given(st.binary() | HOSTILE.map(lambda text: text.encode("utf-8", "replace")))
@example(b"speed=" + b"9" * 10_000)
def test_a_query_is_read_or_refused(query: bytes) -> None:
    """Any bytes give parameters, or a ParameterError that is safe to show."""
    for name in (b"", b"speed=", b"session=", b"codecs=", b"max_resolution=", b"fields=", b"CMCD="):
        said = refusal(name + query)
        assert said.isascii()
        assert said.isprintable()
        assert len(said) < 1000


@given(HOSTILE)
def test_an_asset_id_is_safe_or_refused(text: str) -> None:
    """An asset id needs no escaping and stays in its folder."""
    try:
        segments = asset_id(text).split("/")
    except AssetError:
        return
    assert all(segment not in ("", ".", "..") for segment in segments)
    assert text.isascii()


@given(HOSTILE, st.lists(HOSTILE), st.lists(HOSTILE))
def test_no_header_breaks_the_address(peer: str, forwarded: list[str], xff: list[str]) -> None:
    """Any headers and any peer give an address and reasons."""
    for sender in (peer, "10.0.0.1"):
        assert resolve(sender, forwarded, xff, TRUSTED).reasons


@given(st.lists(HOSTILE | HOPS, max_size=5), st.ip_addresses(), st.integers(0, 3), st.booleans())
def test_what_a_client_claims_never_counts(
    claims: list[str], client: IPv4Address | IPv6Address, proxies: int, lines: bool
) -> None:
    """The address that the first trusted proxy appended is found, whatever the client wrote."""
    seen = client.ipv4_mapped or client if isinstance(client, IPv6Address) else client
    if seen in TRUSTED:
        return
    node = f"[{client}]" if client.version == 6 else str(client)
    xff = [*claims, node, *["10.0.0.7"] * proxies]
    forwarded = [*claims, f'for="{node}:80"', *["for=10.0.0.7;proto=http"] * proxies]
    bare = ip_address(str(seen).partition("%")[0])
    join = list if lines else lambda hops: [", ".join(hops)]
    assert bare == resolve("10.0.0.1", [], join(xff), TRUSTED).ip
    assert bare == resolve("10.0.0.1", join(forwarded), [], TRUSTED).ip
    assert bare == resolve(str(client), claims, claims, TRUSTED).ip


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=5))
def test_an_untrusted_hop_ends_the_walk(hops: list[str]) -> None:
    """Elements to the left of the first untrusted address do not matter."""
    first = next((hop for hop in reversed(hops) if ip_address(hop) not in TRUSTED), None)
    expected = first or next(iter(hops), "10.0.0.1")
    assert ip_address(expected) == resolve("10.0.0.1", [], [",".join(hops)], TRUSTED).ip


@given(st.lists(st.ip_addresses(v=4).map(str), min_size=1), st.ip_addresses(v=4))
def test_membership_is_that_of_the_networks(cidrs: list[str], ip: IPv4Address) -> None:
    """The index gives the same as testing every network."""
    networks = [f"{IPv4Address(int(IPv4Address(cidr)) >> 20 << 20)}/12" for cidr in cidrs]
    trusted = TrustedProxies.of(networks)
    assert any(ip in network for network in trusted.networks) == (ip in trusted)


@given(st.ip_addresses())
def test_a_viewer_prefix_holds_its_address(ip: IPv4Address | IPv6Address) -> None:
    """The prefix is a network, and the address is in it."""
    bare = ip_address(str(ip).partition("%")[0])
    assert bare in TrustedProxies.of([viewer_prefix(bare)])


@given(
    st.integers(0, 2**32 - 1).map(IPv4Address)
    | st.builds(operator.and_, st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1)).map(
        IPv6Address
    )
)
@example(IPv6Address("::"))
@example(IPv6Address("0:0:1::"))
@example(IPv6Address("1:0:0:100::"))
@example(IPv6Address("1:2:3:ff::"))
def test_a_viewer_prefix_is_written_as_networks_are(ip: IPv4Address | IPv6Address) -> None:
    """Addresses in one network have the same prefix."""
    bits = 24 if ip.version == 4 else 56
    assert str(ip_network((ip, bits), strict=False)) == viewer_prefix(ip)


@given(
    st.ip_addresses(v=4).map(str) | st.from_regex(r"[0-9.]{1,18}|[0-9a-f:.]{2,45}", fullmatch=True)
)
@example("1.2.3.04")
@example("1.2.3.256")
@example("1.2.3.4\n")
@example("::ffff:1.2.3.4")
def test_an_address_is_what_the_standard_library_takes(text: str) -> None:
    """The network has exactly its own addresses; IPv4-mapped ones are IPv4."""
    expected: IPv4Address | IPv6Address | None
    try:
        expected = ip_address(text)
    except ValueError:
        expected = None
    if isinstance(expected, IPv6Address):
        expected = expected.ipv4_mapped or expected
    # An IPv4 address may have a port here, which the standard library does not take.
    assume(expected is not None or "." not in text or ":" not in text)
    assert expected == resolve(text, [], [], TRUSTED).ip


@given(
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.none() | HOSTILE,
    st.lists(st.floats(), max_size=9),
)
def test_a_chosen_speed_is_one_that_a_network_can_have(
    query: float | None,
    hint: float | None,
    mtp: float | None,
    downlink: float | None,
    ect: str | None,
    past: list[float],
) -> None:
    """Any numbers give a plausible speed or none, and never raise."""
    session = SessionEstimate()
    for kbps in past:
        session = session.updated(kbps, "cmcd", 1_800_000_000, CONFIG)
    chosen = choose_throughput(query, hint, mtp, session, downlink, ect, 1_800_000_000, CONFIG)
    assert chosen.reasons
    assert chosen.speed is None or MIN_KBPS <= chosen.speed.kbps <= MAX_KBPS
    kept = with_measurement(session, chosen.measured, 1_800_000_000, CONFIG)
    assert kept is None or kept == SessionEstimate.from_bytes(kept.to_bytes())


@given(
    st.floats(100, 100_000),
    st.lists(st.floats(0.8, 1.25), min_size=2, max_size=7),
    st.integers(0, 7),
    st.floats(MIN_KBPS, MAX_KBPS),
    st.integers(4, 120),
)
def test_one_outlier_never_leaves_the_others_range(
    level: float, factors: list[float], position: int, outlier: float, apart_s: int
) -> None:
    """One outlier among steady samples moves the estimate by the rise and fall factors at most."""
    steady = [level * factor for factor in factors]
    samples = [*steady[:position], outlier, *steady[position:]]
    estimate = SessionEstimate()
    for index, kbps in enumerate(samples):
        estimate = estimate.updated(kbps, "cmcd", 1000 + apart_s * index, CONFIG)
    found = estimate.at(1000 + apart_s * len(samples), CONFIG)
    assert found is not None
    least, most = min(steady) / CONFIG.fall_factor, max(steady) * CONFIG.rise_factor
    assert math.floor(least) <= found.kbps <= math.ceil(most) + 1
    assert 0 < found.confidence < 1


@given(st.binary(max_size=100))
def test_stored_garbage_is_a_session_or_none(data: bytes) -> None:
    """Any bytes from the store are read exactly or give None."""
    for stored in (data, b"\x01" + data, b"\x02" + data):
        estimate = SessionEstimate.from_bytes(stored)
        if estimate is not None:
            assert estimate == SessionEstimate.from_bytes(estimate.to_bytes())
        if stored.startswith(b"\x02"):
            assert estimate is None or estimate.to_bytes() == stored


estimate_samples = st.lists(
    st.tuples(
        st.integers(1_800_000_000, 1_800_007_200),
        st.sampled_from(get_args(SampleSource)),
        st.integers(MIN_KBPS, MAX_KBPS),
    ),
    max_size=20,
)


def _held(samples: list[tuple[int, SampleSource, int]]) -> SessionEstimate:
    estimate = SessionEstimate()
    for time_s, source, kbps in samples:
        estimate = estimate.updated(kbps, source, 1_800_007_200, CONFIG, time_s)
    return estimate


@given(estimate_samples, estimate_samples, estimate_samples)
def test_estimates_merge_in_any_order(
    one: list[tuple[int, SampleSource, int]],
    two: list[tuple[int, SampleSource, int]],
    three: list[tuple[int, SampleSource, int]],
) -> None:
    """Merging is commutative, associative and idempotent, and stays within its bounds."""
    a, b, c = map(_held, (one, two, three))
    ab, bc = a.merged(b, CONFIG), b.merged(c, CONFIG)
    assert a == _held(sorted(one)) == _held(sorted(one, reverse=True))
    assert ab == b.merged(a, CONFIG) == ab.merged(a, CONFIG)
    assert ab.merged(c, CONFIG) == a.merged(bc, CONFIG) == _held([*one, *two, *three])
    assert len(ab.to_bytes()) <= MAX_BYTES
    assert ab == SessionEstimate.from_bytes(ab.to_bytes())


@given(st.lists(st.dictionaries(st.integers(0, SLOTS - 1), st.floats(MIN_KBPS, MAX_KBPS))))
def test_a_sketch_counts_each_viewer_once(batches: list[dict[int, float]]) -> None:
    """Whatever is added, and however often: bits and viewers agree, and the bounds hold."""
    sketch = PriorSketch()
    for batch in batches:
        speeds = {slot: rounded(kbps) for slot, kbps in batch.items()}
        sketch = sketch.with_viewers(speeds)
        assert sketch is sketch.with_viewers(dict.fromkeys(speeds, MAX_KBPS))
    assert sketch.population == len({slot for batch in batches for slot in batch})
    assert sketch == PriorSketch.from_bytes(sketch.to_bytes())
    prior = sketch.prior_kbps(PRIORS)
    assert (prior is None) is (sketch.population < PRIORS.min_viewers)
    assert prior is None or MIN_KBPS <= prior <= MAX_KBPS


@given(st.binary(max_size=100), st.integers(0, 2**SLOTS - 1))
def test_stored_garbage_is_a_sketch_or_none(data: bytes, bits: int) -> None:
    """Any bytes from the store are read exactly or give None, and a sketch can be used."""
    for stored in (data, b"\x01" + bits.to_bytes(SLOTS // 8, "big") + data):
        sketch = PriorSketch.from_bytes(stored)
        if sketch is not None:
            assert stored == sketch.to_bytes()
            more = sketch.with_viewers({0: 5000})
            assert more == PriorSketch.from_bytes(more.to_bytes())
