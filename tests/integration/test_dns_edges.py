"""Edges behind DNS names, with a real DNS server."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from dns.rcode import NOERROR, REFUSED, SERVFAIL
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.background.dns_edges import DnsEdges
from gateway.background.dns_lookup import Resolution, ResolutionError, look_up
from gateway.background.fleet import FleetKeeper
from gateway.config.discovery_settings import DnsSettings
from gateway.edge.edge import Edge
from gateway.edge.resolved import DnsQuestion, DnsRecord, EdgeTemplate
from gateway.observe import metrics
from tests.background import in_background
from tests.integration.dns_server import DnsServer, dns_server
from tests.integration.in_process import application, asking
from tests.ports import free_port
from tests.unit.store.servers import until

NAME = "edges.eu.example.com"
PATIENCE_S = 10.0
"""How long a test waits for an answer that comes."""

SETTINGS = {"timeout_ms": 400, "min_refresh_s": 1, "max_refresh_s": 2, "keep_empty_s": 1}
TEMPLATE = EdgeTemplate(Edge("eu", f"http://{NAME}/"), DnsQuestion(NAME, "A"))
HOME = Edge("home", "http://home.example/")


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    """A DNS server that knows two addresses of the name."""
    async with dns_server() as server:
        server.records[NAME, "A"] = ("192.0.2.1", "192.0.2.2")
        yield server


def srv(server: DnsServer) -> None:
    """Three SRV records, and one that is not there."""
    server.records[NAME, "SRV"] = ("10 60 8443 N1.example.com.", "10 40 443 n2.example.com.")


def alias(server: DnsServer) -> None:
    """The name is a CNAME of another name."""
    server.records["alias.example.com", "CNAME"] = (NAME,)


def only_tcp(server: DnsServer) -> None:
    """UDP answers are truncated."""
    server.only_tcp = True


def many(server: DnsServer) -> None:
    """More than fits into one UDP packet."""
    server.records[NAME, "A"] = tuple(f"10.0.0.{at}" for at in range(200))


def nothing(server: DnsServer) -> None:
    """No preparation."""


ANSWERS: list[tuple[str, Callable[[DnsServer], None], DnsQuestion, tuple[DnsRecord, ...]]] = [
    ("A", nothing, DnsQuestion(NAME, "A"), (DnsRecord("192.0.2.1"), DnsRecord("192.0.2.2"))),
    ("no such type", nothing, DnsQuestion(NAME, "AAAA"), ()),
    ("no such name", nothing, DnsQuestion("nowhere.example.com", "A"), ()),
    (
        "SRV, lower case",
        srv,
        DnsQuestion(NAME, "SRV"),
        (DnsRecord("n1.example.com", 8443, 10, 60), DnsRecord("n2.example.com", 443, 10, 40)),
    ),
    (
        "through a CNAME",
        alias,
        DnsQuestion("alias.example.com", "A"),
        (DnsRecord("192.0.2.1"), DnsRecord("192.0.2.2")),
    ),
    (
        "over TCP",
        only_tcp,
        DnsQuestion(NAME, "A"),
        (DnsRecord("192.0.2.1"), DnsRecord("192.0.2.2")),
    ),
]


@pytest.mark.parametrize(
    ("prepare", "question", "expected"), [row[1:] for row in ANSWERS], ids=[r[0] for r in ANSWERS]
)
async def test_what_is_found(
    dns: DnsServer,
    prepare: Callable[[DnsServer], None],
    question: DnsQuestion,
    expected: tuple[DnsRecord, ...],
) -> None:
    """The lookup returns the records of the name, or none."""
    prepare(dns)
    found = await look_up(question, [("127.0.0.1", dns.port)], PATIENCE_S)
    assert expected == tuple(sorted(found.records))
    assert not expected or found.ttl_s == dns.ttl_s


async def test_a_long_answer_comes_whole(dns: DnsServer) -> None:
    """200 addresses."""
    many(dns)
    found = await look_up(DnsQuestion(NAME, "A"), [("127.0.0.1", dns.port)], PATIENCE_S)
    assert 200 == len(found.records)


async def test_a_service_that_is_decidedly_not_there(dns: DnsServer) -> None:
    """The target "." means that there is none (RFC 2782); a port that is none cannot be used."""
    dns.records[NAME, "SRV"] = ("0 0 0 .",)
    assert Resolution((), 0, 1.0) == await look_up(
        DnsQuestion(NAME, "SRV"), [("127.0.0.1", dns.port)], 1.0
    )


async def test_a_bad_record_among_good_ones_is_left_out(dns: DnsServer) -> None:
    """Usable records are used; unusable ones are counted in the metric."""
    dns.records[NAME, "A"] = ("0.0.0.0", "192.0.2.1")
    found = await look_up(DnsQuestion(NAME, "A"), [("127.0.0.1", dns.port)], PATIENCE_S)
    assert Resolution((DnsRecord("192.0.2.1"),), 1, 1.0) == found


async def test_records_that_are_all_unusable_are_counted(dns: DnsServer) -> None:
    """As those are that stand among usable ones."""
    dns.records[NAME, "A"] = ("0.0.0.0", "169.254.169.254")
    before = metrics.DNS_UNUSABLE._value.get()
    async with following(dns):
        pass
    assert 2 == metrics.DNS_UNUSABLE._value.get() - before


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    """It has not refused to answer."""
    with pytest.raises(ResolutionError) as caught:
        await look_up(DnsQuestion(NAME, "A"), [("127.0.0.1", free_port())], PATIENCE_S)
    assert "unreachable" == caught.value.outcome


FAILURES: list[tuple[str, dict[str, object], str]] = [
    ("the server cannot tell", {"rcode": SERVFAIL}, "refused"),
    ("the server will not tell", {"rcode": REFUSED}, "refused"),
    ("silence", {"silent": True}, "timeout"),
    ("bytes that are no answer", {"garbage": True}, "timeout"),
    ("no usable record", {"records": {(NAME, "A"): ("0.0.0.0",)}}, "garbage"),
]


@pytest.mark.parametrize(
    ("faults", "expected"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
async def test_what_is_not_found_out(
    dns: DnsServer, faults: dict[str, object], expected: str
) -> None:
    """The reason of the failure, within the time limit."""
    for name, value in faults.items():
        setattr(dns, name, value)
    with pytest.raises(ResolutionError) as caught:
        await asyncio.wait_for(look_up(DnsQuestion(NAME, "A"), [("127.0.0.1", dns.port)], 0.3), 1.0)
    assert expected == caught.value.outcome


def long_names(count: int) -> bytes:
    """SRV records whose targets have 120 labels each, by compression: 23 bytes a record."""
    question = b"\x05edges\x07example\x03com\0\0\x21\0\x01"
    labels = b"".join(bytes([1, 97 + number % 26]) for number in range(120))
    target = 12 + len(question) + 12 + 6
    wire = struct.pack("!HHHHH", 0x8180, 1, count, 0, 0) + question
    for number in range(count):
        name = labels + b"\0" if number == 0 else struct.pack("!BBH", 1, 97, 0xC000 | target)
        fixed = struct.pack("!HHHIHHHH", 0xC00C, 33, 1, 60, 6 + len(name), 0, 1, number + 1)
        wire += fixed + name
    return wire


async def test_an_answer_of_very_many_records_is_not_read(dns: DnsServer) -> None:
    """Reading 2,700 names of 120 labels would take many seconds."""
    question, servers = DnsQuestion("edges.example.com", "SRV"), [("127.0.0.1", dns.port)]
    dns.wire = long_names(20)
    assert 20 == len((await look_up(question, servers, 5.0)).records)
    dns.wire = long_names(2_700)
    with pytest.raises(ResolutionError) as caught:
        await look_up(question, servers, 5.0)
    assert "garbage" == caught.value.outcome


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda end: long_names(2)[:-9] + end))
async def test_no_answer_raises_anything_else(wire: bytes) -> None:
    """Whatever a server sends: records, or ResolutionError within the time."""
    async with dns_server() as server:
        server.wire = wire
        with contextlib.suppress(ResolutionError):
            found = await look_up(
                DnsQuestion("edges.example.com", "SRV"), [("127.0.0.1", server.port)], 0.05
            )
            assert 0 <= found.ttl_s < 2**32


async def test_the_second_server_is_asked_when_the_first_is_dead(dns: DnsServer) -> None:
    """The first server does not exist; the second one answers."""
    servers = [("127.0.0.1", free_port()), ("127.0.0.1", dns.port)]
    found = await look_up(DnsQuestion(NAME, "A"), servers, 3.0)
    assert 2 == len(found.records)


@contextlib.asynccontextmanager
async def following(
    dns: DnsServer, *templates: EdgeTemplate, **settings: object
) -> AsyncIterator[tuple[FleetKeeper, DnsEdges]]:
    """A running ``DnsEdges`` for these templates, and a keeper with one configured edge."""
    keeper = FleetKeeper([HOME])
    given = {**SETTINGS, "resolvers": [dns.address], **settings}
    names = DnsEdges(keeper, templates or (TEMPLATE,), DnsSettings.model_validate(given))
    async with in_background(names.run()):
        await names.first_answers(2.0)
        yield keeper, names


def ids(keeper: FleetKeeper) -> list[str]:
    """The ids of the fleet."""
    return [edge.id for edge in keeper.fleet.edges]


TWO = ["home", "eu-192.0.2.1", "eu-192.0.2.2"]


async def test_edges_come_and_go_with_their_records(dns: DnsServer) -> None:
    """The TTL is honoured: it is one second, and nothing else asks again within a minute."""
    async with following(dns, max_refresh_s=60) as (keeper, _):
        await until(lambda: ids(keeper) == TWO)
        dns.records[NAME, "A"] = ("192.0.2.2", "192.0.2.3")
        await until(lambda: ids(keeper) == ["home", "eu-192.0.2.2", "eu-192.0.2.3"])


async def test_a_name_is_not_asked_for_before_its_records_expire(dns: DnsServer) -> None:
    """With a TTL of a minute there is one query; with ``max_refresh_s`` of two seconds, another one
    after that."""
    dns.ttl_s = 60
    async with following(dns, max_refresh_s=60):
        await asyncio.sleep(1.5)
    assert [NAME] == dns.asked
    async with following(dns, max_refresh_s=1):
        await until(lambda: len(dns.asked) >= 3, 2.0)


@pytest.mark.parametrize("how", ["rcode", "silent", "garbage"])
async def test_the_last_good_answer_stays(dns: DnsServer, how: str) -> None:
    """The last answer is used while DNS fails in any way, and the name is queried until it
    works."""
    async with following(dns, keep_empty_s=1) as (keeper, _):
        await until(lambda: ids(keeper) == TWO)
        asked = len(dns.asked)
        setattr(dns, how, SERVFAIL if how == "rcode" else True)
        await until(lambda: len(dns.asked) >= asked + 2)
        assert TWO == ids(keeper)
        setattr(dns, how, NOERROR if how == "rcode" else False)
        dns.records[NAME, "A"] = ("192.0.2.9",)
        await until(lambda: ids(keeper) == ["home", "eu-192.0.2.9"])


@pytest.mark.parametrize("records", [{}, {(NAME, "AAAA"): ("2001:db8::1",)}], ids=["name", "type"])
async def test_a_name_that_vanished_keeps_its_edges_for_a_while(
    dns: DnsServer, records: dict[tuple[str, str], tuple[str, ...]]
) -> None:
    """The name or its type is gone: logged at once, and applied after a second."""
    with capture_logs() as logs:
        async with following(dns) as (keeper, _):
            await until(lambda: ids(keeper) == TWO)
            logs.clear()
            dns.records = records
            await until(lambda: any(line["event"] == "dns_failed" for line in logs))
            assert TWO == ids(keeper)
            took_s = await until(lambda: ids(keeper) == ["home"], 4.0)
            assert took_s > 0.9


async def test_the_last_edges_of_all_never_go(dns: DnsServer) -> None:
    """The fleet keeps its last edges rather than becoming empty."""
    async with following(dns) as (keeper, _):
        await until(lambda: ids(keeper) == TWO)
        keeper.found("config", ())
        dns.records = {}
        with capture_logs() as logs:
            await until(lambda: any(line["event"] == "edges_none_found" for line in logs))
        assert TWO[1:] == ids(keeper)
        dns.records = {(NAME, "A"): ("192.0.2.7",)}
        await until(lambda: ids(keeper) == ["eu-192.0.2.7"])


async def test_until_the_first_answer_the_template_serves(dns: DnsServer) -> None:
    """Until then the template is an edge with its own id and url."""
    dns.silent = True
    async with following(dns) as (keeper, _):
        assert ["home", "eu"] == ids(keeper)
        dns.silent = False
        await until(lambda: ids(keeper) == TWO)


async def test_another_config_keeps_what_is_known(dns: DnsServer) -> None:
    """The name stays, its weight changes: nothing is missing in between, even without DNS."""
    heavy = EdgeTemplate(Edge("eu", f"http://{NAME}/", weight=7), TEMPLATE.question)
    async with following(dns) as (keeper, names):
        await until(lambda: ids(keeper) == TWO)
        dns.silent = True
        settings = DnsSettings.model_validate(
            {**SETTINGS, "resolvers": [dns.address], "max_refresh_s": 1}
        )
        names.use((heavy,), settings)
        assert [100, 7, 7] == [edge.weight for edge in keeper.fleet.edges]
        names.use((), settings)
        assert ["home"] == ids(keeper)


async def test_the_gateway_starts_with_its_dns_edges(dns: DnsServer, tmp_path: Path) -> None:
    """They serve the first request; without DNS the start waits a second and continues."""
    config = tmp_path / "gateway.toml"
    config.write_text(
        f"""
        [dns]
        resolvers = ["{dns.address}"]
        [[edges]]
        id = "eu"
        url = "http://{NAME}:8080/v/"
        dns = {{ name = "{NAME}.", type = "A" }}
        """
    )
    for silent, expected in (
        (False, {"192.0.2.1:8080", "192.0.2.2:8080"}),
        (True, {f"{NAME}:8080"}),
    ):
        dns.silent = silent
        app = application(config)
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with app.lifespan(app), asking(app) as client:
            assert loop.time() - started < 2.0
            found = {
                (await client.get("/v1/play/film", params={"session": f"s{at}"})).json()[
                    "cdn_endpoint"
                ]
                for at in range(20)
            }
        assert expected == found
