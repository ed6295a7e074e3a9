"""The JSON Schema of the configuration file, with which editors check it."""

from typing import Any, Final

from gateway.config.read import read_defaults
from gateway.config.schema import Settings
from gateway.config.section import Section, meanings

_SHIPPED_LISTS: Final = {"rules", "edges"}


def schema_json() -> dict[str, Any]:
    """A JSON Schema (2020-12): each key with its description, bounds and shipped value."""
    schema = Settings.model_json_schema()
    shipped = read_defaults()
    # Keys that are left out keep their shipped values, so no section and no key is required.
    schema.pop("required")
    for name, table in schema["properties"].items():
        if name in _SHIPPED_LISTS:
            table["default"] = shipped[name]
        elif "$ref" in table:
            section = schema["$defs"][table["$ref"].rpartition("/")[2]]
            section.pop("required", None)
            for key, value in shipped[name].items():
                section["properties"][key]["default"] = value
    tables = {table.__name__: table for table in Section.__subclasses__()}
    for name in schema["$defs"].keys() & tables.keys():
        for key, meaning in meanings(tables[name]).items():
            schema["$defs"][name]["properties"][key]["description"] = meaning
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "gateway.toml"
    return schema
