"""EXT-X-DEFINE variables, rules A5.3 to A5.5."""

import pytest

from manifests.fault import QueryParameterError
from manifests.hls.variables import (
    MAX_EXPANDED,
    MAX_QUERY_GROWTH,
    MAX_QUERY_VALUE,
    MAX_REFERENCES,
    VariableError,
    Variables,
    check_query,
    is_late,
    resolve_late,
)


@pytest.fixture
def variables() -> Variables:
    """``host``, an empty one, one that looks like a reference, and a late one."""
    variables = Variables()
    variables.define("host", "https://a.example")
    variables.define("empty", "")
    variables.define("trap", "{$host}")
    variables.define_late("token")
    return variables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{$host}/x", "https://a.example/x"),
        ("{$host}{$empty}{$host}", "https://a.examplehttps://a.example"),
        ("{$trap}", "{$host}"),
        ("x?{$token}", "x?{$token}"),
        ("{$not a name}{host}$host", "{$not a name}{host}$host"),
    ],
)
def test_references_are_replaced_once(variables: Variables, text: str, expected: str) -> None:
    """Substitution is not recursive, and a query parameter stays for later."""
    assert expected == variables.expand(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{$nope}", "A5.5"),
        ("{$HOST}", "A5.5"),
        ("{$empty}" * (MAX_REFERENCES + 1), "A5.5"),
        ("{$host}" + "x" * MAX_EXPANDED, "A5.5"),
    ],
)
def test_bad_references_are_refused(variables: Variables, text: str, rule: str) -> None:
    """Names are case-sensitive and must be defined; the result is bounded."""
    with pytest.raises(VariableError) as caught:
        variables.expand(text)
    assert rule == caught.value.rule


@pytest.mark.parametrize("name", ["", "a b", "ü", "host", "token", "x" * 257])
def test_bad_names_are_refused(variables: Variables, name: str) -> None:
    """A5.3: letters, digits, - and _ only, and no name twice."""
    with pytest.raises(VariableError) as known:
        variables.define(name, "1")
    with pytest.raises(VariableError) as late:
        variables.define_late(name)
    assert ["A5.3", "A5.3"] == [known.value.rule, late.value.rule]
    assert ("token",) == variables.late


def test_values_that_grow_in_chains_are_bounded() -> None:
    """Definitions that multiply each other end in an error, not in gigabytes."""
    variables = Variables()
    variables.define("v0", "x" * 100)
    variables.define("v1", variables.expand("{$v0}" * 60))
    with pytest.raises(VariableError):
        variables.expand("{$v1}" * 60)


def test_what_all_references_add_together_is_bounded() -> None:
    """Each may be small enough and all of them too long for a playlist."""
    variables = Variables(max_growth=250)
    variables.define("v", "x" * 104)
    assert 104 == len(variables.expand("{$v}"))
    assert 104 == len(variables.expand("{$v}"))
    with pytest.raises(VariableError, match="add over 250 characters") as caught:
        variables.expand("{$v}")
    assert "F13" == caught.value.rule


def test_what_all_query_values_add_together_is_bounded() -> None:
    """A value counts as often as the playlist uses it."""
    value = "x" * MAX_QUERY_VALUE
    uses = {"token": MAX_QUERY_GROWTH // MAX_QUERY_VALUE, "id": 1}
    query = {"token": value, "id": value}
    assert query["token"] == check_query(("token",), query, uses)["token"]
    with pytest.raises(QueryParameterError, match='"id"'):
        check_query(("token", "id"), query, uses)


@pytest.mark.parametrize(
    ("text", "late"), [("x", False), ("{$token}", True), ("{$}", False), ("{$a b}", False)]
)
def test_late_references_are_recognised(text: str, late: bool) -> None:
    """Only a well-formed reference is one."""
    assert late is is_late(text)


def test_late_references_take_the_query() -> None:
    """A value is inserted as it is; text that only looks like a reference stays."""
    assert "x?t=a&{$other}" == resolve_late("x?t={$token}&{$other}", {"token": "a"})


@pytest.mark.parametrize("value", ["abc", "a=b&c%20/..;", "a b", "ünï", "x" * MAX_QUERY_VALUE])
def test_legal_query_values_pass(value: str) -> None:
    """They come back byte-identical, and only those that were asked for."""
    assert {"token": value} == check_query(("token",), {"token": value, "other": '"'})


@pytest.mark.parametrize(
    "value",
    ['a"b', "a\nb", "a\rb", "a\x00", "a\tb", "\x7f", "\x85", "\u2028", "\ud800", "{$host}", "",
     "x" * (MAX_QUERY_VALUE + 1)],
)  # fmt: skip
def test_hostile_query_values_are_refused(value: str) -> None:
    """A3.3, A1.2: nothing that could end a quoted string or a line, or refer to a variable."""
    with pytest.raises(QueryParameterError, match='query parameter "token"') as caught:
        check_query(("token",), {"token": value})
    assert "token" == caught.value.parameter


def test_a_missing_query_parameter_is_named() -> None:
    """A5.4: the player would fail, so the error says which parameter."""
    with pytest.raises(QueryParameterError, match='"b": it is missing or empty'):
        check_query(("a", "b"), {"a": "1"})
