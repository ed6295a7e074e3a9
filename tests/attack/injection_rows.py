"""Attacks with text: what a player makes up must stay where it belongs, and with that player."""

import asyncio
import itertools
import random
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.hostile import ADDRESSES, CANARY, HEADERS, PARAMETERS, USER_AGENTS
from tests.attack.judge import HLS, fault_of, plain
from tests.attack.stages import BASE, Stage, debug_stage, directory_stage, gateway_on, write_catalogue
from tests.attack.stages import port_of

TEXTS: tuple[str, ...] = (
    *("{c}", "{c}\r\nEvil: {c}", "{c}\nEvil: {c}", "{c}\r\n\r\nHTTP/1.1 200 OK", "{c}\0", "\x1b[31m{c}"),
    *('{c}"', '"{c}', '{c}","evil":"', '{c}\\', "{c}\u2028", "\u202e{c}", "{c}\x85", "{c}\x7f"),
    *('{c}"\n#EXT-X-KEY:METHOD=NONE', "{c}\n#EXTM3U", "{c}{$viewer}", "<{c}>&amp;", "]]>{c}", "{c}'"),
    *('{c}"\n{"event":"forged"}', "${{c}}", "%0d%0a{c}", "%250a{c}", "{c};src=query", "{c}, x=1"),
)
"""``{c}`` is the canary."""
PLACES = ("path", "query", "header", "body")
LONGEST_LINE_CHARS = 8000


class Monitor:
    """Everything that is sent to a Redis while the context lasts (MONITOR)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = bytearray()

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self._path))
        self._socket.sendall(b"MONITOR\r\n")
        assert self._socket.recv(5) == b"+OK\r\n"
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self) -> None:
        while data := self._socket.recv(1 << 20):
            self._seen += data

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def commands_with(self, text: str) -> list[bytes]:
        """The commands that have this text in them."""
        return [line for line in bytes(self._seen).split(b"\r\n") if text.encode() in line]

    @property
    def size(self) -> int:
        """Bytes seen."""
        return len(self._seen)


def _request(target: bytes, lines: list[bytes], body: bytes | None = None) -> bytes:
    method = b"GET" if body is None else b"POST"
    head = [method + b" " + target + b" HTTP/1.1", b"Host: localhost", *lines]
    if body is not None:
        head += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*head, b"", body or b""])


def injections() -> Iterator[Shot]:
    """Each text in each place, raw and percent-encoded."""
    for text in TEXTS:
        raw = text.replace("{c}", CANARY).encode("utf-8")
        coded = quote(raw, safe="").encode()
        for stem in (b"film", b"mine", b"live"):
            for path in (b"/v1/play/%s.m3u8", b"/v1/play/%s", b"/v1/steering/%s", b"/v1/play/%s.mpd"):
                for name in PARAMETERS:
                    yield Shot(_request(path % stem + b"?" + name + b"=" + coded, []))
                break
        for path in (b"/%s", b"/v1/play/%s.m3u8", b"/v1/play/%s", b"/v1/steering/%s", b"/v1/class/%s/film.mpd"):
            yield Shot(_request(path % coded, []))
        for name in HEADERS:
            for path in (b"/v1/play/film.m3u8", b"/v1/play/live.mpd", b"/v1/play/film", b"/v1/steering/film"):
                if b"\r\n\r\n" not in raw:  # that would be the end of the request
                    # What a header may not have is refused with the connection.
                    yield Shot(_request(path, [name + b": " + raw]), alone=True)
                yield Shot(_request(path, [name + b": " + coded]))
        cmcd = f'sid="{CANARY}",cid="{text.replace("{c}", CANARY)}",cdn="{CANARY}",ec=("{CANARY}"),'
        body = (cmcd + "e=e,sta=p,ts=1767225600000,v=2,com.example-x=\"" + CANARY + '"').encode()
        yield Shot(_request(b"/v1/cmcd?session=" + coded, [], body), b"POST")
        batch = b'{"assets": ["film", "' + coded + b'"], "%s": 1}' % coded
        yield Shot(_request(b"/v1/decisions?session=" + coded, [], batch), b"POST")
        probe = b'{"session": "%s", "bytes": 1000000, "duration_ms": 1000}' % coded
        yield Shot(_request(b"/v1/probe", [], probe), b"POST")


ECHOES = {b"x-request-id", b"access-control-allow-origin"}
"""The only headers that may hold a player's text: its request id, and its origin, as they are."""


def misplaced(shot: Shot, answer: Answer) -> str:
    """Where the canary is though it may not be."""
    if fault := fault_of(answer, shot.method):
        return fault
    canary = CANARY.encode()
    for name, value in answer.headers.items():
        if canary in value and name not in ECHOES:
            return f"the header {name!r} has it: {value!r}"
    if answer.headers.get(b"content-type", b"").startswith(HLS):
        for line in plain(answer).splitlines():
            if canary not in line:
                continue
            imported = re.fullmatch(rb'#EXT-X-DEFINE:NAME="viewer",VALUE="[^"]*"', line)
            if imported is None and not line.startswith(b"https://") and b"?v=" not in line:
                return f"a line of the playlist has it: {line!r}"
            if imported is None and b"mine" not in line:
                return f"a line of the playlist has it: {line!r}"
    if answer.headers.get(b"content-type", b"").startswith(b"application/dash+xml") and canary in plain(answer):
        return "the MPD has it"
    return ""


async def inject(stage: Stage, effort: Effort) -> Outcome:  # noqa: ARG001
    """Send each text, then look into the log and into Redis."""
    first_line = len(stage.gateway.log)
    with Monitor(stage.server.path) as monitor:
        tally = await fire(stage.port, injections(), misplaced, depth=4)
        await asyncio.sleep(1.0)  # reports and events are written in the background
    outcome = Outcome(tally.answered, [tally.shown()], tally.faults)
    for command in monitor.commands_with(CANARY)[:5]:
        outcome.fault(f"Redis was sent it: {command[:600]!r}")
    with stage.server.client() as redis:
        outcome.fault("keys in Redis have it", unless=not redis.keys(f"*{CANARY}*"))
    lines = list(stage.gateway.log)[first_line:]
    events = {str(line.get("event")) for line in lines}
    outcome.fault(f"forged events {events}", unless=not any(CANARY in e or e == "forged" for e in events))
    longest = max((len(str(line)) for line in lines), default=0)
    outcome.fault(f"a line of {longest} characters", unless=longest < LONGEST_LINE_CHARS)
    outcome.figures.append(f"{len(lines)} log lines, {monitor.size / 1e6:.1f} MB to Redis")
    return outcome


# Cache confusion


ASPECTS: dict[bytes, tuple[bytes, ...]] = {
    b"User-Agent": USER_AGENTS[:5],
    b"X-Forwarded-For": ADDRESSES[:4],
    b"Accept-Encoding": (b"gzip", b"br", b"identity"),
    b"Save-Data": (b"on", b"off"),
    b"ECT": (b"2g", b"4g"),
    b"CMCD-Request": (b"mtp=300", b"mtp=30000"),
    b"Sec-CH-UA-Platform": (b'"Android"', b'"Windows"'),
}
QUERIES = (b"", b"speed=300", b"speed=90000", b"max_resolution=360p", b"codecs=avc", b"viewer=alice", b"viewer=bob")
STEERED = re.compile(rb'(SERVER-URI="[^"]*\?state=|state=)[A-Za-z0-9_.%-]+')
"""Signed, with the time: another one each time."""


def viewers(seed: int, count: int) -> list[tuple[bytes, ...]]:
    """Viewers that differ in one aspect or in several: target and header lines."""
    one = random.Random(seed)
    made = []
    for _ in range(count):
        path = one.choice((b"/v1/play/film.m3u8", b"/v1/play/mine.m3u8", b"/v1/play/live.mpd", b"/v1/play/film"))
        query = one.choice(QUERIES[5:] if b"mine" in path else QUERIES)
        lines = [name + b": " + one.choice(values) for name, values in ASPECTS.items() if one.random() < 0.6]
        made.append((path + b"?" + query, *lines))
    return made


def _content(answer: Answer) -> tuple[int, bytes]:
    return answer.status, STEERED.sub(rb"\1", plain(answer))


async def confuse(stage: Stage, effort: Effort) -> Outcome:
    """Ask as many viewers in turn, with their own and with each other's entity tags, and compare
    with what a gateway answers that has other caches and was asked in another order."""
    count = max(40, round(250 * effort.scale))
    everybody = viewers(effort.seed, count)
    outcome = Outcome()
    own: dict[tuple[bytes, ...], tuple[int, bytes]] = {}
    tags: dict[tuple[bytes, ...], bytes] = {}

    def first(shot: Shot, answer: Answer) -> str:
        own[shot.note] = _content(answer)  # type: ignore[index]
        return fault_of(answer)

    fresh = stage.folder / f"fresh-{effort.seed}"
    write_catalogue(fresh / "catalogue")
    with gateway_on(fresh, BASE, {"GATEWAY_STORE__URL": "memory"}, 1) as (other, _):
        asked = (Shot(_request(one[0], list(one[1:])), note=one) for one in reversed(everybody))
        tally = await fire(port_of(other.url), asked, first, connections=1)
    outcome.faults += tally.faults

    def again(shot: Shot, answer: Answer) -> str:
        viewer: tuple[bytes, ...]
        viewer, tag = shot.note  # type: ignore[misc]
        if answer.status == 304:
            mine = tags.get(viewer)
            return "" if tag == mine or mine is None else f"304 to the entity tag of another: {tag!r}"
        if b"etag" in answer.headers:
            tags[viewer] = answer.headers[b"etag"]
        if _content(answer) != own[viewer]:
            return f"{viewer} gets {_content(answer)!r:.700} instead of {own[viewer]!r:.700}"
        if answer.headers.get(b"cache-control", b"").startswith(b"public"):
            return "a personal answer is public"
        named = {line.partition(b":")[0].lower() for line in viewer[1:]} - {b"x-forwarded-for"}
        vary = {name.strip().lower() for name in answer.headers.get(b"vary", b"").split(b",")}
        return "" if named <= vary else f"Vary lacks {named - vary}"

    one = random.Random(effort.seed)
    for turn in range(4):
        order = one.sample(everybody, len(everybody))
        known = list(tags.values())
        shots = []
        for viewer in order:
            tag = one.choice(known) if turn and known else b'"none"'
            lines = [*viewer[1:], b"If-None-Match: " + tag]
            shots.append(Shot(_request(viewer[0], lines), note=(viewer, tag)))
        found = await fire(stage.port, iter(shots), again)
        outcome.sent += found.answered
        outcome.faults += found.faults
    bodies = {viewer: content for viewer, content in own.items() if viewer in tags}
    pairs = same = 0
    for left, right in itertools.combinations(bodies, 2):
        pairs += 1
        if tags[left] == tags[right]:
            same += 1
            outcome.fault(
                f"one entity tag for two bodies: {left} {right}", unless=bodies[left] == bodies[right]
            )
    outcome.figures.append(f"{pairs} pairs of viewers, {same} with the same answer")
    return outcome


ROWS = (
    Attack(
        name="injection",
        group="Text of players",
        sent="Line breaks, NUL, escape sequences, Unicode, JSON and tags of playlists in every "
        "parameter, header, path and body, with a word to look for.",
        expected="The word is in no header, no line of a manifest that the source did not ask for, no "
        "event of the log, and not in Redis.",
        staging=debug_stage,
        run=inject,
    ),
    Attack(
        name="cache-confusion",
        group="Text of players",
        sent="The same titles as viewers that differ in one aspect or several, in turn, with the "
        "entity tags of each other.",
        expected="Each gets what a gateway with other caches answers; 304 only to its own tag; Vary "
        "names what differs.",
        staging=directory_stage,
        run=confuse,
    ),
)
