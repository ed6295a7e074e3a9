"""Attacks with text: what a player makes up must stay where it belongs, and with that player."""

import asyncio
import itertools
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
from tests.attack.hostile import CANARY, HEADERS, PARAMETERS, request
from tests.attack.judge import HLS, fault_of, plain
from tests.attack.stages import (
    Stage,
    debug_stage,
)

TEXTS: tuple[str, ...] = (
    *(
        "{c}",
        "{c}\r\nEvil: {c}",
        "{c}\nEvil: {c}",
        "{c}\r\n\r\nHTTP/1.1 200 OK",
        "{c}\0",
        "\x1b[31m{c}",
    ),
    *('{c}"', '"{c}', '{c}","evil":"', "{c}\\", "{c}\u2028", "\u202e{c}", "{c}\x85", "{c}\x7f"),
    *(
        '{c}"\n#EXT-X-KEY:METHOD=NONE',
        "{c}\n#EXTM3U",
        "{c}{$viewer}",
        "<{c}>&amp;",
        "]]>{c}",
        "{c}'",
    ),
    *('{c}"\n{"event":"forged"}', "${{c}}", "%0d%0a{c}", "%250a{c}", "{c};src=query", "{c}, x=1"),
)
"""``{c}`` is the canary."""
PLACES = ("path", "query", "header", "body")
ROUTES = (b"/v1/play/film.m3u8", b"/v1/play/live.mpd", b"/v1/play/film", b"/v1/steering/film")
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
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
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


def injections(every: bool) -> Iterator[Shot]:
    """Each text in each place, raw and percent-encoded; in headers on every route, or on the next
    one in turn."""
    turn = itertools.cycle(ROUTES)
    for text in TEXTS:
        raw = text.replace("{c}", CANARY).encode("utf-8")
        coded = quote(raw, safe="").encode()
        for stem in (b"film", b"mine", b"live"):
            for path in (
                b"/v1/play/%s.m3u8",
                b"/v1/play/%s",
                b"/v1/steering/%s",
                b"/v1/play/%s.mpd",
            ):
                for name in PARAMETERS:
                    yield Shot(request(path % stem + b"?" + name + b"=" + coded, []))
                break
        for path in (
            b"/%s",
            b"/v1/play/%s.m3u8",
            b"/v1/play/%s",
            b"/v1/steering/%s",
            b"/v1/class/%s/film.mpd",
        ):
            yield Shot(request(path % coded, []))
        for name in HEADERS:
            for path in ROUTES if every else (next(turn),):
                if b"\r\n\r\n" not in raw:  # that would be the end of the request
                    # What a header may not have is refused with the connection.
                    yield Shot(request(path, [name + b": " + raw]), alone=True)
                yield Shot(request(path, [name + b": " + coded]))
        cmcd = f'sid="{CANARY}",cid="{text.replace("{c}", CANARY)}",cdn="{CANARY}",ec=("{CANARY}"),'
        body = (cmcd + 'e=e,sta=p,ts=1767225600000,v=2,com.example-x="' + CANARY + '"').encode()
        yield Shot(request(b"/v1/cmcd?session=" + coded, [], body), b"POST")
        batch = b'{"assets": ["film", "' + coded + b'"], "%s": 1}' % coded
        yield Shot(request(b"/v1/decisions?session=" + coded, [], batch), b"POST")
        probe = b'{"session": "%s", "bytes": 1000000, "duration_ms": 1000}' % coded
        yield Shot(request(b"/v1/probe", [], probe), b"POST")


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
    if answer.headers.get(b"content-type", b"").startswith(
        b"application/dash+xml"
    ) and canary in plain(answer):
        return "the MPD has it"
    return ""


async def inject(stage: Stage, effort: Effort) -> Outcome:
    """Send each text, then look into the log and into Redis."""
    first_line = len(stage.gateway.log)
    with Monitor(stage.server.path) as monitor:
        tally = await fire(stage.port, injections(effort.scale >= 1), misplaced, depth=4)
        await asyncio.sleep(1.0)  # reports and events are written in the background
    outcome = Outcome(tally.answered, [tally.shown()], tally.faults)
    for command in monitor.commands_with(CANARY)[:5]:
        outcome.fault(f"Redis was sent it: {command[:600]!r}")
    with stage.server.client() as redis:
        outcome.fault("keys in Redis have it", unless=not redis.keys(f"*{CANARY}*"))
    lines = list(stage.gateway.log)[first_line:]
    events = {str(line.get("event")) for line in lines}
    outcome.fault(
        f"forged events {events}", unless=not any(CANARY in e or e == "forged" for e in events)
    )
    longest = max((len(str(line)) for line in lines), default=0)
    outcome.fault(f"a line of {longest} characters", unless=longest < LONGEST_LINE_CHARS)
    outcome.figures.append(f"{len(lines)} log lines, {monitor.size / 1e6:.1f} MB to Redis")
    return outcome


ROWS = (
    Attack(
        name="injection",
        group="Text of players",
        sent="Line breaks, NUL, escape sequences, Unicode, JSON and tags of playlists in every "
        "parameter, header, path and body, with a word to look for.",
        expected="The word is in no header, no line of a manifest that the source did not ask for, "
        "no event of the log, and not in Redis.",
        staging=debug_stage,
        run=inject,
    ),
)
