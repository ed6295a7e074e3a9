"""Messages between workers: whatever is written is read back, and nothing else is accepted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.coordination.bus import MAX_MESSAGE_BYTES
from gateway.store.coordination.messages import (
    MAX_WORD_CHARS,
    ControlMessage,
    EdgesChanged,
    PolicyReloaded,
    Purge,
    decode_message,
    encode_message,
)

MESSAGES: tuple[ControlMessage, ...] = (
    PolicyReloaded("0123456789abcdef"),
    EdgesChanged("drain", "us-east-1"),
    Purge("films/one", None, "ab12"),
    Purge(None, "films/", "ab12"),
    Purge("a" * 512, None, "f" * 64),
)


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_a_message_is_read_back(message: ControlMessage) -> None:
    """Each kind, the largest purge included, fits and comes back equal."""
    body = encode_message(message)
    assert message == decode_message(body)
    assert len(body) <= MAX_MESSAGE_BYTES


@pytest.mark.parametrize(
    "told",
    [
        {"v": 2, "kind": "policy-reloaded", "version": "1"},
        {"kind": "policy-reloaded", "version": "1"},
        {"v": 1, "kind": "policy-reloaded"},
        {"v": 1, "kind": "policy-reloaded", "version": 1},
        {"v": 1, "kind": "policy-reloaded", "version": ""},
        {"v": 1, "kind": "policy-reloaded", "version": "1", "more": "x"},
        {"v": 1, "kind": "edges-changed", "what": "x", "edge": "e" * (MAX_WORD_CHARS + 1)},
        {"v": 1, "kind": "unheard-of"},
        {"v": 1, "kind": "purge", "token": "ab"},
        {"v": 1, "kind": "purge", "asset": "film", "token": "not hex"},
        {"v": 1, "kind": "purge", "asset": "../film", "token": "ab"},
        {"v": 1, "kind": "purge", "asset": "film", "prefix": "film", "token": "ab"},
        {"v": 1, "kind": "purge", "prefix": "", "token": "ab"},
        {"v": 1, "kind": "purge", "prefix": "/film", "token": "ab"},
        {"v": 1, "kind": "purge", "prefix": "film\n", "token": "ab"},
        [],
        None,
        "v",
    ],
    ids=repr,
)
def test_what_is_not_exactly_a_message_is_none(told: object) -> None:
    """Another version, kind or type, or a field too many, is rejected."""
    assert None is decode_message(json.dumps(told).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    """Redis may hold anything."""
    assert None is decode_message(body)


def test_deep_nesting_is_read_without_an_error() -> None:
    """As deep as a message can be."""
    assert None is decode_message(b"[" * MAX_MESSAGE_BYTES)
