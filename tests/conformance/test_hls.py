"""One small playlist for each rule of the reader, the fit and the writer. ``driver.py`` describes a
case. Each case is run once through the functions, and once over HTTP.
"""

import re
from collections.abc import Iterator

import httpx
import pytest

from manifests.hls.multivariant import ManifestError, QueryParameterError, parse
from manifests.standards import RULES
from tests.conformance.driver import CASES, EDGE, FOLDER, SOURCE_FILE, Case, personalised
from tests.integration.running import RunningGateway, running_gateway


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """A test for each of the cases, by name."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


SERVED = [case for case in CASES if case.expected is not None]
REFUSED = [case for case in CASES if case.refused is not None]


@each(CASES)
def test_a_case_is_named_after_its_rule(case: Case) -> None:
    """The name starts with the id of the rule, and the case expects bytes or an error."""
    assert re.fullmatch(rf"{re.escape(case.rule)}-[a-z0-9-]+", case.name)
    assert (case.expected is None) == (case.status != 200)


@each([case for case in CASES if case.refused is None])
def test_the_reader_lists_the_faults(case: Case) -> None:
    """The rule and line of each fault, in the order of lines."""
    found = parse(case.source, case.name).faults
    assert case.faults == tuple(f"{fault.rule} line {fault.line}" for fault in found)


@each(REFUSED)
def test_the_reader_refuses(case: Case) -> None:
    """The reader refuses the source for the expected rule, on the expected line."""
    with pytest.raises(ManifestError) as caught:
        parse(case.source, case.name)
    assert case.refused == f"{caught.value.rule} line {caught.value.line}"


@each(SERVED)
def test_fit_and_writer_give_the_expected_bytes(case: Case) -> None:
    """The output is byte for byte the expected playlist."""
    assert (case.expected or b"").decode() == personalised(case, case.source).decode()


@each(SERVED)
def test_fitting_again_changes_nothing(case: Case) -> None:
    """A11.5: the expected playlist, used as a source, gives itself."""
    assert case.expected is not None
    assert case.expected.decode() == personalised(case, case.expected).decode()


@each([case for case in CASES if case.status == 400])
def test_the_writer_refuses_a_query(case: Case) -> None:
    """A5.4: the writer refuses a query without the parameters that the source requires."""
    with pytest.raises(QueryParameterError):
        personalised(case, case.source)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that serves all cases: each has a profile of its own."""
    config = tmp_path_factory.mktemp("conformance") / "gateway.toml"
    config.write_text(_config(), "utf-8")
    with running_gateway(config) as running:
        yield running


def _config() -> str:
    lines = [
        *(
            "[source]",
            'kind = "directory"',
            f'root = "{FOLDER}"',
            f'hls = "{{asset}}/{SOURCE_FILE}"',
        ),
        *("[store]", 'url = "memory"'),
        *("[[edges]]", 'id = "only"', f'url = "{EDGE}"', "fallback = true"),
    ]
    # The longest names first: one may be the start of another.
    for number, case in enumerate(sorted(CASES, key=lambda case: -len(case.name))):
        limits = dict(case.profile) | {"device_limits": bool(case.device)}
        lines.append(f"[profiles.case{number}]")
        lines += [f"{key} = {_toml(value)}" for key, value in limits.items()]
        lines += ["[[rules]]", f'when = {{ asset_prefix = ["{case.name}"] }}']
        lines.append(f'profile = "case{number}"')
    return "\n".join([*lines, ""])


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


@each([case for case in CASES if not case.steering])
def test_a_running_gateway_answers_the_same(case: Case, gateway: RunningGateway) -> None:
    """The same bytes over HTTP, or a problem that names the clause."""
    agent = case.device.get("user_agent", "conformance")
    answer = httpx.get(
        f"{gateway.url}/v1/play/{case.name}.m3u8",
        params=dict(case.query),
        headers={"User-Agent": agent},
    )
    assert case.status == answer.status_code, answer.text
    if case.expected is not None:
        assert case.expected.decode() == answer.content.decode()
    if case.rungs is not None:
        assert f"rungs={case.rungs}," in answer.headers["Gateway-Decision"]
    if case.refused is not None:
        assert RULES[case.refused.partition(" ")[0]].clause in answer.json()["detail"]
