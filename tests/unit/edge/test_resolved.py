"""Tests of :mod:`gateway.edge.resolved`: from records of a name to edges."""

import pytest

from gateway.edge.edge import Edge
from gateway.edge.fleet import Fleet
from gateway.edge.rank import ordered_edges, ranked_tiers
from gateway.edge.resolved import (
    MAX_RECORDS,
    DnsQuestion,
    DnsRecord,
    EdgeTemplate,
    KnownRecords,
    after_answer,
    edges_of,
    is_usable,
)
from geodata.place import UNKNOWN

LONG = "a-host-with-quite-a-long-name.in-a-zone-with-a-long-name-too.example.com"


def template(url: str = "http://edges.example.com/v/", weight: int = 100) -> EdgeTemplate:
    """A template with all values of an edge."""
    edge = Edge("eu", url, 50.0, 8.0, weight=weight, fallback=True, health_url=f"{url}healthz")
    return EdgeTemplate(edge, DnsQuestion("edges.example.com", "A"))


URLS = [
    ("IPv4", "http://e.example/v/", DnsRecord("192.0.2.1"), "eu-192.0.2.1", "http://192.0.2.1/v/"),
    (
        "the template's port stays",
        "http://e.example:8080/v/",
        DnsRecord("192.0.2.1"),
        "eu-192.0.2.1",
        "http://192.0.2.1:8080/v/",
    ),
    (
        "IPv6 in brackets",
        "http://e.example:8080/",
        DnsRecord("2001:db8::1"),
        "eu-2001-db8--1",
        "http://[2001:db8::1]:8080/",
    ),
    (
        "SRV: host and port are the record's",
        "https://e.example:8080/v/",
        DnsRecord("n1.example.com", 8443),
        "eu-n1.example.com-8443",
        "https://n1.example.com:8443/v/",
    ),
    (
        "SRV: the scheme's own port is left out",
        "https://e.example:8080/v/",
        DnsRecord("n1.example.com", 443),
        "eu-n1.example.com",
        "https://n1.example.com/v/",
    ),
    (
        "an id that is too long ends with a digest",
        "https://e.example/",
        DnsRecord(LONG, 443),
        "eu-a-host-with-quite-a-long-name.in-a-zone-with-a-long--254bcafe",
        f"https://{LONG}/",
    ),
]


@pytest.mark.parametrize(
    ("url", "record", "edge_id", "made"), [row[1:] for row in URLS], ids=[row[0] for row in URLS]
)
def test_a_record_gives_an_edge(url: str, record: DnsRecord, edge_id: str, made: str) -> None:
    """The id and url come from the record, all other values from the template."""
    (edge,) = edges_of(template(url), KnownRecords((record,)))
    assert (edge_id, made) == (edge.id, edge.url)
    assert len(edge.id) <= 64
    assert ("eu", 50.0, True, f"{made}healthz") == (
        edge.template,
        edge.latitude,
        edge.fallback,
        edge.health_url,
    )


def test_long_ids_differ_where_hosts_do() -> None:
    """Ids that are cut stay different."""
    records = tuple(DnsRecord(f"{LONG}.{end}", 443) for end in ("a", "b"))
    assert 2 == len({edge.id for edge in edges_of(template(), KnownRecords(records))})


WEIGHTS = [
    ("100 is the template's own", 50, [100, 200, 10], [50, 100, 5]),
    ("no weights: all are equal", 50, [0, 0, 0], [50, 50, 50]),
    ("0 among others is a very small chance", 50, [0, 100, 100], [1, 50, 50]),
    ("small ones are never none", 10, [1, 1, 1], [1, 1, 1]),
]


@pytest.mark.parametrize(
    ("weight", "given", "expected"), [row[1:] for row in WEIGHTS], ids=[row[0] for row in WEIGHTS]
)
def test_weights_of_srv(weight: int, given: list[int], expected: list[int]) -> None:
    """SRV weights scale the template's weight (RFC 2782)."""
    records = tuple(DnsRecord(f"n{at}.example", 443, 1, each) for at, each in enumerate(given))
    assert expected == [
        edge.weight for edge in edges_of(template(weight=weight), KnownRecords(records))
    ]


def test_only_the_lowest_priority_is_used() -> None:
    """Only the records with the lowest priority are used."""
    records = (DnsRecord("spare.example", 443, 20, 5), DnsRecord("first.example", 443, 10, 5))
    assert ["eu-first.example"] == [
        edge.id
        for edge in edges_of(template("https://e.example/"), KnownRecords(tuple(sorted(records))))
    ]


USABLE = [
    (DnsRecord("192.0.2.1"), True),
    (DnsRecord("2001:db8::1"), True),
    (DnsRecord("0.0.0.0"), False),
    (DnsRecord("::"), False),
    (DnsRecord("224.0.0.1"), False),
    (DnsRecord("255.255.255.255"), False),
    (DnsRecord("fe80::1%eth0"), False),
    (DnsRecord("169.254.169.254"), False),
    (DnsRecord("::ffff:169.254.169.254"), False),
    (DnsRecord("::ffff:0.0.0.0"), False),
    (DnsRecord("fe80::1"), False),
    (DnsRecord("n1.example.com", 443), True),
    (DnsRecord("_n1.example.com", 443), True),
    (DnsRecord("n1.example.com", 0), False),
    (DnsRecord("n1.example.com", 65536), False),
    (DnsRecord('a"b.example.com', 443), False),
    (DnsRecord("a b.example.com", 443), False),
    (DnsRecord("a/../b", 443), False),
    (DnsRecord("", 443), False),
    (DnsRecord("a" * 64 + ".example", 443), False),
    (DnsRecord(".".join(["abcdefgh"] * 29), 443), False),
]


@pytest.mark.parametrize(("record", "expected"), USABLE, ids=[repr(row[0]) for row in USABLE])
def test_usable_records(record: DnsRecord, expected: bool) -> None:
    """A usable record has a host allowed in URLs, and a valid port."""
    assert expected is is_usable(record)


A, B = DnsRecord("192.0.2.1"), DnsRecord("192.0.2.2")
HEARD = [
    ("the first answer", KnownRecords(), [B, A, A], 0.0, KnownRecords((A, B))),
    ("a new one", KnownRecords((A,)), [B], 0.0, KnownRecords((B,))),
    ("nothing, and nothing before", KnownRecords(), [], 0.0, KnownRecords(())),
    ("nothing any more: kept at first", KnownRecords((A,)), [], 5.0, KnownRecords((A,), 5.0)),
    ("nothing for a while: kept", KnownRecords((A,), 5.0), [], 64.9, KnownRecords((A,), 5.0)),
    ("nothing for too long: gone", KnownRecords((A,), 5.0), [], 65.0, KnownRecords((), 5.0)),
    ("something again", KnownRecords((A,), 5.0), [A], 64.9, KnownRecords((A,))),
]


@pytest.mark.parametrize(
    ("known", "records", "now_s", "expected"), [row[1:] for row in HEARD], ids=[r[0] for r in HEARD]
)
def test_what_is_known_after_an_answer(
    known: KnownRecords, records: list[DnsRecord], now_s: float, expected: KnownRecords
) -> None:
    """Records are kept for a minute of empty answers."""
    assert expected == after_answer(known, records, now_s, keep_s=60.0)


def test_an_answer_is_bounded() -> None:
    """The number of records is bounded, and their order does not matter."""
    many = [DnsRecord(f"10.0.{at // 256}.{at % 256}") for at in range(1000)]
    known = after_answer(KnownRecords(), many, 0.0, 60.0)
    assert known == after_answer(KnownRecords(), many[::-1], 0.0, 60.0)
    assert MAX_RECORDS == len(known.records or ())


def test_before_the_first_answer_the_template_serves() -> None:
    """Before the first answer, the template itself is the edge."""
    made = template()
    assert (made.edge,) == edges_of(made, KnownRecords())
    assert () == edges_of(made, KnownRecords(()))


def test_an_address_that_leaves_moves_its_own_share_only() -> None:
    """When one of 10 addresses goes, a tenth of the viewers move."""
    records = tuple(DnsRecord(f"192.0.2.{at}") for at in range(10))
    before, after = (
        Fleet.of(edges_of(template(), KnownRecords(some))) for some in (records, records[1:])
    )
    gone = "eu-192.0.2.0"
    moved = 0
    ranked = [ranked_tiers(fleet, UNKNOWN, 0) for fleet in (before, after)]
    for viewer in range(2000):
        was, now = (
            fleet.edges[ordered_edges(fleet, tier, "film", f"v{viewer}")[0]].id
            for fleet, tier in zip((before, after), ranked, strict=True)
        )
        assert was in {gone, now}
        moved += was != now
    assert 150 < moved < 250
