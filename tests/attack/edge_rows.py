"""Attacks on what edges check: signed URLs and cookies of each scheme, judged as the edge does."""

import random
from collections.abc import Iterator

from gateway.edge.signing import EdgeSigner, Validity
from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.stages import Stage, no_stage
from tests.unit.trust.edge_signing.signers import signed, signers

URL, FOLDER = "https://edge.example/videos/", "film/one/"
NOW_S = 1_800_000_000
VALIDITY = Validity(NOW_S - 60, NOW_S + 600)
FILE = "a/b.m3u8"
CHANGES = 40
"""Changed letters of each signature, at full effort."""
Forged = tuple[str, str, dict[str, str], float]
"""What it is, a URL, cookies, and when it is sent."""
ELSEWHERE = (
    *("film/two/", "film/one2/", "film/", "film/onE/", "other/film/one/", "film//one/"),
    *("FILM/one/", "film/one.%2f", "film/one%00/"),
)
"""Edges resolve dot segments before they check, so what is left of them is a folder like these; a
test with nginx has those."""


def _given(
    signer: EdgeSigner, folder: str = FOLDER, validity: Validity = VALIDITY
) -> tuple[str, dict[str, str]]:
    return signed(signer, URL, folder, validity)


def _elsewhere(base: str) -> Iterator[str]:
    """URLs of other files with the same signature."""
    at = base.rindex(FOLDER)
    for folder in ELSEWHERE:
        yield f"{base[:at]}{folder}{base[at + len(FOLDER) :]}{FILE}"


def _changed(text: str, one: random.Random, count: int) -> Iterator[str]:
    """The text with one letter changed, or cut."""
    for _ in range(count):
        at = one.randrange(len(text) - 1)  # the last letter may have bits that belong to no byte
        yield text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
    yield from (text[:-2], text[: len(text) // 2], "")


def _forged(name: str, signer: EdgeSigner, one: random.Random, count: int) -> Iterator[Forged]:
    """What an edge with this scheme must refuse."""
    base, cookies = _given(signer)
    for url in _elsewhere(base):
        yield "another file", url, cookies, NOW_S
    for now_s in (VALIDITY.expires_s + 1, NOW_S + 10**8):  # nginx takes the last second in
        yield "an ended signature", f"{base}{FILE}", cookies, now_s
    yield "no signature", f"{URL}{FOLDER}{FILE}", {}, NOW_S
    other_base, other = _given(signers(other_key=True)[name])
    yield "another key", f"{other_base}{FILE}", other, NOW_S
    two_base, two = _given(signer, "film/two/")
    yield "that of another title", two_base.replace("/two/", "/one/") + FILE, two, NOW_S
    known = f"{URL}{FOLDER}".split("/")
    signature = max((part for part in base.split("/") if part not in known), key=len, default="")
    for changed in _changed(signature, one, count) if signature else ():
        yield "a changed signature", base.replace(signature, changed) + FILE, {}, NOW_S
    for key, value in cookies.items():
        for changed in _changed(value, one, count):
            yield f"{key}={changed}", f"{base}{FILE}", {**cookies, key: changed}, NOW_S
        left = {each: cookies[each] for each in cookies if each != key}
        yield f"no {key}", f"{base}{FILE}", left, NOW_S


async def forge_urls(stage: Stage, effort: Effort) -> Outcome:
    """Use signatures for other files, after their end, changed, and of other keys."""
    del stage
    outcome, one = Outcome(), random.Random(effort.seed)
    count = max(5, round(CHANGES * effort.scale))
    for name, signer in signers().items():
        base, cookies = _given(signer)
        good = signer.refusal(f"{base}{FILE}", cookies, NOW_S)
        outcome.fault(f"{name}: a good signature is refused: {good}", unless=good is None)
        for what, url, given, now_s in _forged(name, signer, one, count):
            outcome.sent += 1
            refused = signer.refusal(url, given, now_s) is not None
            outcome.fault(f"{name}: {what} is accepted: {url}", unless=refused)
    outcome.figures.append(f"{len(signers())} schemes")
    return outcome


ROWS = (
    Attack(
        name="signed-edge-urls",
        group="What is signed",
        sent="URLs of edges with the signature of another title, of another key, after its end, "
        "changed, cut, and other folders; cookies alike.",
        expected="The edge refuses each, in every scheme; a good one is served.",
        staging=no_stage,
        run=forge_urls,
        checks_vitals=False,
    ),
)
