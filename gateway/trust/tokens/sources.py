"""Where do the keys of tokens come from?"""

from dataclasses import dataclass

from gateway.trust.tokens.key import KeyUse, TokenKey
from gateway.trust.tokens.key_set import SetUse


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file with one public key, in PEM or as a JSON Web Key."""

    use: KeyUse
    path: str


@dataclass(frozen=True, slots=True)
class KeySetPlace:
    """Where a JSON Web Key Set is: a file or a URL."""

    use: SetUse
    path: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class RefreshBounds:
    """When sets with a URL are fetched. Times are in seconds.

    Two fetches are at least ``min_s`` and at most ``max_s`` apart. An unknown key id has them
    fetched at once, but at most once in ``unknown_s``. The keys of a set that cannot be fetched are
    used for ``keep_s``. A fetch takes at most ``timeout_s``. ``ca_file`` has the trusted
    certificates; None is the system's.
    """

    min_s: float = 60
    max_s: float = 3600
    unknown_s: float = 30
    keep_s: float = 86_400
    timeout_s: float = 5
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class TokenSources:
    """The keys that the configuration has itself, and where the others are. The order decides which
    of two keys with one id is tried first."""

    keys: tuple[TokenKey, ...] = ()
    files: tuple[KeyFile, ...] = ()
    sets: tuple[KeySetPlace, ...] = ()
    refresh: RefreshBounds = RefreshBounds()
