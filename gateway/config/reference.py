"""What does every key mean? Makes ``docs/config.md`` from the schema and the shipped values.

``python -m gateway.config.reference > docs/config.md`` writes it.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic.fields import FieldInfo

from gateway.config.key_schema import ROOT, KeySchema
from gateway.config.problem import shown
from gateway.config.read import read_defaults
from gateway.config.section import meanings

_INTRODUCTION: Final = """\
# Configuration

<!-- Made by `python -m gateway.config.reference > docs/config.md`. Change the schema instead. -->

The gateway reads one TOML file: `gateway serve --config gateway.toml`, or the one that the variable
`GATEWAY_CONFIG` names. The `gateway.toml` in the repository explains every key and has the shipped
values. `gateway check` reports all problems of a file at once, and refuses what `gateway serve`
refuses; with `--strict` warnings are errors, too. `gateway schema` prints a JSON Schema for
editors.

- **Units** are part of the names of keys. Unknown keys are errors.
- **Keys that are left out** keep their shipped values. The shipped `edges` are examples: they serve
  with `source.kind = "generated"` only. A list of `rules`, `edges` or
  `ladder.rungs` replaces the shipped list as a whole. `profiles` are merged by name and key. To
  remove a limit of a shipped profile, use a profile with another name.
- **Paths** are relative to the folder of the file.
- **Environment variables** override the file. `GATEWAY_SERVER__PORT=8081` sets `server.port`: the
  path in capitals, with two underscores between its parts. Text is used as it is. Other values are
  written in TOML or JSON: `GATEWAY_SERVER__TRUSTED_PROXIES='["10.0.0.0/8"]'`. Items of lists have
  numbers: `GATEWAY_EDGES__0__WEIGHT=50`. A `GATEWAY_` variable that names no key is an error;
  those that Kubernetes sets for services are ignored. The log says at the start which keys came
  from the environment, and warns of those that the file sets to another value.
- **Secrets from files.** Any variable with `_FILE` behind its name holds the absolute path of a
  file with the value: `GATEWAY_STORE__URL_FILE=/run/secrets/store-url`. Line breaks at the end are
  dropped; at most 64 KiB are allowed. The file is read again at every reload, on SIGHUP for
  example. No message shows what is in it.
- **Changes** take effect as soon as the file is saved, or on SIGHUP. A file with an error is
  refused as a whole: the reason is logged and counted, and the last good configuration stays.
  Keys marked "restart" keep their running values until the gateway is restarted; a file whose
  other changes need the new value of one is refused until then. Save the file by renaming a
  finished one over it, as editors do.
"""

_HEADINGS: Final[Mapping[tuple[str, ...], str]] = {
    ("admin", "keys"): "[[admin.keys]]",
    ("admin", "services"): "[[admin.services]]",
    ("admin", "oidc"): "[admin.oidc]",
    ("profiles",): "[profiles.NAME]",
    ("rules",): "[[rules]]",
    ("rules", "when"): "[[rules]] when = { … }",
    ("start", "rules"): "[[start.rules]]",
    ("start", "rules", "when"): "[[start.rules]] when = { … }",
    ("edges",): "[[edges]]",
    ("edges", "dns"): "[[edges]] dns = { … }",
    ("edges", "signing"): "[edges.signing]",
    ("edges", "signing", "keys"): "[[edges.signing.keys]]",
    ("registry", "signing"): "[registry.signing]",
    ("registry", "signing", "keys"): "[[registry.signing.keys]]",
    ("ladder", "rungs"): "[[ladder.rungs]]",
    ("devices",): "[[devices]]",
    ("origins",): "[[origins]]",
    ("keys", "ring"): "[[keys.ring]]",
    ("registry", "keys"): "[[registry.keys]]",
    ("server", "tls"): "[server.tls]",
    ("admin", "tls"): "[admin.tls]",
    ("tokens", "keys"): "[[tokens.keys]]",
    ("tokens", "jwks"): "[[tokens.jwks]]",
    ("tokens", "protect"): "[[tokens.protect]]",
    ("tokens", "renewal"): "[tokens.renewal]",
}


def render() -> str:
    """The whole page in Markdown."""
    lines = [_INTRODUCTION]
    for path, table in _tables(ROOT, ()):
        lines += _section(path, table)
    return "\n".join(lines)


def _tables(table: KeySchema, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], KeySchema]]:
    for name, schema in table.keys.items():
        inner: KeySchema | None = schema
        while inner is not None and inner.section is None:
            inner = inner.items
        if inner is not None:
            yield (*path, name), inner
            yield from _tables(inner, (*path, name))


def _section(path: tuple[str, ...], table: KeySchema) -> list[str]:
    section = table.section
    fields = section.model_fields if section is not None else {}
    meaning = meanings(section) if section is not None else {}
    shipped = read_defaults().get(path[0], {})
    lines = [
        f"## `{_HEADINGS.get(path, f'[{path[0]}]')}`{', restart' if table.needs_restart else ''}",
        "",
        _on_one_line(section.__doc__ if section is not None else None),
        "",
        "| key | meaning | allowed | default |",
        "|---|---|---|---|",
    ]
    for name, schema in table.keys.items():
        allowed = "tables, see below" if schema.allowed.endswith("a table") else schema.allowed
        mark = " *(restart)*" if schema.needs_restart else ""
        lines.append(
            f"| `{name}` | {_on_one_line(meaning.get(name))}{mark} | {_cell(allowed)} "
            f"| {_default(fields[name], shipped, name)} |"
        )
    return [*lines, ""]


def _default(field: FieldInfo, shipped: Any, name: str) -> str:  # noqa: ANN401
    if isinstance(shipped, dict) and name in shipped:
        value = shipped[name]
        return "see `gateway.toml`" if isinstance(value, list) and len(value) > 1 else _code(value)
    if field.is_required():
        return "*must be given*"
    return "–" if field.default is None or field.default == frozenset() else _code(field.default)


def _code(value: object) -> str:
    return f"`{_cell(shown(value))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _on_one_line(text: str | None) -> str:
    return " ".join((text or "").split())


if __name__ == "__main__":
    sys.stdout.write(render())
