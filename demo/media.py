"""Serves the catalogue: its files, and the ten minutes that :mod:`demo.loop` makes of them."""

import re
from pathlib import Path, PurePosixPath

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from demo import loop
from demo.boxes import timescale

MEDIA_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".jpg": "image/jpeg",
    ".mp4": "video/mp4",
    ".m4s": "video/mp4",
    ".vtt": "text/vtt; charset=utf-8",
}
_NUMBERED = re.compile(r"(.+)/(\d{3})\.m4s\Z", re.ASCII)
_THUMBNAILS = re.compile(r"(.+/thumbnails)/\d{1,4}\.jpg\Z", re.ASCII)
_RANGE = re.compile(r"bytes=(\d{1,9})-(\d{1,9})\Z", re.ASCII)
_OK, _PARTIAL = 200, 206


class Media(StaticFiles):
    """The long title, with the media types that players expect. Manifests are as they are on disk,
    but the MPD, which names segments itself, is the long one."""

    def __init__(self, directory: Path, *, looped: bool = True) -> None:
        """``looped`` is false for a folder of other titles, which are as they are on disk."""
        super().__init__(directory=directory)
        self._looped = looped

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The answer for a file below the directory; 404 for others."""
        made = await self._made(path, scope)
        response = await super().get_response(path, scope) if made is None else made
        kind = MEDIA_TYPES.get(PurePosixPath(path).suffix)
        if kind is not None and response.status_code == _OK:
            response.headers["content-type"] = kind
            response.headers["cache-control"] = "public, max-age=3600"
        return response

    async def _made(self, path: str, scope: Scope) -> Response | None:
        """The answer for what is made from the files of the loop; None for the files themselves."""
        if not self._looped or scope["method"] not in {"GET", "HEAD"}:
            return None
        numbered = _NUMBERED.match(path)
        if numbered is not None:
            return self._later_segment(numbered[1], int(numbered[2]), scope)
        thumbnails = _THUMBNAILS.match(path)
        if thumbnails is not None:
            return await super().get_response(f"{thumbnails[1]}/1.jpg", scope)
        name = PurePosixPath(path)
        if name.suffix not in _LONGER or name.name == "master.m3u8":
            return None
        found, stat = self.lookup_path(path)
        return None if stat is None else Response(_long(Path(found)))

    def _later_segment(self, path: str, number: int, scope: Scope) -> Response | None:
        found, stat = self.lookup_path(f"{path}/index.m3u8")
        if stat is None:
            return None
        folder = Path(found).parent
        count, ticks = _loop_of(folder)
        if not count <= number < count * loop.LOOPS:
            return None
        data = (folder / f"{number % count:03}.m4s").read_bytes()
        return _part(loop.shifted(data, number // count * ticks), scope)


def _part(data: bytes, scope: Scope) -> Response:
    """The bytes, or the range of them that the request names."""
    asked = next((v for n, v in scope["headers"] if n == b"range"), b"").decode("latin-1")
    found = _RANGE.match(asked)
    if found is None or not int(found[1]) <= int(found[2]) < len(data):
        return Response(data)
    first, last = int(found[1]), int(found[2])
    headers = {
        "content-range": f"bytes {first}-{last}/{len(data)}",
        "content-type": MEDIA_TYPES[".m4s"],
    }
    return Response(data[first : last + 1], _PARTIAL, headers)


def _loop_of(folder: Path) -> tuple[int, int]:
    """The number of segments in a loop, and its ticks, of the track in ``folder``."""
    lines = (folder / "index.m3u8").read_text("utf-8").splitlines()
    seconds = [float(line[8:].split(",")[0]) for line in lines if line.startswith("#EXTINF:")]
    return len(seconds), round(sum(seconds)) * timescale((folder / "init.mp4").read_bytes())


def _long(file: Path) -> str:
    """The text of a playlist, an MPD or subtitles, for all of the long title."""
    return _LONGER[file.suffix](file)


def _long_subtitles(file: Path) -> str:
    lines = (file.parent / "index.m3u8").read_text("utf-8").splitlines()
    seconds = next(float(line[8:].split(",")[0]) for line in lines if line.startswith("#EXTINF:"))
    return loop.subtitles(file.read_text("utf-8"), round(seconds), loop.LOOPS)


_LONGER = {
    ".m3u8": lambda file: loop.playlist(file.read_text("utf-8"), loop.LOOPS),
    ".mpd": lambda file: loop.manifest(file.read_text("utf-8"), loop.LOOPS),
    ".vtt": _long_subtitles,
}
