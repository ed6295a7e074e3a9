"""What do all tables of a configuration have in common?"""

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

FAULT = "gateway_fault"
"""The error type of :func:`fault`."""


class Section(BaseModel):
    """A table: unknown keys are errors, values never change, and documentation stands below."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


def fault(key: str, problem: str, allowed: str) -> PydanticCustomError:
    """What a table's own check raises when ``key`` does not go with its neighbours."""
    return PydanticCustomError(
        FAULT, "{problem}", {"key": key, "problem": problem, "allowed": allowed}
    )
