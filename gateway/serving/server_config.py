"""How is uvicorn set up? Its settings, with the limits that each connection needs."""

import pickle
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from gateway.listener import OPERATORS, PLAYERS, Listener
from gateway.serving.connection_counts import ConnectionCounts
from gateway.serving.limits import ConnectionLimits
from gateway.tls.certificate import FollowedCertificate

_PLAIN = "gateway.serving.connection:Connection"
_TLS = "gateway.serving.tls_connection:TlsConnection"


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """What the connections of the operators' listener need of a :class:`ServerConfig`."""

    loaded_app: ASGIApp
    limits: ConnectionLimits
    counts: ConnectionCounts
    certificates: Mapping[Listener, FollowedCertificate] = field(default_factory=dict)
    """Of the listeners that have TLS."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """An application that a worker makes: by calling ``name`` (``module:function``) with what
    ``pickled`` holds. A worker that begins imports nothing of it, so that it can report to its
    parent what fails."""

    name: str
    pickled: bytes = field(repr=False)

    def __call__(self) -> ASGIApp:
        """The application."""
        make: Callable[[object], ASGIApp] = resolve_name(self.name)
        return make(pickle.loads(self.pickled))  # noqa: S301  # nosec B301  # of its parent


class ServerConfig(uvicorn.Config):
    """uvicorn's settings, and what :class:`gateway.serving.connection.Connection` needs besides.

    It is pickled for workers, so it holds no class of a connection but its name.
    """

    def __init__(
        self,
        app: ASGIApp | Deferred | str,
        limits: ConnectionLimits,
        operators: ConnectionLimits | None = None,
        tls: Collection[Listener] = (),
        **settings: Any,  # noqa: ANN401  (uvicorn's own)
    ) -> None:
        """``limits`` are those of players. With ``operators`` there is a listener for operators,
        whose application is the attribute ``operators`` of ``app``. The listeners of ``tls`` speak
        TLS, with the attribute ``certificates`` of ``app``.

        ``settings`` are uvicorn's. The access log and proxy headers are off: the gateway counts
        requests itself, and ``trusted_proxies`` alone decides whom to believe (rule F9)."""
        super().__init__(
            app,
            http=_TLS if PLAYERS in tls else _PLAIN,
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            **settings,
        )
        self.limits = limits
        self.counts = ConnectionCounts(PLAYERS, limits)
        self.operators = operators
        self.tls = frozenset(tls)

    @property
    def certificates(self) -> Mapping[Listener, FollowedCertificate]:
        """The certificates of the listeners that have TLS, once the application is loaded."""
        found: Mapping[Listener, FollowedCertificate] = self.loaded_app.certificates
        return found

    def tell_of_stop(self) -> None:
        """Have the application end the answers that would not end by themselves: it has a method
        ``stopping`` if there are such."""
        stopping = getattr(self.loaded_app, "stopping", None)
        if stopping is not None:
            stopping()

    def for_operators(self) -> ListenerConfig | None:
        """What the operators' connections need, once the application is loaded; None where
        operators have no listener."""
        if self.operators is None:
            return None
        app: ASGIApp = self.loaded_app.operators
        counts = ConnectionCounts(OPERATORS, self.operators)
        certificates = self.certificates if OPERATORS in self.tls else {}
        return ListenerConfig(app, self.operators, counts, certificates)
