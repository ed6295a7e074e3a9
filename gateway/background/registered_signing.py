"""Signs the URLs of edges that register themselves, as ``[registry.signing]`` says.

A registration stands in the store, which must hold no secret of an edge. So one table of the
configuration is for all of them.
"""

from collections.abc import Callable
from dataclasses import replace

import structlog

from gateway.config.signing_build import signing_of
from gateway.config.signing_settings import EdgeSigningSettings
from gateway.edge.edge import Edge
from gateway.edge.signing import EdgeSigning
from gateway.trust.edge_signing.fit import check_url
from gateway.trust.edge_signing.scheme import SchemeError

log = structlog.get_logger()


class RegisteredSigning:
    """Gives registered edges the signing of the current configuration."""

    def __init__(self, settings: Callable[[], EdgeSigningSettings | None]) -> None:
        """``settings`` returns the table in force; None where registered edges check nothing."""
        self._settings = settings
        self._given: EdgeSigningSettings | None = None
        self._signing: EdgeSigning | None = None
        self._refused: dict[str, str] = {}

    def signed(self, edge: Edge) -> Edge | None:
        """The edge with its signing; None for one whose url cannot be signed, which is logged
        once."""
        given = self._settings()
        if given is not self._given:
            self._given = given
            self._signing = None if given is None else signing_of(given)
        if self._signing is None:
            return edge
        try:
            check_url(self._signing.signer, edge.url)
        except SchemeError as error:
            if self._refused.get(edge.id) != edge.url:
                self._refused[edge.id] = edge.url
                log.warning("registered_edge_not_signed", edge=edge.id, reason=str(error))
            return None
        self._refused.pop(edge.id, None)
        return replace(edge, signing=self._signing)
