"""How is uvicorn set up? Its settings, with the limits that each connection needs."""

from typing import Any

import uvicorn
from starlette.types import ASGIApp

from gateway.serving.connection_counts import ConnectionCounts
from gateway.serving.limits import ConnectionLimits


class ServerConfig(uvicorn.Config):
    """uvicorn's settings, and what :class:`gateway.serving.connection.Connection` needs besides.

    It is pickled for workers, so it holds no class of a connection but its name.
    """

    def __init__(
        self,
        app: ASGIApp | str,
        limits: ConnectionLimits,
        **settings: Any,  # noqa: ANN401  (uvicorn's own)
    ) -> None:
        """``settings`` are uvicorn's. The access log and proxy headers are off: the gateway counts
        requests itself, and ``trusted_proxies`` alone decides whom to believe (rule F9)."""
        super().__init__(
            app,
            http="gateway.serving.connection:Connection",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            **settings,
        )
        self.limits = limits
        self.counts = ConnectionCounts(
            limits.max_connections, limits.max_connections_per_address, limits.trusted_proxies
        )
