"""Where are the files of a title on an edge that signs its URLs?"""

import pytest

from gateway.edge.edge import Edge
from gateway.edge.signed_root import REDACTED, redacted, signed_root
from gateway.edge.signing import Covers, Validity
from tests.signed_urls import NOW_S, refused, root_of, signing, without_signature
from tests.unit.trust.edge_signing.signers import signers

URL = "https://e.example/v/"


@pytest.mark.parametrize(
    ("covers", "path", "file", "folder"),
    [
        ("asset", "a/film/m.mpd", "a/film/1.m4s", "a/film/"),
        ("asset", "a/film/m.mpd", "a/film/x/1.m4s?n=/2", "a/film/"),
        ("asset", "a/film/m.mpd", "a/film/", "a/film/"),
        ("asset", "a/film/m.mpd", "a/other/1.m4s", "a/other/"),
        ("asset", "a/film/m.mpd", "1.m4s?x", ""),
        ("asset", "m.mpd", "a/1.m4s", ""),
        ("edge", "a/film/m.mpd", "b/1.m4s", ""),
        ("asset", "m/é x/m.mpd", "m/é x/1.m4s", "m/é x/"),
    ],
)
def test_each_file_has_the_signature_of_its_folder(
    covers: Covers, path: str, file: str, folder: str
) -> None:
    """As a browser sends it: it encodes what is not ASCII."""
    used = signing(covers=covers)
    root = root_of(URL, path, used)
    assert folder == root.covering(file)
    found = root(file)
    assert refused(found, used) is None
    assert f"{URL}{file}".replace("é x/", "%C3%A9%20x/") == without_signature(found)


def test_roots_are_equal_within_a_step() -> None:
    """They are in the keys of finished manifests."""
    edge = Edge("e", URL, signing=signing())
    first = signed_root(edge, "a/m.mpd", NOW_S)
    assert first is not None
    first("a/1.m4s")
    assert first == signed_root(edge, "a/m.mpd", NOW_S + 59)
    assert hash(first) == hash(signed_root(edge, "a/m.mpd", NOW_S + 59))
    assert first != signed_root(edge, "a/m.mpd", NOW_S + 60)
    assert first != signed_root(Edge("e", URL, signing=signing("b")), "a/m.mpd", NOW_S)
    assert signed_root(Edge("e", URL), "a/m.mpd", NOW_S) is None


def test_how_long_signatures_stay_the_same() -> None:
    used = signing(step_s=60)
    assert 59 == used.unchanged_s(NOW_S // 60 * 60)
    assert 0 == used.unchanged_s(NOW_S // 60 * 60 + 59.9)


@pytest.mark.parametrize("name", signers())
def test_a_redacted_signature_opens_nothing(name: str) -> None:
    """Of no scheme that puts it into the path; the rest of the URL stays."""
    signer, validity = signers()[name], Validity(NOW_S - 60, NOW_S + 60)
    url, folder = "https://edge.example/videos/", "film/one/"
    base = signer.signed_base(url, folder, validity)
    shown = redacted(base, f"{url}{folder}")
    if signer.carrier == "cookie":
        assert base == shown == f"{url}{folder}"
        return
    assert None is signer.refusal(f"{base}a.m3u8", {}, NOW_S)
    assert None is not signer.refusal(f"{shown}a.m3u8", {}, NOW_S)
    assert [part for part in shown.split("/") if part != REDACTED] == f"{url}{folder}".split("/")
