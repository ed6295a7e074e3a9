"""How is a multivariant playlist read, edited and written? The public names of this package.

``parse`` gives facts to decide on; ``write`` gives the bytes for one player. Both work on the
source's own text, so unknown tags and attributes are kept byte for byte (A2.2).
"""

from manifests.fault import Fault, ManifestError, QueryParameterError
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
from manifests.hls.reading import DEFAULT_MAX_BYTES, parse
from manifests.hls.writing import Edit, PathwayCopy, keep_everything, write

__all__ = [
    "DEFAULT_MAX_BYTES",
    "GROUP_TYPES",
    "Edit",
    "Fault",
    "IFrameVariant",
    "ManifestError",
    "MultivariantPlaylist",
    "PathwayCopy",
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
