"""What may an editor check while a configuration is typed? The JSON Schema of the whole file."""

from typing import Any, Final

from gateway.config.read import read_defaults
from gateway.config.schema import Settings
from gateway.config.section import Section, meanings

_SHIPPED_LISTS: Final = {"rules", "edges"}


def schema_json() -> dict[str, Any]:
    """A JSON Schema (2020-12): every key with its description, its bounds and its shipped value."""
    schema = Settings.model_json_schema()
    shipped = read_defaults()
    # What is left out keeps its shipped value, so nothing has to be written at these two levels.
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
