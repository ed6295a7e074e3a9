"""Attacks that would have the gateway ask a server that nobody but its operator may choose."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.judge import DASH, HLS, fault_of, kind_of, plain
from tests.attack.source_rows import settled
from tests.attack.stages import OriginStage, origin_stage
from tests.integration.origins import Mode, Origin
from tests.unit.store.servers import until


def ssrf_playlist(inner: str) -> str:
    """Absolute URIs wherever a playlist may have one."""
    return (
        "#EXTM3U\n#EXT-X-VERSION:11\n"
        f'#EXT-X-CONTENT-STEERING:SERVER-URI="{inner}steer",PATHWAY-ID="."\n'
        f'#EXT-X-SESSION-DATA:DATA-ID="a",URI="{inner}data"\n'
        f'#EXT-X-SESSION-KEY:METHOD=AES-128,URI="{inner}key"\n'
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{inner}audio.m3u8"\n'
        f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,URI="{inner}iframe.m3u8"\n'
        f'#EXT-X-STREAM-INF:BANDWIDTH=400000,AUDIO="a"\n{inner}low.m3u8\n'
    )


def ssrf_mpd(inner: str) -> str:
    """URLs wherever an MPD may have one, and an external entity."""
    return (
        '<?xml version="1.0"?>\n'
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'type="dynamic" minimumUpdatePeriod="PT2S" availabilityStartTime="2026-01-01T00:00:00Z" '
        'profiles="a" minBufferTime="PT1S">\n'
        f"<BaseURL>{inner}</BaseURL><Location>{inner}mpd</Location>\n"
        f"<PatchLocation>{inner}patch</PatchLocation>\n"
        f'<ContentSteering defaultServiceLocation="a">{inner}steer</ContentSteering>\n'
        f'<Period xlink:href="{inner}period" xlink:actuate="onLoad"/>\n'
        f'<Period id="2"><AdaptationSet mimeType="video/mp4"><BaseURL>{inner}set</BaseURL>'
        f'<SegmentTemplate media="{inner}$Number$" initialization="{inner}init" duration="2"/>'
        '<Representation id="a" bandwidth="400000" codecs="avc1.4d4015" width="426" height="240"/>'
        f'</AdaptationSet></Period><UTCTiming value="{inner}time" '
        'schemeIdUri="urn:mpeg:dash:utc:http-xsdate:2014"/></MPD>\n'
    )


def ssrf_entity(inner: str) -> str:
    """An external entity, and an external DTD."""
    return (
        f'<?xml version="1.0"?>\n<!DOCTYPE MPD SYSTEM "{inner}dtd" ['
        f'<!ENTITY x SYSTEM "{inner}entity">'
        f'<!ENTITY % p SYSTEM "{inner}parameter">%p;]>\n<MPD>&x;</MPD>\n'
    )


def targets(port: int) -> Sequence[str]:
    """Names of the server that nobody may make the gateway ask."""
    return (
        *(
            f"http://127.0.0.1:{port}/",
            f"http://localhost:{port}/",
            f"http://[::ffff:127.0.0.1]:{port}/",
        ),
        *(
            f"http://2130706433:{port}/",
            f"http://0x7f.1:{port}/",
            f"http://127.1:{port}/",
            f"http://0:{port}/",
        ),
        *(f"//127.0.0.1:{port}/", f"http://x@127.0.0.1:{port}/", f"http://127.0.0.1:{port}\\@x/"),
        *(f"HTTP://127.0.0.1:{port}/", f"http:/\t/127.0.0.1:{port}/", f"https://127.0.0.1:{port}/"),
    )


LOCATIONS = (
    "ftp://x/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:1/",
    "data:,x",
    "http://",
    "//",
    "\\\\x\\y",
    "http://169.254.169.254/",
)


@contextlib.asynccontextmanager
async def forbidden(port: int) -> AsyncIterator[list[str]]:
    """A server that notes every connection, whatever is said on it."""
    seen: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("connected")
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(1):
                seen[-1] = (await reader.read(300)).decode("latin-1")
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", port)
    try:
        yield seen
    finally:
        server.close()


FILES = {".m3u8": "master.m3u8", ".mpd": "manifest.mpd"}


def modes(inner: str) -> Iterator[tuple[str, str, Mode]]:
    """What an origin may answer to have the gateway ask ``inner``: the kind, the suffix of the
    manifest, the answer."""
    yield "uri", ".m3u8", Mode(body=ssrf_playlist(inner))
    yield "uri", ".mpd", Mode(body=ssrf_mpd(inner))
    yield "entity", ".mpd", Mode(body=ssrf_entity(inner))
    for status in (301, 302, 303, 307, 308):
        yield "to", ".m3u8", Mode(status=status, headers={"Location": inner + "x"})
    yield "to", ".mpd", Mode(redirect=inner + "x")
    links = {"Link": f"<{inner}>; rel=preload", "Refresh": f"0; {inner}"}
    yield "head", ".m3u8", Mode(headers={**links, "Content-Location": inner})


def _prepare(origin: Origin, port: int) -> list[tuple[str, str]]:
    """Give the origin a title for each answer; the titles with their suffixes."""
    titles: list[tuple[str, str]] = []
    for inner in targets(port):
        for kind, suffix, mode in modes(inner):
            title = f"{kind}-{len(titles)}"
            titles.append((title, suffix))
            origin.modes[f"/vod/{title}/{FILES[suffix]}"] = mode
    for location in LOCATIONS:
        title = f"odd-{len(titles)}"
        titles.append((title, ".m3u8"))
        mode = Mode(status=302, headers={"Location": location})
        origin.modes[f"/vod/{title}/master.m3u8"] = mode
    return titles


def _asking(titles: Sequence[tuple[str, str]], port: int) -> Iterator[Shot]:
    """Ask for each title, and name the server in every header that names one."""
    name = b"127.0.0.1:%d" % port
    lines = b"Host: %s\r\nX-Forwarded-Host: %s\r\n" % (name, name)
    lines += b'Forwarded: for=1.1.1.1;host="%s"\r\n\r\n' % name
    for title, suffix in titles:
        path = f"/v1/play/{title}{suffix}".encode()
        yield Shot(b"GET " + path + b" HTTP/1.1\r\n" + lines)
        yield Shot(b"GET http://" + name + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        yield Shot(f"GET /v1/steering/{title} HTTP/1.1\r\n".encode() + lines)


def kept_away(shot: Shot, answer: Answer) -> str:
    """A redirect that was followed, or an entity that was read."""
    if fault := fault_of(answer):
        return fault
    if b"/v1/play" not in shot.data:
        return ""
    if b"/entity-" in shot.data and kind_of(answer) != "bad-source":
        return f"an external entity is answered with {answer.status}"
    if b"/to-" in shot.data and answer.status == 200:
        return "a redirect elsewhere was followed"
    kind = answer.headers.get(b"content-type", b"").partition(b";")[0]
    is_a_file = kind in {HLS, DASH} and b"root:" in plain(answer)
    return "a file is in the answer" if is_a_file else ""


async def send_elsewhere(stage: OriginStage, effort: Effort) -> Outcome:
    """URLs in manifests, redirects of origins and of probed edges, and names in requests."""
    del effort
    await settled(stage)
    outcome = Outcome()
    port, health = stage.inner_port, "/vod/healthz"
    async with (
        forbidden(port) as seen,
        Origin().listening(stage.origin_port) as origin,
        Origin().listening(stage.edge_port) as edge,
    ):
        titles = _prepare(origin, port)
        tally = await fire(stage.port, _asking(titles, port), kept_away, depth=2)
        for inner in targets(port):
            edge.modes[health] = Mode(redirect=inner + "healthz")
            asked = edge.asked(health)
            await until(lambda asked=asked: edge.asked(health) > asked, 10)  # type: ignore[misc]
            outcome.sent += 1
        await asyncio.sleep(0.3)  # a connection that is under way
    for text in dict.fromkeys(seen):
        outcome.fault(f"the gateway has asked {text!r}")
    outcome.sent += tally.answered
    outcome.faults += tally.faults
    outcome.figures.append(f"{tally.shown()}; {len(seen)} connections to the inner server")
    return outcome


ROWS = (
    Attack(
        name="ssrf",
        group="Origins",
        sent="URLs of a server on loopback, in every notation, in playlists, MPDs, redirects of "
        "origins and of probed edges, Host and forwarding headers; external entities.",
        expected="The gateway never connects to it.",
        staging=origin_stage,
        run=send_elsewhere,
    ),
)
