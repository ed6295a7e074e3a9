"""CMCD that others wrote: decode vectors, a validator's cases, captures of real players."""

import json
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from gateway.client.cmcd import Cmcd, parse_headers, parse_query
from gateway.client.cmcd_dictionary import Value
from gateway.client.limits import parse_parameters

CASES = Path(__file__).parents[3] / "shared" / "corpus" / "cases"

pytestmark = pytest.mark.skipif(
    not CASES.is_dir(), reason=f"SKIPPED: the corpus of CMCD vectors is not there: {CASES}"
)


def read(name: str) -> str:
    """The text of a corpus file."""
    return (CASES / name).read_text(encoding="utf-8")


def vectors(key: str) -> list[dict[str, Any]]:
    """One of the lists of the vector file; empty without the corpus, which skips its tests."""
    if not CASES.is_dir():
        return []
    return cast("list[dict[str, Any]]", json.loads(read("cmcd-vectors.json"))[key])


def from_headers(headers: dict[str, str]) -> Cmcd:
    """Read the four headers by their names, whatever their case."""
    by_name = {name.lower(): value for name, value in headers.items()}
    names = ("cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status")
    return parse_headers(*(by_name.get(name) for name in names))


def from_url(url: str) -> Cmcd:
    """Read the CMCD argument of a URL, through the gateway's own query reader."""
    return parse_query(parse_parameters(urlsplit(url).query.encode()).cmcd or "")


def request_headers(text: str) -> list[dict[str, str]]:
    """The headers of each request of a capture, where requests begin with a GET line."""
    requests: list[dict[str, str]] = []
    for line in text.splitlines():
        if line.startswith("GET "):
            requests.append({})
        name, colon, value = line.partition(": ")
        if colon and requests:
            requests[-1][name] = value
    return requests


def plain(value: Value) -> object:
    """A value as the vectors write it: an inner list is the list of its items' values."""
    return [item.value for item in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("vector", vectors("vectors"), ids=lambda vector: vector["name"])
def test_decode_vectors(vector: dict[str, Any]) -> None:
    """Every vector decodes to the dictionary that it expects, without a fault."""
    raw, expected = vector["raw"], vector["expected"]
    if isinstance(raw, dict):
        cmcds = [from_headers(raw)]
    elif vector["mode"] == "query":
        cmcds = [from_url(f"https://host/?{raw}")]
    else:
        cmcds = [parse_query(line) for line in raw.splitlines()]
    decoded = [{key: plain(value) for key, value in cmcd.raw.items()} for cmcd in cmcds]
    assert (expected if isinstance(expected, list) else [expected]) == decoded
    assert [()] * len(cmcds) == [cmcd.faults for cmcd in cmcds]
    assert [vector["version"]] * len(cmcds) == [cmcd.version for cmcd in cmcds]


def transports(case: dict[str, Any]) -> list[Cmcd]:
    """What a validator's case says, once for each way in which it is given."""
    read_as = [from_headers(headers) for headers in request_headers(case.get("header") or "")]
    if "query" in case:
        read_as.append(from_url(case["query"]))
    if "json" in case:
        read_as.append(parse_query(case["json"]))
    return read_as


@pytest.mark.parametrize("valid", [True, False])
def test_a_validators_cases(valid: bool) -> None:
    """Valid cases are read exactly, from headers, queries and JSON; broken ones are still read.

    Cases for a validator that was told to check less are broken in ways it does not see.
    """
    cases = [c for c in vectors("validator_cases_montevideo") if c["expected"]["valid"] is valid]
    for case in cases:
        found = transports(case)
        assert all(cmcd.version or cmcd.faults or not cmcd.raw for cmcd in found)
        if valid and "config" not in case:
            parsed = case["expected"]["parsed"]
            plains = [{key: plain(value) for key, value in cmcd.raw.items()} for cmcd in found]
            assert [parsed] * len(found) == plains, case["description"]


def test_broken_cases_are_announced() -> None:
    """Queries with one fault in them: it is listed, and the rest is still read."""
    expected = {
        "Test: Query with su key bool == true": ["su: a flag is the key alone"],
        "Test: Query without ,": ["cid: no comma after the value"],
        "Test: Duplicated key": ["su: repeated, the last one counts"],
        'Test: Query su = "Qualabs"': ["su: not a flag"],
        "Test: Query su = 23": ["su: not a flag"],
    }
    cases = [
        case
        for case in vectors("validator_cases_montevideo")
        if case["description"] in expected and case["source"].endswith("queryTestCases")
    ]
    found = {case["description"]: list(from_url(case["query"]).faults) for case in cases}
    assert expected == found
    assert all(from_url(case["query"]).sid for case in cases)


def test_captured_queries() -> None:
    """Query captures: no fault, and a speed only where a video segment measured it (D3.3)."""
    captured = [
        from_url(line) for line in read("montevideo__cmcd-data-samples-queries.txt").split()
    ]
    assert not any(cmcd.faults for cmcd in captured)
    assert {"b248658d-1d1a-4039-91d0-8c08ba597da5"} == {cmcd.sid for cmcd in captured}
    video = [cmcd.speed_kbps for cmcd in captured if cmcd.ot == "v"]
    other = [cmcd.speed_kbps for cmcd in captured if cmcd.ot != "v"]
    expected = [99300, 106400, 106200, 97900, 88900, 77700, 66200, 35100, 17100]
    assert expected == video[: len(expected)]
    assert {None} == set(other)


def test_captured_headers() -> None:
    """Header captures: no fault, and the speeds of a fast line, none taken from audio."""
    captured = [
        from_headers(headers)
        for headers in request_headers(read("montevideo__cmcd-data-samples-header.txt"))
    ]
    told = [cmcd for cmcd in captured if cmcd.version == 1]
    assert not any(cmcd.faults for cmcd in captured)
    assert {"b62ac932-1967-4368-8e9a-31df70ef2bc5"} == {cmcd.sid for cmcd in told}
    speeds = [cmcd.speed_kbps for cmcd in told if cmcd.speed_kbps is not None]
    slowest, fastest = 64000, 133500
    assert (slowest, fastest) == (min(speeds), max(speeds))
    assert {"v"} == {cmcd.ot for cmcd in told if cmcd.speed_kbps is not None}
