"""What does the request path need of a manifest format?

``gateway/play/hls`` and ``gateway/play/dash`` implement :class:`Format`;
:mod:`gateway.play.formats` lists them.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

from gateway.edge.edge import Edge
from gateway.play.bodies import Body
from gateway.play.decide import Decided, Earlier
from gateway.play.request import Request
from gateway.play.runtime import Gateway
from gateway.reason import Reason


class Draft(Protocol):
    """The manifest of one decision, before it is written."""

    @property
    def key(self) -> Hashable:
        """All inputs of :meth:`write`. Many decisions give the same bytes."""
        ...

    @property
    def edges(self) -> Sequence[Edge]:
        """The edges that the manifest names, the one to load from first."""
        ...

    def write(self) -> bytes:
        """The manifest. May run in a thread. Raises :class:`gateway.play.problems.Problem`."""
        ...

    def for_session(self, body: Body) -> Body:
        """The manifest for the session that asks, made from what all of its class share."""
        ...


class Format(Protocol):
    """A manifest format."""

    @property
    def suffix(self) -> str:
        """What follows the asset's id in the path of a request, such as ``.m3u8``."""
        ...

    @property
    def media_type(self) -> str:
        """The Content-Type of a manifest."""
        ...

    def earlier(self, gateway: Gateway, request: Request, asset: str) -> Earlier | None:
        """What an earlier answer has fixed for this request; None at first."""
        ...

    def draft(self, gateway: Gateway, found: Decided, request: Request) -> Draft:
        """The manifest of a decision. Raises :class:`gateway.play.problems.Problem`."""
        ...

    def names(self, found: Decided, request: Request) -> Sequence[Mapping[str, str | None]]:
        """What a JSON decision calls each rung that stays, in output order: its ``uri`` on the
        serving edge, None for one without, and what else the format has. Raises
        :class:`gateway.play.problems.Problem`."""
        ...

    def steering(self, found: Decided, request: Request) -> Reason:
        """Whether the manifest is steered, and why not. Raises
        :class:`gateway.play.problems.Problem`."""
        ...
