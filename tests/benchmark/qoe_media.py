"""Makes the film of the quality-of-experience benchmark: noise, which compresses badly, so that
each rung really has its bit rate. ffmpeg makes it once, in the cache folder (some 90 MB, a minute).
"""

import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import m3u8

from tests.benchmark.city import cache_folder

SECONDS = 64
"""Longer than the first minute, which is what is measured."""
SEGMENT_S = 2
FRAME_RATE = 25
RUNGS = (
    ("0.29", 290, 320, 180),
    ("0.62", 620, 416, 234),
    ("1.4", 1400, 480, 270),
    ("2.8", 2800, 640, 360),
    ("6.7", 6700, 854, 480),
)
"""Name, kbit/s, width and height. The pictures are small, so that decoding them is not measured."""

ORDERS = {
    "ascending": (0, 1, 2, 3, 4),
    "descending": (4, 3, 2, 1, 0),
    "2 Mbit/s first": (3, 0, 1, 2, 4),
}
"""The fixed orders, by positions in ``RUNGS``. No rung has 2 Mbit/s; the next higher one stands for
it."""


def film(seconds: int = SECONDS) -> Path:
    """A folder that holds ``film/master.m3u8``, in ascending order, a playlist for each other
    order, and the media."""
    folder = cache_folder() / f"qoe-{seconds}s"
    if not (folder / "film" / "master.m3u8").is_file():
        entries = []
        for name, kbps, width, height in RUNGS:
            _encode(folder / "film" / name, seconds, kbps, width, height)
            entries.append(_entry(folder / "film" / name, width, height))
        for order, positions in ORDERS.items():
            text = "".join(["#EXTM3U\n", *(entries[position] for position in positions)])
            (folder / "film" / f"{slug(order)}.m3u8").write_text(text)
        ascending = folder / "film" / f"{slug('ascending')}.m3u8"
        (folder / "film" / "master.m3u8").write_bytes(ascending.read_bytes())  # last: all is there
    return folder


def slug(order: str) -> str:
    """The name of an order's playlist."""
    return order.replace(" ", "-").replace("/", "")


def _encode(folder: Path, seconds: int, kbps: int, width: int, height: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    print(f"encoding {folder.name} Mbit/s …", file=sys.stderr)
    gop, rate = str(SEGMENT_S * FRAME_RATE), f"{kbps * 94 // 100}k"
    source = f"testsrc2=s={width}x{height}:r={FRAME_RATE}:d={seconds},noise=alls=90:allf=t+u"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
    command += ["-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "veryfast", "-bf", "0"]
    command += ["-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", f"{kbps // 2}k"]
    command += ["-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    command += ["-f", "hls", "-hls_time", str(SEGMENT_S), "-hls_playlist_type", "vod"]
    command += ["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4"]
    command += ["-hls_segment_filename", "%03d.m4s", "index.m3u8"]
    subprocess.run(command, cwd=folder, check=True)


def _entry(folder: Path, width: int, height: int) -> str:
    """A variant, with the peak and the average that its segments have."""
    segments = m3u8.load(str(folder / "index.m3u8")).segments
    sizes = [(folder / str(s.uri)).stat().st_size * 8 for s in segments]
    seconds = [float(s.duration or SEGMENT_S) for s in segments]
    peak = max(round(bits / s) for bits, s in zip(sizes, seconds, strict=True))
    average = round(sum(sizes) / sum(seconds))
    return (
        f"#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},"
        f'CODECS="avc1.64001e",RESOLUTION={width}x{height},FRAME-RATE={FRAME_RATE}.000\n'
        f"{folder.name}/index.m3u8\n"
    )
