"""What may an operator do? Roles, scopes, and who has signed in.

A role covers those below it. Scopes narrow a role down to parts of the interface: a key for
Prometheus has the role ``viewer`` and the scope ``metrics``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, get_args

Scope = Literal[
    "metrics",
    "decisions",
    "sessions",
    "activity",
    "edges",
    "purge",
    "steering",
    "revocations",
    "config",
    "audit",
]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

OperatorKind = Literal["key", "oidc", "service", "command", "gateway", "nobody"]
"""How somebody is known: by an API key, an OpenID provider, a key that signs requests, or as the
user who runs a command. ``gateway`` acts by itself, ``nobody`` has not signed in."""


class Role(StrEnum):
    """What somebody may do: read; act on edges and assets as well; and configure as well."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Whether this role is ``needed``, or above it."""
        return _ORDER[self] >= _ORDER[needed]


_ORDER: Final = {role: place for place, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Access:
    """What a route needs: ``read`` for GET and HEAD, ``write`` for other methods (by default the
    same), and the scope, of those who have scopes."""

    read: Role
    write: Role | None = None
    scope: Scope | None = None

    def role_for(self, method: str) -> Role:
        """The role that a request with this method needs."""
        return self.read if self.write is None or method in READING else self.write

    def writes_by(self, method: str) -> bool:
        """Whether a request with this method acts."""
        return self.write is not None and method not in READING


READING: Final = frozenset({"GET", "HEAD"})
"""The methods that only read."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who has signed in. ``id`` is unique among those of its kind. ``scopes`` are None
    where the role is not narrowed. ``by_cookie``: a browser sent the credential by itself."""

    kind: OperatorKind
    id: str
    role: Role
    scopes: frozenset[Scope] | None = None
    by_cookie: bool = False

    def may(self, role: Role, scope: Scope | None) -> bool:
        """Whether the role covers ``role``, and no scope is missing."""
        in_scope = self.scopes is None or scope in self.scopes
        return in_scope and self.role.covers(role)


@dataclass(frozen=True, slots=True)
class SignInRefusal:
    """Why a credential is refused. ``code`` is one of a fixed set, for logs and the audit log.
    ``text`` is for who sent it, and has nothing of the credential. ``id`` is the key that it names,
    where there is one: a claim that nothing has proven."""

    code: str
    text: str
    id: str | None = None
