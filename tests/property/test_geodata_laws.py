"""Laws of distances, cells and lookups that hold for every input."""

from ipaddress import IPv4Address, IPv6Address
from math import pi

from hypothesis import given
from hypothesis import strategies as st

from geodata.cell import RADIUS_CLASSES_KM, place_cell, snap
from geodata.distance import EARTH_RADIUS_KM, great_circle_km
from geodata.lookup import GeoLookup
from geodata.place import Place
from geodata.regions import CONTINENTS, COUNTRIES

EMBEDDED = GeoLookup()

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
places = st.builds(
    Place,
    status=st.just("found"),
    country=st.sampled_from([None, "US", "IN", "FJ"]),
    continent=st.sampled_from([None, *sorted(CONTINENTS)]),
    latitude=latitudes,
    longitude=longitudes,
    accuracy_km=st.floats(0, 20_015),
    asn=st.none() | st.integers(1, 2**32 - 1),
)


@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_is_symmetric_and_bounded(
    lat1: float, lon1: float, lat2: float, lon2: float
) -> None:
    """There is as far as back, never negative, never more than half way round."""
    there = great_circle_km(lat1, lon1, lat2, lon2)
    assert there == great_circle_km(lat2, lon2, lat1, lon1)
    assert 0 <= there <= pi * EARTH_RADIUS_KM


@given(latitudes, longitudes)
def test_distance_to_itself_is_zero(latitude: float, longitude: float) -> None:
    """A point is nowhere else."""
    assert great_circle_km(latitude, longitude, latitude, longitude) == 0


@given(places)
def test_snapping_stays_in_the_cell(place: Place) -> None:
    """Snapping keeps the key, and doing it twice is doing it once."""
    snapped = snap(place)
    assert place_cell(place) == place_cell(snapped)
    assert snapped == snap(snapped)


@given(places)
def test_a_snapped_circle_is_honest(place: Place) -> None:
    """The radius never shrinks, and covers the way from the centre to the point."""
    snapped = snap(place)
    assert place.latitude is not None
    assert place.longitude is not None
    assert place.accuracy_km is not None
    assert snapped.latitude is not None
    assert snapped.longitude is not None
    assert snapped.accuracy_km is not None
    moved = great_circle_km(place.latitude, place.longitude, snapped.latitude, snapped.longitude)
    assert moved <= 78.7
    assert snapped.accuracy_km >= max(place.accuracy_km, moved)
    assert snapped.accuracy_km in RADIUS_CLASSES_KM


@given(st.ip_addresses())
def test_every_address_has_a_place(ip: IPv4Address | IPv6Address) -> None:
    """No address raises; what is found is a known country with a point and a radius."""
    place = EMBEDDED.place(ip)
    assert place.status in ("found", "unknown")
    if place.status == "found":
        assert place.country is not None
        assert place.located
        home = COUNTRIES[place.country]
        assert (home.continent, home.radius_km) == (place.continent, place.accuracy_km)


@given(st.ip_addresses(v=4))
def test_a_carried_ipv4_address_is_where_it_is(ip: IPv4Address) -> None:
    """Mapped, 6to4 and Teredo addresses have the place of the IPv4 address inside."""
    number = int(ip)
    carriers = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x20010000 << 96 | number ^ 0xFFFFFFFF),
    ]
    assert [EMBEDDED.place(ip)] * 3 == [EMBEDDED.place(carrier) for carrier in carriers]
