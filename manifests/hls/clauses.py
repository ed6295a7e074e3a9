"""Which clause of which standard does a rule stand for, in words that an operator can look up?

``docs/standards.md`` says what each rule demands.
"""

from collections.abc import Mapping
from typing import Final

CLAUSES: Final[Mapping[str, str]] = {
    "A1.1": "RFC 8216bis 4.1",
    "A1.2": "RFC 8216bis 4.1",
    "A1.3": "RFC 8216bis 4.1",
    "A1.4": "RFC 8216bis 4.4.1.1",
    "A1.7": "RFC 8216bis 4.4.6",
    "A1.8": "RFC 8216bis 4",
    "A1.9": "RFC 8216bis 8",
    "A2.1": "RFC 8216bis 6.3.1",
    "A3.1": "RFC 8216bis 4.2",
    "A3.2": "RFC 8216bis 4.2",
    "A3.3": "RFC 8216bis 4.2",
    "A3.4": "RFC 8216bis 4.2",
    "A4.1": "RFC 8216bis 4.4.1.2",
    "A5.1": "RFC 8216bis 4.4.2",
    "A5.3": "RFC 8216bis 4.4.2.3",
    "A5.5": "RFC 8216bis 4.3",
    "A6.1": "RFC 8216bis 4.4.6.2",
    "A6.2": "RFC 8216bis 4.4.6.2",
    "A6.3": "RFC 8216bis 4.4.6.2",
    "A6.9": "RFC 8216bis 4.4.6.2",
    "A6.12": "RFC 8216bis 4.4.6.2",
    "A7.1": "RFC 8216bis 4.4.6.3",
    "A8.1": "RFC 8216bis 4.4.6.1",
    "A8.8": "RFC 8216bis 4.4.6.1.1",
    "A9.1": "RFC 8216bis 4.4.6.4",
    "A9.2": "RFC 8216bis 4.4.6.5",
    "C1.1": "RFC 8216bis 4.4.6.6",
    "F13": "a limit of this gateway",
    "G3": "media3 1.11",
}
"""The clause of every rule that a fault or a manifest error may name."""
