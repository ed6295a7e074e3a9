"""How is the demo title made? ``python -m demo.build`` draws, encodes and packages it with ffmpeg.

The result is in the repository (``demo/catalogue``), so this is only needed to change the title. It
uses the static ffmpeg of the wheel ``imageio-ffmpeg`` and a TrueType font. Every rung shows its
name and codec, and has its own colour, over grained clouds that move: detail and grain give each
rung a bit rate near its target, as films do. Players get the title in a loop (``demo/loop.py``), so
sound, clouds and dot end where they begin. Grain has a fixed seed and the encoders run on one
thread, so another build by the same ffmpeg and font has the same bytes. With ``--manifests`` the
media stays, and only the playlists and the MPD are written again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import m3u8

from demo.boxes import cmaf_header, first_frame_end, timescale, video_codec
from demo.config import CATALOGUE
from demo.mpd import Thumbnails, manifest
from demo.playlists import (
    Segment,
    Track,
    Video,
    bandwidths,
    iframe_playlist,
    media_playlist,
    multivariant,
)

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf")
SECONDS = 8
SEGMENT_SECONDS = 2
FRAME_RATE = 25
GOP = SEGMENT_SECONDS * FRAME_RATE
AUDIO_CODEC = "mp4a.40.2"
AUDIO_RATE = 48_000
AAC_FRAME = 1024
# The encoder puts one frame before the sound. 8 s are 375 frames, so that loops meet without a gap.
AUDIO_SAMPLES = SECONDS * AUDIO_RATE - AAC_FRAME


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding.

    ``rate`` is the bit rate of the video in kbit/s, or the quality of JPEG. ``cap_kbps`` is the
    largest allowed BANDWIDTH, including audio, so that the shipped profiles select different rungs
    of this title.
    """

    name: str
    width: int
    height: int
    encoder: str
    rate: int
    cap_kbps: int
    colours: tuple[str, str]

    @property
    def label(self) -> str:
        family = {"libx264": "H.264", "libx265": "HEVC", "mjpeg": "JPEG"}[self.encoder]
        size = f"{self.width}\N{MULTIPLICATION SIGN}{self.height}"
        return f"{family}  {size}" if family == "JPEG" else f"{family}  {size}  {FRAME_RATE} fps"


RUNGS = (
    Encoding("240p", 426, 240, "libx264", 115, 192, ("0x3b0d2a", "0xa8326e")),  # B10: one <= 192
    Encoding("360p", 640, 360, "libx264", 360, 500, ("0x3a1d0b", "0xa8561b")),
    Encoding("480p", 854, 480, "libx264", 640, 900, ("0x2d300a", "0x7d8020")),
    Encoding("720p", 1280, 720, "libx264", 1020, 1200, ("0x0b3a25", "0x1b8a5c")),
    Encoding("1080p", 1920, 1080, "libx264", 1950, 2500, ("0x0b1d3a", "0x1b6ca8")),
    Encoding("1080p-hevc", 1920, 1080, "libx265", 1200, 2000, ("0x210b3a", "0x6a3ab0")),
)

THUMBNAILS_IN_A_ROW = SECONDS // SEGMENT_SECONDS
THUMBNAIL = Encoding("preview", 160, 90, "mjpeg", 4, 0, ("0x20242c", "0x5b6675"))

# A steady tone with a beat every second or every half second, to tell the two languages apart.
SPEECH = (
    ("en", "English", "0.05*sin(440*PI*t)+0.3*sin(1320*PI*t)*exp(-9*mod(t,1))"),
    ("es", "Español", "0.05*sin(330*PI*t)+0.3*sin(990*PI*t)*exp(-9*mod(t,0.5))"),
)
CUES = {
    "en": ("English subtitles", "Every player gets its own ladder", "from its own edge", "Goodbye"),
    "es": ("Subtítulos en español", "Cada reproductor recibe su propia escalera",
           "desde su propio nodo", "Adiós"),
}  # fmt: skip


def ffmpeg(*arguments: str, cwd: Path) -> None:
    """Run the ffmpeg of the wheel; raises CalledProcessError when it fails."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
    subprocess.run([*command, *arguments], cwd=cwd, check=True)


def picture(rung: Encoding, font: Path) -> str:
    """The filter graph that draws one rung: clouds and grain on a gradient, and what is written
    on it."""
    width, height = rung.width, rung.height
    name = rung.name.partition("-")[0]

    def text(value: str, size: float, y: float, x: str = "(w-tw)/2", colour: str = "white") -> str:
        return (
            f"drawtext=fontfile={font}:text='{value}':fontsize=h*{size}:fontcolor={colour}"
            f":shadowcolor=black@0.5:shadowx=2:shadowy=2:x='{x}':y=h*{y}"
        )

    def clouds(scale: int, seed: int, label: str) -> str:
        """Smoothed noise, ``scale`` pixels a blob, that circles once in the title."""
        move = f"x='(iw-ow)/2*(1+sin(2*PI*t/{SECONDS}))':y='(ih-oh)/2*(1+cos(2*PI*t/{SECONDS}))'"
        size = f"{width * 9 // 16 * 2}:{height * 9 // 16 * 2}"
        frames = SECONDS * FRAME_RATE
        return (
            f"color=gray:s={160 // scale}x{90 // scale}:r=1:d=1,"
            f"noise=c0s=100:c0_seed={seed},format=gray,"
            f"scale={size}:flags=bicubic+bitexact,"
            f"loop=-1:1,setpts=N/{FRAME_RATE}/TB,fps={FRAME_RATE},trim=end_frame={frames},"
            f"crop={width}:{height}:{move},format=yuv420p[{label}]"
        )

    background = (
        f"gradients=s={width}x{height}:r={FRAME_RATE}:d={SECONDS}:n=2:seed=7:speed=0.00001"
        f":x0=0:y0=0:x1={width}:y1={height}:c0={rung.colours[0]}:c1={rung.colours[1]}"
        ",format=yuv420p[ground]"
    )
    blend = "blend=c0_mode=softlight:c0_opacity=0.6"
    written = ",".join(
        [
            text(name, 0.34, 0.16),
            text(rung.label, 0.055, 0.52),
            text("●", 0.12, 0.70, x="(w-tw)*(0.5-0.5*cos(PI*t/2))", colour="0xffb000"),
        ]
    )
    return ";".join(
        [
            background,
            clouds(10, 7, "large"),
            clouds(2, 11, "small"),
            f"[ground][large]{blend}[far]",
            f"[far][small]{blend},noise=c0s=14:c0f=t:c0_seed=7,{written}",
        ]
    )


def encode_video(rung: Encoding, font: Path, folder: Path) -> None:
    """Encode one rung into CMAF segments, in two passes: every segment then gets its share of the
    bits, as all of them are equally hard."""
    folder.mkdir(parents=True)
    common = ["-f", "lavfi", "-i", picture(rung, font), "-pix_fmt", "yuv420p"]
    common += ["-c:v", rung.encoder, "-b:v", f"{rung.rate}k", "-preset", "medium", "-bf", "0"]
    common += ["-threads", "1"]
    with tempfile.TemporaryDirectory() as scratch:
        log = str(Path(scratch) / "passes")
        ffmpeg(*common, *_pass(rung, 1, log), "-f", "null", "-", cwd=folder)
        ffmpeg(*common, *_pass(rung, 2, log), *_segments(), cwd=folder)


def _pass(rung: Encoding, number: int, log: str) -> list[str]:
    """What an encoder is told for one of the two passes."""
    if rung.encoder == "libx265":
        groups = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:open-gop=0"
        passes = f"pass={number}:stats={log}:pools=none:frame-threads=1"
        return ["-tag:v", "hvc1", "-x265-params", f"log-level=error:{groups}:{passes}"]
    closed = ["-g", str(GOP), "-keyint_min", str(GOP), "-sc_threshold", "0", "-refs", "2"]
    return [*closed, "-pass", str(number), "-passlogfile", log]


def encode_audio(sound: str, folder: Path) -> None:
    """Synthesise the audio of one language, AAC-LC stereo."""
    folder.mkdir(parents=True)
    source = (
        f"aevalsrc='{sound}|{sound}':s={AUDIO_RATE}:d={SECONDS},atrim=end_sample={AUDIO_SAMPLES}"
    )
    codec = ["-c:a", "aac", "-b:a", "48k"]
    ffmpeg("-f", "lavfi", "-i", source, *codec, *_segments(), cwd=folder)


def draw_thumbnails(font: Path, folder: Path) -> None:
    """Draw one thumbnail for each segment, a row of them in each file."""
    folder.mkdir(parents=True)
    rows = f"select='not(mod(n,{GOP}))',tile={THUMBNAILS_IN_A_ROW}x1"
    source = f"{picture(THUMBNAIL, font)},{rows}"
    quality = ["-q:v", str(THUMBNAIL.rate), "-fps_mode", "passthrough"]
    ffmpeg("-f", "lavfi", "-i", source, *quality, "-bitexact", "%d.jpg", cwd=folder)


def _segments() -> list[str]:
    return [
        *("-fflags", "+bitexact", "-flags", "+bitexact", "-map_metadata", "-1"),
        *("-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_playlist_type", "vod"),
        *("-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"),
        *("-hls_segment_filename", "%03d.m4s", "index.m3u8"),
    ]


def write_subtitles(cues: Sequence[str], folder: Path) -> None:
    """Write one WebVTT file with evenly spaced cues."""
    folder.mkdir(parents=True)
    each = SECONDS // len(cues)
    blocks = ["WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"]
    for number, cue in enumerate(cues):
        start, end = number * each, (number + 1) * each
        blocks.append(f"00:00:{start:02}.500 --> 00:00:{end - 1:02}.900\n{cue}")
    (folder / "all.vtt").write_text("\n\n".join(blocks) + "\n", "utf-8")


def _measure(folder: Path, *, video: bool) -> list[Segment]:
    """The segments that ffmpeg's playlist names, or the one that :func:`package` wrote over it."""
    measured = []
    for segment in m3u8.load(str(folder / "index.m3u8")).segments:
        data = (folder / segment.uri).read_bytes()
        frame = first_frame_end(data) if video else 0
        measured.append(Segment(segment.uri, segment.duration, len(data), frame))
    return measured


def _header(folder: Path) -> bytes:
    """The initialisation segment in ``folder``, which gets the brand of CMAF."""
    path = folder / "init.mp4"
    path.write_bytes(cmaf_header(path.read_bytes()))
    return path.read_bytes()


def _package_video(rung: Encoding, folder: Path) -> Video:
    segments = _measure(folder, video=True)
    (folder / "index.m3u8").write_text(media_playlist(segments, "init.mp4"))
    (folder / "iframes.m3u8").write_text(iframe_playlist(segments, "init.mp4"))
    init = _header(folder)
    return Video(
        rung.name,
        video_codec(init),
        rung.width,
        rung.height,
        FRAME_RATE,
        timescale(init),
        segments,
    )


def _package_audio(language: str, name: str, folder: Path) -> Track:
    segments = _measure(folder, video=False)
    (folder / "index.m3u8").write_text(media_playlist(segments, "init.mp4"))
    scale = timescale(_header(folder))
    return Track(language, name, language == SPEECH[0][0], segments, AUDIO_CODEC, scale)


def _package_subtitles(language: str, name: str, folder: Path) -> Track:
    size = (folder / "all.vtt").stat().st_size
    segments = [Segment("all.vtt", float(SECONDS), size)]
    (folder / "index.m3u8").write_text(media_playlist(segments, None))
    return Track(language, name, default=False, segments=segments)


def _package_thumbnails(folder: Path) -> Thumbnails:
    return Thumbnails(
        columns=THUMBNAILS_IN_A_ROW,
        rows=1,
        width=THUMBNAIL.width * THUMBNAILS_IN_A_ROW,
        height=THUMBNAIL.height,
        duration=THUMBNAILS_IN_A_ROW * SEGMENT_SECONDS,
        sizes=[path.stat().st_size for path in folder.glob("*.jpg")],
    )


def encode(title: Path, font: Path) -> None:
    """Make all media of the title in the folder ``title``.

    Raises FileNotFoundError without the font.
    """
    if not font.is_file():
        raise FileNotFoundError(f"no font at {font}; name one with --font")
    for language, _, sound in SPEECH:
        encode_audio(sound, title / "audio" / language)
        write_subtitles(CUES[language], title / "subtitles" / language)
    draw_thumbnails(font, title / "thumbnails")
    for rung in RUNGS:
        encode_video(rung, font, title / "video" / rung.name)


def package(title: Path) -> None:
    """Write the playlists and the MPD over the media in the folder ``title``.

    Raises ValueError when a rung exceeds its cap.
    """
    audio = [_package_audio(lang, name, title / "audio" / lang) for lang, name, _ in SPEECH]
    subtitles = [
        _package_subtitles(lang, name, title / "subtitles" / lang) for lang, name, _ in SPEECH
    ]
    videos = []
    for rung in RUNGS:
        video = _package_video(rung, title / "video" / rung.name)
        peak, average = bandwidths(video, audio, subtitles)
        print(f"{rung.name:>10}  peak {peak:>8}  average {average:>8}  {video.codec}")
        if peak > rung.cap_kbps * 1000:
            raise ValueError(f"{rung.name} peaks at {peak} bit/s, above {rung.cap_kbps} kbit/s")
        videos.append(video)
    thumbnails = _package_thumbnails(title / "thumbnails")
    (title / "master.m3u8").write_text(multivariant(videos, audio, subtitles), "utf-8")
    mpd = manifest(SECONDS, videos, audio, subtitles, thumbnails)
    (title / "manifest.mpd").write_text(mpd, "utf-8")


def build(target: Path, font: Path = FONT) -> None:
    """Make the title in ``target`` and replace what is there; raises as :func:`encode` and
    :func:`package` do."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "title"
        encode(made, font)
        package(made)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.build", description="Make the demo title")
    parser.add_argument("--font", type=Path, default=FONT, help="a TrueType font (%(default)s)")
    parser.add_argument("--target", type=Path, default=CATALOGUE / "demo", help="%(default)s")
    parser.add_argument("--manifests", action="store_true", help="keep the media as it is")
    arguments = parser.parse_args()
    target: Path = arguments.target
    try:
        if arguments.manifests:
            package(target)
        else:
            build(target, arguments.font)
    except (FileNotFoundError, ValueError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
