"""The syntax trees of modules, each parsed once for all tests that look at it."""

import ast
from functools import cache


@cache
def parsed(source: str) -> ast.Module:
    """The tree of a module's source."""
    return ast.parse(source)
