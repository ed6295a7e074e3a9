"""The reports of the benchmark are those that players send."""

from gateway.client.cmcd import parse_query
from gateway.client.cmcd_report import Report, read_report
from tests.benchmark.bench_generator import answer_length
from tests.benchmark.cmcd_reports import BATCH, Player


def test_a_post_has_whole_reports_of_one_player() -> None:
    """Without a fault, each later than the one before."""
    player = Player(1)
    head, _, body = player.post(BATCH).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    lines = body.decode().splitlines()
    assert BATCH == len(lines)
    assert not any(parse_query(line).faults for line in lines)
    reports = [read_report(line) or Report() for line in lines]
    assert {player.sid} == {report.sid for report in reports}
    assert all(report.speed_kbps and report.state and report.cdn for report in reports)
    times = [report.time_ms or 0 for report in reports]
    assert sorted(set(times)) == times


def test_an_answer_without_content_ends_with_its_head() -> None:
    answer = b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n"
    assert len(answer) == answer_length(answer)
    assert 0 == answer_length(b"HTTP/1.1 204 No Content\r\nX: 1")
