"""Who asks is found out once, and again when the databases have changed."""

from pathlib import Path

import pytest

from gateway.cache import CLIENTS, PLAYERS
from gateway.client.address import TrustedProxies
from gateway.client.device import DeviceClassifier
from gateway.client.facts import DeviceKind
from gateway.play.clients import LONGEST_CHARS, ClientLookup
from gateway.play.request import Headers
from geodata.lookup import GeoLookup
from tests.unit.geodata.mmdb_files import write_mmdb

PROXY, SOMEBODY, NETWORK = "127.0.0.1", "81.2.69.142", "81.2.69.0/24"
CHROME = "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0"


def city(path: Path, country: str) -> Path:
    """A City database with one network, put in place in one step."""
    record = {"country": {"iso_code": country}}
    return write_mmdb(path.with_suffix(".new"), "GeoLite2-City", {NETWORK: record}).replace(path)


def clients(database: Path, classifier: DeviceClassifier) -> tuple[ClientLookup, GeoLookup]:
    """Behind one trusted proxy."""
    geo = GeoLookup(database)
    return ClientLookup(classifier, TrustedProxies.of([PROXY]), geo), geo


def test_a_sender_is_where_the_database_in_use_says(tmp_path: Path) -> None:
    """What is remembered ends with the database that it came from."""
    path = city(tmp_path / "city.mmdb", "US")
    both, geo = clients(path, DeviceClassifier())
    headers = Headers({}, (), (SOMEBODY,))
    first = both.sender(PROXY, headers)
    assert ("US", "81.2.69.0/24") == (first.place.country, first.prefix)
    city(path, "DE")
    assert both.sender(PROXY, headers) == first
    assert both.sender(PROXY, headers) is both.sender(PROXY, headers), "looked up once"
    geo.reload()
    assert "DE" == both.sender(PROXY, headers).place.country


@pytest.mark.parametrize(
    ("read", "prefix", "is_https"),
    [
        ({"forwarded", "x-forwarded-for"}, "192.0.2.0/24", True),
        ({"forwarded"}, "192.0.2.0/24", True),
        ({"x-forwarded-for"}, "81.2.69.0/24", False),
        (set(), "127.0.0.0/24", False),
    ],
)
def test_only_the_headers_that_proxies_set_are_read(
    tmp_path: Path, read: set[str], prefix: str, is_https: bool
) -> None:
    """What a client writes into the other one, and its proxy passes on, changes nothing."""
    geo = GeoLookup(city(tmp_path / "city.mmdb", "US"))
    clients = ClientLookup(DeviceClassifier(), TrustedProxies.of([PROXY]), geo, read)
    headers = Headers({}, ("for=192.0.2.2;proto=https",), (SOMEBODY,))
    assert prefix == clients.sender(PROXY, headers).prefix
    assert is_https == clients.is_https(PROXY, headers)


def test_senders_are_told_apart_by_all_that_names_them(tmp_path: Path) -> None:
    """The peer, and each of the two headers, line by line."""
    both, _ = clients(city(tmp_path / "city.mmdb", "US"), DeviceClassifier())
    asked = [
        (PROXY, Headers({}, (), (SOMEBODY,))),
        (PROXY, Headers({}, (), ("192.0.2.1",))),
        (PROXY, Headers({}, ("for=192.0.2.2",), (SOMEBODY,))),
        (PROXY, Headers({}, (), (SOMEBODY, "192.0.2.3"))),
        ("192.0.2.4", Headers({}, (), (SOMEBODY,))),
        (None, Headers({}, (), (SOMEBODY,))),
    ]
    for _ in range(2):
        prefixes = [both.sender(*one).prefix for one in asked]
        assert ["81.2.69.0/24", *["192.0.2.0/24"] * 4, ""] == prefixes


def test_a_player_is_worked_out_once_for_equal_headers(tmp_path: Path) -> None:
    """Every hint about the device counts. Headers that nobody reads do not, nor do network hints,
    which browsers vary on purpose."""
    both, _ = clients(city(tmp_path / "city.mmdb", "US"), DeviceClassifier())
    plain = Headers({"user-agent": CHROME, "accept-encoding": "gzip"})
    jittered = Headers({**plain.by_name, "downlink": "1.55", "host": "gateway.example"})
    android = {"sec-ch-ua-mobile": "?1", "sec-ch-ua-platform": '"Android"'}
    mobile = Headers({"user-agent": CHROME, **android})
    first = both.player(plain)
    assert both.player(plain) is first
    assert both.player(jittered) is first
    assert (DeviceKind.TABLET, "gzip") == (first.device.kind, first.coding)
    assert (DeviceKind.PHONE, "identity") == (
        both.player(mobile).device.kind,
        both.player(mobile).coding,
    )


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("user-agent", "x/1"),
        ("sec-ch-ua-mobile", "?1"),
        ("sec-ch-ua-platform", '"Windows"'),
        ("sec-ch-ua-platform-version", '"15"'),
        ("sec-ch-ua-model", '"SM-X200"'),
        ("sec-ch-ua-form-factors", '"Tablet"'),
        ("accept-encoding", "br"),
    ],
)
def test_players_are_told_apart_by_each_header(tmp_path: Path, header: str, value: str) -> None:
    """What one header says is not taken from a player that did not send it."""
    both, _ = clients(city(tmp_path / "city.mmdb", "US"), DeviceClassifier())
    plain = {"user-agent": CHROME}
    before = both.player(Headers(plain, (), ()))
    assert both.player(Headers({**plain, header: value}, (), ())) is not before


@pytest.mark.no_cover  # the same few lines very often
def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    """Neither long headers nor many players take more memory."""
    classifier = DeviceClassifier()
    both, _ = clients(city(tmp_path / "city.mmdb", "US"), classifier)
    long = Headers({"user-agent": "x" * (LONGEST_CHARS + 1)}, (), ())
    assert both.player(long) is not both.player(long)
    first = Headers({"user-agent": "player 0/1"}, (), ())
    before = both.player(first)
    assert both.player(first) is before
    for number in range(1, int(PLAYERS.capacity) + 1):
        both.player(Headers({"user-agent": f"player {number}/1"}, (), ()))
    assert both.player(first) is not before


@pytest.mark.no_cover  # the same few lines very often
def test_so_are_clients(tmp_path: Path) -> None:
    """Neither long headers nor many addresses take more memory. A client that is refused before its
    place is needed is not looked up."""
    both, _ = clients(city(tmp_path / "city.mmdb", "US"), DeviceClassifier())
    long = Headers({}, (), (f"{'192.0.2.1, ' * (LONGEST_CHARS // 11 + 1)}{SOMEBODY}",))
    assert both.sender(PROXY, long) == both.sender(PROXY, long)
    assert both.sender(PROXY, long) is not both.sender(PROXY, long)
    first = Headers({}, (), (SOMEBODY,))
    before = both.sender(PROXY, first)
    for number in range(int(CLIENTS.capacity) + 1):
        both.network(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", Headers({}, (), ()))
    assert both.sender(PROXY, first) is not before
    assert both.sender(PROXY, first) == before
