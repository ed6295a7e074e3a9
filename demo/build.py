"""How is the demo title made? ``python -m demo.build`` draws, encodes and packages it with ffmpeg.

The result is in the repository (``demo/catalogue``), so this is only needed to change the title. It
uses the static ffmpeg of the wheel ``imageio-ffmpeg`` and a TrueType font. Every rung shows its
name, its codec and a running clock, and has its own colour. A new build looks the same, but its
bytes may differ a little, because x264 controls the rate on several threads. With ``--manifests``
the media stays, and only the playlists and the MPD are written again.
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
SECONDS = 20
SEGMENT_SECONDS = 2
FRAME_RATE = 25
GOP = SEGMENT_SECONDS * FRAME_RATE
AUDIO_CODEC = "mp4a.40.2"
AUDIO_SECONDS = SECONDS - 0.04  # two AAC frames less, so that priming opens no extra segment


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding.

    ``cap_kbps`` is the largest allowed BANDWIDTH, including audio, so that the shipped profiles
    select different rungs of this title. ``rate`` is ffmpeg's constant quality; lower is better.
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
    Encoding("240p", 426, 240, "libx264", 23, 192, ("0x3b0d2a", "0xa8326e")),  # B10: one <= 192
    Encoding("360p", 640, 360, "libx264", 18, 500, ("0x3a1d0b", "0xa8561b")),
    Encoding("480p", 854, 480, "libx264", 20, 900, ("0x2d300a", "0x7d8020")),
    Encoding("720p", 1280, 720, "libx264", 18, 1200, ("0x0b3a25", "0x1b8a5c")),
    Encoding("1080p", 1920, 1080, "libx264", 20, 2500, ("0x0b1d3a", "0x1b6ca8")),
    Encoding("1080p-hevc", 1920, 1080, "libx265", 22, 2000, ("0x210b3a", "0x6a3ab0")),
)

THUMBNAILS_IN_A_ROW = 5
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
    """The filter graph that draws one rung."""
    clock = (
        f"%{{eif\\:floor(n/{60 * FRAME_RATE})\\:d\\:2}}\\:"
        f"%{{eif\\:mod(floor(n/{FRAME_RATE}),60)\\:d\\:2}}."
        f"%{{eif\\:floor(mod(n,{FRAME_RATE})*10/{FRAME_RATE})\\:d\\:1}}"
    )
    name = rung.name.partition("-")[0]

    def text(value: str, size: float, y: float, x: str = "(w-tw)/2", colour: str = "white") -> str:
        return (
            f"drawtext=fontfile={font}:text='{value}':fontsize=h*{size}:fontcolor={colour}"
            f":x='{x}':y=h*{y}"
        )

    background = (
        f"gradients=s={rung.width}x{rung.height}:r={FRAME_RATE}:d={SECONDS}:n=2:seed=7"
        f":speed=0.01:c0={rung.colours[0]}:c1={rung.colours[1]}"
    )
    return ",".join(
        [
            background,
            text(name, 0.32, 0.14),
            text(rung.label, 0.055, 0.47),
            text(clock, 0.15, 0.58, x="(w-h*0.62)/2"),
            text("●", 0.12, 0.80, x="(w-tw)*(0.5-0.5*cos(PI*t/2))", colour="0xffb000"),
        ]
    )


def encode_video(rung: Encoding, font: Path, folder: Path) -> None:
    """Encode one rung into CMAF segments."""
    folder.mkdir(parents=True)
    rate = f"{rung.cap_kbps * 6 // 10}k"  # a segment may briefly hold the whole buffer too
    codec = ["-c:v", rung.encoder, "-crf", str(rung.rate), "-preset", "slow", "-bf", "0"]
    if rung.encoder == "libx265":
        codec += ["-tag:v", "hvc1", "-x265-params"]
        codec += [f"log-level=error:keyint={GOP}:min-keyint={GOP}:scenecut=0:open-gop=0"]
    else:
        codec += ["-g", str(GOP), "-keyint_min", str(GOP), "-sc_threshold", "0", "-refs", "2"]
    source = ["-f", "lavfi", "-i", picture(rung, font)]
    limits = ["-maxrate", rate, "-bufsize", rate, "-pix_fmt", "yuv420p"]
    ffmpeg(*source, *codec, *limits, *_segments(), cwd=folder)


def encode_audio(sound: str, folder: Path) -> None:
    """Synthesise the audio of one language, AAC-LC stereo."""
    folder.mkdir(parents=True)
    source = f"aevalsrc='{sound}|{sound}':s=48000:d={AUDIO_SECONDS}"
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
