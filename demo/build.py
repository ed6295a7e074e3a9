"""How is the demo title made? ``python -m demo.build`` draws, encodes and packages it with ffmpeg.

The result is in the repository (``demo/catalogue``), so this is only needed to change the title. It
uses the static ffmpeg of the wheel ``imageio-ffmpeg`` and a TrueType font. Every rung shows its
name, its codec and a running clock, and has its own colour. A new build looks the same, but its
bytes may differ a little, because x264 controls the rate on several threads.
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

from demo.boxes import first_frame_end, video_codec
from demo.config import CATALOGUE
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
        family = "HEVC" if self.encoder == "libx265" else "H.264"
        times = "\N{MULTIPLICATION SIGN}"
        return f"{family}  {self.width}{times}{self.height}  {FRAME_RATE} fps"


RUNGS = (
    Encoding("240p", 426, 240, "libx264", 23, 192, ("0x3b0d2a", "0xa8326e")),  # B10: one <= 192
    Encoding("360p", 640, 360, "libx264", 18, 500, ("0x3a1d0b", "0xa8561b")),
    Encoding("480p", 854, 480, "libx264", 20, 900, ("0x2d300a", "0x7d8020")),
    Encoding("720p", 1280, 720, "libx264", 18, 1200, ("0x0b3a25", "0x1b8a5c")),
    Encoding("1080p", 1920, 1080, "libx264", 20, 2500, ("0x0b1d3a", "0x1b6ca8")),
    Encoding("1080p-hevc", 1920, 1080, "libx265", 22, 2000, ("0x210b3a", "0x6a3ab0")),
)

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


def encode_video(rung: Encoding, font: Path, folder: Path) -> Video:
    """Encode one rung into CMAF segments and measure the result."""
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
    segments = _measure(folder, video=True)
    (folder / "index.m3u8").write_text(media_playlist(segments, "init.mp4"))
    (folder / "iframes.m3u8").write_text(iframe_playlist(segments, "init.mp4"))
    name = video_codec((folder / "init.mp4").read_bytes())
    return Video(rung.name, name, rung.width, rung.height, FRAME_RATE, segments)


def encode_audio(language: str, name: str, sound: str, folder: Path) -> Track:
    """Synthesise the audio of one language, AAC-LC stereo."""
    folder.mkdir(parents=True)
    source = f"aevalsrc='{sound}|{sound}':s=48000:d={AUDIO_SECONDS}"
    codec = ["-c:a", "aac", "-b:a", "48k"]
    ffmpeg("-f", "lavfi", "-i", source, *codec, *_segments(), cwd=folder)
    segments = _measure(folder, video=False)
    (folder / "index.m3u8").write_text(media_playlist(segments, "init.mp4"))
    return Track(language, name, language == SPEECH[0][0], segments, AUDIO_CODEC)


def _segments() -> list[str]:
    return [
        *("-fflags", "+bitexact", "-flags", "+bitexact", "-map_metadata", "-1"),
        *("-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_playlist_type", "vod"),
        *("-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"),
        *("-hls_segment_filename", "%03d.m4s", "index.m3u8"),
    ]


def _measure(folder: Path, *, video: bool) -> list[Segment]:
    measured = []
    for segment in m3u8.load(str(folder / "index.m3u8")).segments:
        data = (folder / segment.uri).read_bytes()
        frame = first_frame_end(data) if video else 0
        measured.append(Segment(segment.uri, segment.duration, len(data), frame))
    return measured


def write_subtitles(language: str, name: str, cues: Sequence[str], folder: Path) -> Track:
    """One WebVTT file with evenly spaced cues."""
    folder.mkdir(parents=True)
    each = SECONDS // len(cues)
    blocks = ["WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"]
    for number, cue in enumerate(cues):
        start, end = number * each, (number + 1) * each
        blocks.append(f"00:00:{start:02}.500 --> 00:00:{end - 1:02}.900\n{cue}")
    data = ("\n\n".join(blocks) + "\n").encode()
    (folder / "all.vtt").write_bytes(data)
    segments = [Segment("all.vtt", float(SECONDS), len(data))]
    (folder / "index.m3u8").write_text(media_playlist(segments, None))
    return Track(language, name, default=False, segments=segments)


def build(target: Path, font: Path = FONT) -> int:
    """Make the title in ``target`` and replace what is there. Returns its size in bytes.

    Raises ValueError when a rung exceeds its cap, and FileNotFoundError without the font.
    """
    if not font.is_file():
        raise FileNotFoundError(f"no font at {font}; name one with --font")
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "title"
        audio = [
            encode_audio(language, name, sound, made / "audio" / language)
            for language, name, sound in SPEECH
        ]
        subtitles = [
            write_subtitles(language, name, CUES[language], made / "subtitles" / language)
            for language, name, _ in SPEECH
        ]
        videos = []
        for rung in RUNGS:
            video = encode_video(rung, font, made / "video" / rung.name)
            peak, average = bandwidths(video, audio, subtitles)
            print(f"{rung.name:>10}  peak {peak:>8}  average {average:>8}  {video.codec}")
            if peak > rung.cap_kbps * 1000:
                raise ValueError(f"{rung.name} peaks at {peak} bit/s, above {rung.cap_kbps} kbit/s")
            videos.append(video)
        (made / "master.m3u8").write_text(multivariant(videos, audio, subtitles), "utf-8")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.build", description="Make the demo title")
    parser.add_argument("--font", type=Path, default=FONT, help="a TrueType font (%(default)s)")
    parser.add_argument("--target", type=Path, default=CATALOGUE / "demo", help="%(default)s")
    arguments = parser.parse_args()
    try:
        size = build(arguments.target, arguments.font)
    except (FileNotFoundError, ValueError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.target}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
