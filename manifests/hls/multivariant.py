"""How is a multivariant playlist read, edited and written? The door to this package.

``parse`` gives facts to decide on; ``write`` gives the bytes for one player. Between the two the
source's own text is kept, so nothing that the project does not understand is lost (A2.2).
"""

from manifests.hls.blocks import MultivariantPlaylist
from manifests.hls.entries import (
    GROUP_TYPES,
    IFrameVariant,
    Rendition,
    SessionData,
    SessionKey,
    Steering,
    Variant,
    groups_named,
)
from manifests.hls.fault import Fault, ManifestError, QueryParameterError
from manifests.hls.reading import DEFAULT_MAX_BYTES, parse
from manifests.hls.writing import Edit, keep_everything, write

__all__ = [
    "DEFAULT_MAX_BYTES",
    "GROUP_TYPES",
    "Edit",
    "Fault",
    "IFrameVariant",
    "ManifestError",
    "MultivariantPlaylist",
    "QueryParameterError",
    "Rendition",
    "SessionData",
    "SessionKey",
    "Steering",
    "Variant",
    "groups_named",
    "keep_everything",
    "parse",
    "write",
]
