"""Reads one case of the conformance set, and runs it through the gateway's own functions.

A case is a folder named after the rule that it shows:

- ``source.m3u8``: the playlist of the source.
- ``case.toml``: the request, the policy, and the faults that the reader finds in the source.
- ``expected.m3u8``: the exact bytes that the player gets; absent when it gets an error.

Keys of ``case.toml``, all optional but the first two:

- ``rule``: the rule, by its id in ``docs/standards.md``.
- ``shows``: what the case shows, in a sentence.
- ``faults``: the faults that the reader lists, as ``RULE line 4``.
- ``refused``: the rule for which the source is refused, in the same form.
- ``rungs``: how many rungs the player gets, counting copies once.
- ``status``: the HTTP status, 200 unless given (502 where ``refused`` is).
- ``[profile]``: limits, by their keys in ``gateway.toml``. Without any and without ``[device]``,
  the playlist stays unchanged except for its URIs.
- ``[query]``: the query parameters of the request.
- ``[device]``: what the device can play, and a ``user_agent`` of such a device.
- ``[steering]``: the playlist is steered, and lists its ladder once more for each edge in
  ``copies``. The serving edge has the id ``edge``. Over HTTP, SERVER-URI is another one each time.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.ladder.fit import fit
from gateway.ladder.rung import Constraints
from gateway.play.hls.edit import edit_of
from gateway.play.hls.ladder import rungs_of
from gateway.play.hls.steering import refusal
from manifests.codecs import CodecFamily, VideoRange
from manifests.hls.multivariant import PathwayCopy, parse, write
from manifests.rebase import rebaser
from manifests.steering import SteeringTags

FOLDER = Path(__file__).parent / "hls"
EDGE = "https://edge.example/"
COPIES = {"port": "https://edge.example:8443/", "path": "https://cdn.example/tenant-7/vod/"}
"""The URLs of edges for which ladders are copied, by their ids."""
SOURCE_FILE = "source.m3u8"


@dataclass(frozen=True, slots=True)
class Case:
    """One case; ``expected`` None: the player gets an error."""

    name: str
    rule: str
    source: bytes
    expected: bytes | None
    faults: tuple[str, ...]
    refused: str | None
    status: int
    rungs: int | None
    profile: Mapping[str, Any]
    query: Mapping[str, str]
    device: Mapping[str, Any]
    steering: Mapping[str, Any]


def case_of(folder: Path) -> Case:
    """Read a case."""
    about = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    expected = folder / "expected.m3u8"
    refused = about.get("refused")
    return Case(
        name=folder.name,
        rule=about["rule"],
        source=(folder / SOURCE_FILE).read_bytes(),
        expected=expected.read_bytes() if expected.exists() else None,
        faults=tuple(about.get("faults", ())),
        refused=refused,
        status=about.get("status", 200 if refused is None else 502),
        rungs=about.get("rungs"),
        profile=about.get("profile", {}),
        query=about.get("query", {}),
        device=about.get("device", {}),
        steering=about.get("steering", {}),
    )


CASES = [case_of(path) for path in sorted(FOLDER.iterdir())]


def personalised(case: Case, source: bytes) -> bytes:
    """The playlist that a case's player gets for a source. The cases call the gateway's functions
    only here.
    """
    playlist = parse(source, f"{case.name}/{SOURCE_FILE}")
    limits = limits_of(case.profile, case.query, case.device)
    home = None if playlist.steering is None else playlist.steering.pathway
    kept = fit(rungs_of(playlist), limits, home).kept
    edit = edit_of(playlist, kept, limits)
    name = f"{case.name}/{SOURCE_FILE}"
    rewrite = rebaser(name, EDGE)
    if not case.steering or refusal(playlist, edit, EDGE, rewrite) is not None:
        return write(playlist, edit, rewrite, case.query)
    copies = [PathwayCopy(edge, rebaser(name, url)) for edge, url in COPIES.items()]
    tags = SteeringTags("https://play.example/v1/steering/film?state=k.AbC-_", "edge")
    wanted = [copy for copy in copies if copy.id in case.steering["copies"]]
    return write(playlist, edit, rewrite, case.query, steering=tags, copies=wanted)


def limits_of(
    profile: Mapping[str, Any], query: Mapping[str, str], device: Mapping[str, Any]
) -> Constraints:
    """The limits of a case; none at all without any of profile, query and device."""
    start_kbps = profile.get("start_bitrate_kbps")
    heights = [profile.get("max_height"), device.get("max_height"), _lines(query, "max_resolution")]
    kbps = [profile.get("max_bitrate_kbps"), _number(query, "max_bitrate")]
    bandwidth = min((each for each in kbps if each is not None), default=None)
    rates = [profile.get("max_frame_rate"), device.get("max_frame_rate")]
    return Constraints(
        max_bandwidth=None if bandwidth is None else bandwidth * 1000,
        max_height=min((each for each in heights if each is not None), default=None),
        min_height=_lines(query, "min_resolution"),
        max_frame_rate=min((each for each in rates if each is not None), default=None),
        wanted_codecs=_families(query["codecs"].split(",") if "codecs" in query else None),
        allowed_codecs=_families(profile.get("codecs")),
        device_codecs=_families(device.get("codecs")),
        allowed_ranges=_ranges(profile.get("video_range")),
        device_ranges=_ranges(device.get("video_range")),
        immersive=device.get("spatial", True),
        screen=device.get("screen", True),
        audio_only=device.get("audio_only", True),
        min_rungs=profile.get("min_rungs", 1),
        start_bandwidth=None if start_kbps is None else start_kbps * 1000,
        untouched=not profile and not device,
    )


def _families(names: Iterable[str] | None) -> frozenset[CodecFamily] | None:
    return None if names is None else frozenset(map(CodecFamily, names))


def _ranges(names: Iterable[str] | None) -> frozenset[VideoRange] | None:
    return None if names is None else frozenset(map(VideoRange, names))


def _number(query: Mapping[str, str], name: str) -> int | None:
    return int(query[name]) if name in query else None


def _lines(query: Mapping[str, str], name: str) -> int | None:
    """A resolution such as ``360p``."""
    return int(query[name].removesuffix("p")) if name in query else None
