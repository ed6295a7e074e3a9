"""Which clause of a standard does a rule come from, and what is a breach of it called?

Code and tests cite rules by their id in ``docs/standards.md``. What operators and
players see names the clause instead, and metrics use the short name.
"""

from collections.abc import Mapping
from typing import NamedTuple


class StandardRule(NamedTuple):
    """One rule: ``clause`` in words for people, ``short_name`` in kebab-case for metrics."""

    clause: str
    short_name: str


RULES: Mapping[str, StandardRule] = {
    "A1.1": StandardRule("RFC 8216bis 4.1", "utf-8"),
    "A1.2": StandardRule("RFC 8216bis 4.1", "characters"),
    "A1.3": StandardRule("RFC 8216bis 4.1", "white-space"),
    "A1.4": StandardRule("RFC 8216bis 4.4.1.1", "first-line"),
    "A1.7": StandardRule("RFC 8216bis 4.4.6", "playlist-kind"),
    "A1.8": StandardRule("RFC 8216bis 4", "syntax"),
    "A1.9": StandardRule("RFC 8216bis 8", "removed-feature"),
    "A2.1": StandardRule("RFC 8216bis 6.3.1", "unknown-requirement"),
    "A3.1": StandardRule("RFC 8216bis 4.2", "attribute-list"),
    "A3.2": StandardRule("RFC 8216bis 4.2", "attribute-value"),
    "A3.3": StandardRule("RFC 8216bis 4.2", "quoted-string"),
    "A3.4": StandardRule("RFC 8216bis 4.2", "duplicate-attribute"),
    "A4.1": StandardRule("RFC 8216bis 4.4.1.2", "duplicate-version"),
    "A5.1": StandardRule("RFC 8216bis 4.4.2", "duplicate-tag"),
    "A5.3": StandardRule("RFC 8216bis 4.4.2.3", "variable-definition"),
    "A5.5": StandardRule("RFC 8216bis 4.3", "variable-reference"),
    "A6.1": StandardRule("RFC 8216bis 4.4.6.2", "variant-uri"),
    "A6.2": StandardRule("RFC 8216bis 4.4.6.2", "bandwidth"),
    "A6.3": StandardRule("RFC 8216bis 4.4.6.2", "score"),
    "A6.7": StandardRule("RFC 8216bis 4.4.6.2", "hdcp-level"),
    "A6.9": StandardRule("RFC 8216bis 4.4.6.2", "video-range"),
    "A6.12": StandardRule("RFC 8216bis 4.4.6.2", "rendition-group"),
    "A7.1": StandardRule("RFC 8216bis 4.4.6.3", "i-frame-playlist"),
    "A8.1": StandardRule("RFC 8216bis 4.4.6.1", "rendition"),
    "A8.8": StandardRule("RFC 8216bis 4.4.6.1", "group-members"),
    "A9.1": StandardRule("RFC 8216bis 4.4.6.4", "session-data"),
    "A9.2": StandardRule("RFC 8216bis 4.4.6.5", "session-key"),
    "C1.1": StandardRule("RFC 8216bis 4.4.6.6", "content-steering"),
    "E1": StandardRule("23009-1 5.3.1", "mpd"),
    "E1.1": StandardRule("23009-1 5.3.2, 5.3.3", "empty-element"),
    "E2": StandardRule("23009-1 5.3", "element-order"),
    "E7": StandardRule("23009-1 5.3", "reference"),
    "E9": StandardRule("23009-1 5.3.2, 5.3.3, 5.3.5", "id"),
    "E9.1": StandardRule("23009-1 5.3.5", "representation-bandwidth"),
    "E9.2": StandardRule("23009-1 5.3.7", "mime-type"),
    "E16": StandardRule("XML 1.0", "xml"),
    "E18": StandardRule("23009-1 5.8, 5.10", "scheme"),
    "F13": StandardRule("limit of this gateway", "size"),
    "G3": StandardRule("media3 1.11, HLS playlist parser", "attribute-order"),
    "G6": StandardRule("media3 1.11, DASH manifest parser", "prefix"),
}
