"""Laws of signed URLs: what is below a signed folder is served until the signature ends, and
nothing else is, with no other key."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.signing import Covers, EdgeSigner, EdgeSigning, Validity
from tests.unit.trust.edge_signing.signers import signed, signers

SEGMENTS = st.text("ABZabz019._~-", min_size=1, max_size=8).filter(lambda s: s.strip(".") != "")
FOLDERS = st.lists(SEGMENTS, max_size=4).map(lambda parts: "".join(f"{part}/" for part in parts))
EDGES = st.sampled_from(
    ["https://e.example/", "https://e.example/videos/", "http://e.example:8080/%C3%A9/a+b'@/"]
)
# RSA takes a millisecond for each signature, and is judged by the same lines as the others.
NAMES = [name for name in signers() if not name.startswith("cloudfront")]
TIMES = st.builds(
    lambda starts, lasts: Validity(starts, starts + lasts),
    st.integers(1_000_000_000, 2_000_000_000),
    st.integers(1, 100_000_000),
)


def accepts(signer: EdgeSigner, url: str, cookies: dict[str, str], now_s: float) -> bool:
    """Whether an edge would serve the request."""
    return signer.refusal(url, cookies, now_s) is None


def usable(signer: EdgeSigner, edge_url: str) -> bool:
    """Whether the edge's URL may be configured with the scheme."""
    return signer.scheme != "bunny" or "%" not in edge_url


@given(st.sampled_from(NAMES), EDGES, FOLDERS, FOLDERS, SEGMENTS, TIMES, st.floats(0, 0.999))
@settings(max_examples=60, deadline=None)
def test_inside_is_served_until_the_end(
    name: str, edge: str, folder: str, below: str, file: str, times: Validity, when: float
) -> None:
    """Whatever is below the folder, at any time of the signature; not afterwards."""
    signer = signers()[name]
    if not usable(signer, edge):
        return
    base, cookies = signed(signer, edge, folder, times)
    url = f"{base}{below}{file}"
    now_s = times.starts_s + when * (times.expires_s - times.starts_s)
    assert accepts(signer, url, cookies, now_s)
    assert not accepts(signer, url, cookies, times.expires_s + 1)
    assert not accepts(signers(other_key=True)[name], url, cookies, now_s)


@given(st.sampled_from(NAMES), EDGES, FOLDERS, FOLDERS, SEGMENTS, TIMES)
@settings(max_examples=60, deadline=None)
def test_outside_is_refused(
    name: str, edge: str, folder: str, other: str, file: str, times: Validity
) -> None:
    """A signature is moved to a URL that is not below its folder. Akamai's lists have a wildcard
    where a folder has ``~``."""
    signer = signers()[name]
    wild = signer.scheme == "akamai" and "~" in folder
    if other.startswith(folder) or wild or not usable(signer, edge):
        return
    base, cookies = signed(signer, edge, folder, times)
    if base.startswith(f"{edge}{folder}"):  # the signature is behind the folder, or a cookie
        moved = f"{edge}{other}{base.removeprefix(f'{edge}{folder}')}"
    else:
        moved = base[: len(base) - len(folder)] + other
    assert not accepts(signer, f"{moved}{file}", cookies, times.starts_s)


@given(
    st.integers(1, 100_000),
    st.integers(1, 100_000),
    st.integers(0, 1000),
    st.floats(0, 4e9),
    st.floats(0, 1e5),
)
def test_steps(lifetime_s: int, step_s: int, skew_s: int, now_s: float, later_s: float) -> None:
    """Every signature has its whole lifetime left, and ends at most a step later. Signatures never
    end earlier than those before them, and are equal within a step."""
    signing = EdgeSigning("x", signers()["nginx"], lifetime_s, step_s, skew_s)
    found, next_one = signing.validity(now_s), signing.validity(now_s + later_s)
    assert found.starts_s <= now_s - skew_s
    assert lifetime_s < found.expires_s - int(now_s) <= lifetime_s + step_s
    assert found.expires_s <= next_one.expires_s
    same = int(now_s) // step_s == int(now_s + later_s) // step_s
    assert same is (found == next_one)
    assert found == signing.validity(int(now_s) + signing.unchanged_s(now_s))


@given(FOLDERS, SEGMENTS, st.sampled_from(["asset", "edge", "segments"]), st.integers(1, 5))
def test_a_manifest_is_below_the_folder_that_is_signed_for_it(
    folder: str, file: str, covers: Covers, segments: int
) -> None:
    """The folder is one of those that the manifest is in, and stays the same for the folder."""
    signing = EdgeSigning("x", signers()["nginx"], 1, 1, 0, covers, segments)
    found = signing.folder_of(f"{folder}{file}")
    assert folder.startswith(found)
    assert found == "" or found.endswith("/")
    assert found == signing.folder_of(f"{folder}{file}?x=/y/z")
