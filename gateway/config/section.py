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
    """A table: unknown keys are errors, values never change, and documentation stands below."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def meanings(section: type[Section]) -> Mapping[str, str]:
    """What every key of a table means: the text that stands below it.

    Read from the source when it is asked for. pydantic would do so whenever the gateway starts, for
    all tables: a twentieth of a second, and nobody there asks.
    """
    (table,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    if not isinstance(table, ast.ClassDef):
        raise TypeError(f"{section} is not written as a class")
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
    """What a table's own check raises when ``key`` does not go with its neighbours."""
    return PydanticCustomError(
        FAULT, "{problem}", {"key": key, "problem": problem, "allowed": allowed}
    )
