"""API keys: their form, and which are accepted."""

import hmac
from hashlib import sha256

import pytest

from gateway.trust.operators.api_key import ApiKey, ApiKeys, digest_of, key_hash, key_text
from gateway.trust.operators.operator import Operator, Role, SignInRefusal

TEXT = key_text("ci", bytes(range(32)))
OTHER = key_text("ci", bytes(32))
NOW_S = 1_800_000_000.0


def keys(**more: object) -> ApiKeys:
    """A ring with one key, ``ci``."""
    return ApiKeys([ApiKey("ci", digest_of(key_hash(TEXT)), Role.OPERATOR, **more)])  # type: ignore[arg-type]


def test_the_form_of_a_key() -> None:
    """A scanner finds it by its start; the id is readable."""
    assert "gwk_ci_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq" == TEXT
    assert "sha256:" + sha256(TEXT.encode()).hexdigest() == key_hash(TEXT)
    assert TEXT not in repr(ApiKey("ci", digest_of(key_hash(TEXT)), Role.VIEWER))


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        (TEXT, {}, Operator("key", "ci", Role.OPERATOR)),
        (
            TEXT,
            {"scopes": frozenset({"metrics"})},
            Operator("key", "ci", Role.OPERATOR, frozenset({"metrics"})),
        ),
        (TEXT, {"expires_s": NOW_S + 1}, Operator("key", "ci", Role.OPERATOR)),
        (TEXT, {"expires_s": NOW_S}, ("expired-key", "ci")),
        (TEXT, {"state": "revoked"}, ("revoked-key", "ci")),
        (OTHER, {}, ("unknown-key", "ci")),
        (OTHER, {"state": "revoked"}, ("unknown-key", "ci")),
        (TEXT.replace("_ci_", "_cj_"), {}, ("unknown-key", "cj")),
        (TEXT + "a", {}, ("unknown-key", None)),
        (TEXT.upper(), {}, ("unknown-key", None)),
        (f"{TEXT}\n", {}, ("unknown-key", None)),
        ("", {}, ("unknown-key", None)),
        ("\udcff", {}, ("unknown-key", None)),
        ("gwk_" + "x" * 100_000, {}, ("unknown-key", None)),
    ],
)
def test_which_keys_are_accepted(
    text: str, more: dict[str, object], expected: Operator | tuple[str, str | None]
) -> None:
    found = keys(**more).verify(text, NOW_S)
    if isinstance(found, SignInRefusal):
        assert expected == (found.code, found.id)
        assert TEXT not in found.text
    else:
        assert expected == found


def test_an_unknown_id_costs_as_much_and_tells_as_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash and one comparison, whatever the key; and the same text."""
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    found = [
        keys().verify(text, NOW_S) for text in (OTHER, OTHER.replace("_ci_", "_x_"), "nonsense")
    ]
    assert 3 * [(32, 32)] == compared
    assert {"the API key is not one of this gateway"} == {
        each.text for each in found if isinstance(each, SignInRefusal)
    }
