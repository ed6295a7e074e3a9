"""Attacks on a real nginx that checks signatures: paths that lead out of the signed folder."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.edge.signing import EdgeSigning
from gateway.trust.edge_signing.nginx import NginxSigner
from gateway.trust.edge_signing.scheme import SecretKey
from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.stages import Stage, no_stage
from tests.secure_link import MISSING, SECRET, has_nginx, secure_link

SIGNED = "/videos/film/one/"
OURS = ("a.ts", "sub/a.ts", "..a/a.ts")
"""Files in the signed folder; the content of each file is its path."""
OTHERS = (
    *("videos/film/two/a.ts", "videos/film/one2/a.ts", "videos/film/a.ts", "videos/a.ts"),
    *("other/film/one/a.ts", "a.ts"),
)
OUTSIDE = "outside.ts"
"""A file beside the root of nginx."""
DOTS = ("..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "..;", "..%00", "%c0%ae%c0%ae", "...", ".")
SLASHES = ("/", "//", "%2f", "%2F", "%252f", "\\", "%5c", "/./", ";/", "/;x=y/", "%c0%af")
TARGETS = ("two/a.ts", "one2/a.ts", "film/two/a.ts", "a.ts", "videos/a.ts", OUTSIDE, "etc/passwd")
MOST_UP = 6
TRAILING = ("x", ".", "~", "=", "%00", "%20", "%0a", ";", ";x", "%3f", "%23", "~x", "A", "-", "!")
"""What follows a signature, or a file."""


def write_media(folder: Path) -> Path:
    """The files; returns the root of nginx."""
    media = folder / "media"
    for path in (*OTHERS, *(f"{SIGNED.strip('/')}/{ours}" for ours in OURS)):
        file = media / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (folder / OUTSIDE).write_text(OUTSIDE)
    return media


def targets(folder: str, signature: str) -> Iterator[str]:
    """Paths with the signature of ``folder`` that may lead elsewhere."""
    base = f"{folder}{signature}/"
    for dot, slash, up, target in itertools.product(DOTS, SLASHES, range(1, MOST_UP), TARGETS):
        yield f"{base}{(dot + slash) * up}{target}"
        if up == 1 or slash == "/":
            yield f"{base}sub/{(dot + slash) * up}{target}"
            yield f"{folder}{(dot + slash) * up}{target}/{signature}/a.ts"
            yield f"{folder}{(dot + slash) * up}{signature}/{target}"
    for other in OTHERS:
        at, _, name = f"/{other}".rpartition("/")
        yield f"/{other}"  # no signature
        yield f"{at}/{signature}/{name}"  # that of another folder
        yield f"{base}/{other}"  # an absolute path
        yield f"{base}/{at}/{signature}/{name}"  # twice
        yield f"{at}/{signature}/../{signature}/{name}"
        yield f"{folder}{signature}{at}/{name}"
        for tail in TRAILING:
            yield f"{folder}{signature}{tail}{at}/{name}"
            yield f"{at}/{signature}{tail}/{name}"
            yield f"{at}{tail}{folder}{signature}/{name}"
    for tail in TRAILING:
        yield f"{folder}{signature}{tail}/a.ts"
        yield f"{base}a.ts{tail}"
        yield f"{base}{tail}/a.ts"
        yield f"{folder.rstrip('/')}{tail}/{signature}/a.ts"
        yield f"{folder}{tail}{signature}/../two/a.ts"
    for changed in (signature[:-1], signature.upper(), signature.replace("~", "%7E"), "~", "~~"):
        yield f"{folder}{changed}/../../two/a.ts"
        yield f"{folder}../two/{changed}/a.ts"
    yield from (f"{folder}{signature}", base, f"{base}.", f"{base}..", f"{base}../")


def _judge(shot: Shot, answer: Answer) -> str:
    """A file that is served is one of the signed folder."""
    del shot
    if answer.status >= 500:
        return f"nginx answers {answer.status}"
    if answer.status != 200:
        return ""
    served = answer.body.decode("utf-8", "replace")
    ours = {f"{SIGNED.strip('/')}/{each}" for each in OURS}
    return "" if served in ours else f"{served[:60]!r} is served"


def _get(target: str) -> Shot:
    return Shot(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), alone=True)


async def traverse(stage: Stage, effort: Effort) -> Outcome:
    """Ask nginx for files of other folders with the signature of one."""
    del effort
    outcome = Outcome()
    if not has_nginx():
        outcome.skipped = MISSING
        return outcome
    signing = EdgeSigning("k", NginxSigner(SecretKey("k", SECRET.encode())), 600, 60)
    with secure_link(stage.folder, write_media(stage.folder)) as port:
        edge = f"http://127.0.0.1:{port}"
        base = signing.signed_base(f"{edge}/videos/", "film/one/", time.time())
        signature = base.removeprefix(f"{edge}{SIGNED}").strip("/")
        good = [f"{SIGNED}{signature}/{each}" for each in OURS]
        control = await fire(port, map(_get, good), _judge, connections=1)
        outcome.fault(
            f"good URLs are answered {control.shown()}", unless=control.statuses == {200: len(OURS)}
        )
        tally = await fire(port, map(_get, targets(SIGNED, signature)), _judge)
    outcome.sent = tally.answered
    outcome.faults += control.faults + tally.faults
    outcome.figures.append(tally.shown())
    return outcome


ROWS = (
    Attack(
        name="edge-traversal",
        group="What is signed",
        sent="To a real nginx with the block of docs/edge-signing.md, the signature of a folder "
        "with dot segments in every coding, doubled and coded slashes, parameters, text behind the "
        "signature, and other folders.",
        expected="No file outside of the signed folder is served; those within are.",
        staging=no_stage,
        run=traverse,
        checks_vitals=False,
    ),
)
