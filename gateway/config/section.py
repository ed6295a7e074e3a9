"""What do all tables of a configuration have in common?"""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from itertools import pairwise

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

FAULT = "gateway_fault"
"""The error type of :func:`fault`."""


class Section(BaseModel):
    """A table. Unknown keys are errors, values cannot be changed, and the text below each key is
    its documentation."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


def meanings(section: type[Section]) -> Mapping[str, str]:
    """The documentation of every key of a table: the text below it in the source.

    It is read only for the reference and the JSON Schema. pydantic's own option reads it for all
    tables at every start of the gateway, which takes 50 ms.
    """
    (table,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    if not isinstance(table, ast.ClassDef):
        raise TypeError(f"{section} is not defined by a class statement")
    return {
        key.target.id: inspect.cleandoc(text.value.value)
        for key, text in pairwise(table.body)
        if isinstance(key, ast.AnnAssign)
        and isinstance(key.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def fault(key: str, problem: str, allowed: str) -> PydanticCustomError:
    """The error that a table's own check raises when ``key`` does not fit the other keys. A key of
    a table below has its name in front: ``signing.keys``."""
    return PydanticCustomError(
        FAULT, "{problem}", {"key": key, "problem": problem, "allowed": allowed}
    )
