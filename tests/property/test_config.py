"""Any file and any environment give settings or a ConfigError."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.key_schema import ROOT
from gateway.config.load import load
from gateway.config.problem import ConfigError, ConfigProblem, shown
from gateway.config.schema import Settings

SECTIONS = list(Settings.model_fields)
KEYS = sorted(
    {
        key
        for section in SECTIONS
        if (shape := ROOT.key(section)) is not None
        for table in (shape, shape.items)
        if table is not None and table.section is not None
        for key in table.section.model_fields
    }
)
WORDS = st.sampled_from(
    [
        *KEYS,
        *SECTIONS,
        "0",
        "-1",
        "true",
        "nan",
        "1e400",
        "'x'",
        "'{asset}'",
        "'https://a/'",
        "{}",
        "[]",
    ]
)
TOML_LIKE = st.lists(
    st.one_of(
        WORDS,
        st.sampled_from([*"[]{}=.,\n\"'#", "[[", "]]", " = ", "\n[", "]\n"]),
        st.text(max_size=3),
    ),
    max_size=30,
).map("".join)

VALUES = st.recursive(
    st.sampled_from(["1", "-1", "0.5", "true", "'phone'", "'https://a/'", "nan", "1979-05-27"])
    | st.text(max_size=5).map(lambda text: f"'{text}'"),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=6,
)
ASSIGNMENTS = st.lists(
    st.tuples(st.sampled_from(SECTIONS), st.sampled_from(KEYS), VALUES, st.booleans()), max_size=4
).map(
    lambda rows: "\n".join(
        f"{section} = {value}" if whole else f"{section}.{key} = {value}"
        for section, key, value, whole in rows
    )
)


@settings(deadline=None)
@given(toml=TOML_LIKE | ASSIGNMENTS)
def test_any_text_is_loaded_or_refused(toml: str) -> None:
    """There is no other exception, and each problem is one line of text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g.toml"
        path.write_bytes(toml.encode("utf-8", "surrogatepass"))
        _loads_or_explains(path, {})


@settings(deadline=None)
@given(
    parts=st.lists(st.sampled_from([*SECTIONS, *KEYS, "0", "1", "wifi", "", "²"]), max_size=4),
    value=TOML_LIKE | VALUES,
)
def test_any_variable_is_used_or_refused(parts: list[str], value: str) -> None:
    """Known keys in any combination, with values of any type."""
    _loads_or_explains(None, {"GATEWAY_" + "__".join(parts).upper(): value})


def _loads_or_explains(path: Path | None, environ: dict[str, str]) -> None:
    problems: Sequence[ConfigProblem]
    try:
        problems = load(path, environ).warnings
    except ConfigError as error:
        problems = error.problems or [ConfigProblem("", "a refusal without a reason\n")]
    assert [problem for problem in map(str, problems) if not problem.isprintable()] == []


@given(value=st.text() | st.lists(st.text()))
def test_any_value_is_shown_on_one_short_line(value: object) -> None:
    """Printable, and at most 80 characters."""
    text = shown(value)
    assert text.isprintable()
    assert len(text) <= 80
