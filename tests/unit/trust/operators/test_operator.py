"""Roles, scopes, and what a route needs."""

import pytest

from gateway.trust.operators.operator import Access, Operator, Role, Scope

VIEWER, OPERATOR, ADMIN = Role


@pytest.mark.parametrize(
    ("role", "covered"),
    [(VIEWER, {VIEWER}), (OPERATOR, {VIEWER, OPERATOR}), (ADMIN, set(Role))],
)
def test_a_role_covers_those_below(role: Role, covered: set[Role]) -> None:
    assert covered == {needed for needed in Role if role.covers(needed)}


@pytest.mark.parametrize(
    ("access", "method", "needed", "writes"),
    [
        (Access(VIEWER), "GET", VIEWER, False),
        (Access(VIEWER), "POST", VIEWER, False),
        (Access(VIEWER, OPERATOR), "GET", VIEWER, False),
        (Access(VIEWER, OPERATOR), "HEAD", VIEWER, False),
        (Access(VIEWER, OPERATOR), "POST", OPERATOR, True),
        (Access(VIEWER, OPERATOR), "DELETE", OPERATOR, True),
        (Access(ADMIN, ADMIN), "POST", ADMIN, True),
    ],
)
def test_what_a_route_needs(access: Access, method: str, needed: Role, writes: bool) -> None:
    assert (needed, writes) == (access.role_for(method), access.writes_by(method))


@pytest.mark.parametrize(
    ("role", "scopes", "needed", "scope", "allowed"),
    [
        (VIEWER, None, VIEWER, "metrics", True),
        (VIEWER, None, OPERATOR, "edges", False),
        (ADMIN, {"metrics"}, VIEWER, "metrics", True),
        (ADMIN, {"metrics"}, VIEWER, "sessions", False),
        (ADMIN, {"metrics"}, VIEWER, None, False),
        (VIEWER, {"edges"}, OPERATOR, "edges", False),
    ],
)
def test_scopes_narrow_a_role(
    role: Role, scopes: set[Scope] | None, needed: Role, scope: Scope | None, allowed: bool
) -> None:
    narrowed = None if scopes is None else frozenset(scopes)
    assert allowed == Operator("key", "k", role, narrowed).may(needed, scope)
