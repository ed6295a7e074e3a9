"""Source manifests on disk: read once, reloaded when they change, and never from elsewhere."""

import asyncio
import contextlib
import errno
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.play.dash.manifest import dash_source
from gateway.play.hls.manifest import hls_of, hls_source
from gateway.source import directory
from gateway.source.directory import DirectorySource
from gateway.source.source import (
    BadSourceError,
    NoSuchAssetError,
    SourceLostError,
    SourceManifest,
)
from manifests.format import ManifestFormat
from tests.background import in_background
from tests.integration.asking import get_raw
from tests.integration.dash_titles import mpd
from tests.integration.running import running_gateway

LARGEST = 4096
FORMATS = {
    ManifestFormat.HLS: hls_source("{asset}/master.m3u8"),
    ManifestFormat.DASH: dash_source("{asset}/manifest.mpd"),
}


def playlist(name: str) -> bytes:
    """A numbered playlist; all have the same size."""
    assert len(name) == 1
    return f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{name}.m3u8\n".encode()


def put(path: Path, data: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A catalogue with one asset."""
    put(tmp_path / "catalogue/film/master.m3u8", playlist("a"))
    return tmp_path / "catalogue"


def reader(root: Path) -> DirectorySource:
    """A source without a watcher."""
    return DirectorySource(root, FORMATS, LARGEST)


@contextlib.asynccontextmanager
async def watched(root: Path) -> AsyncIterator[DirectorySource]:
    """A source that watches its folder, after its first look."""
    source = reader(root)
    async with in_background(source.watch()):
        async with asyncio.timeout(6):
            while not source.is_watched:  # noqa: ASYNC110  (nothing tells of it)
                await asyncio.sleep(0.02)
        yield source


@pytest.fixture(autouse=True)
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the interval of periodic checks."""
    monkeypatch.setattr(directory, "LOOK_AGAIN_S", 0.2)


async def first_uri(source: DirectorySource, asset: str = "film") -> str:
    """The URI that identifies a manifest, or a word for the error."""
    try:
        return hls_of(await source.load(asset)).playlist.variants[0].uri
    except NoSuchAssetError:
        return "gone"
    except SourceLostError:
        return "lost"
    except BadSourceError:
        return "bad"


async def until(expected: str, seen: Callable[[], Awaitable[str]], within_s: float = 6.0) -> None:
    """Wait until a value is seen; fails when it is not."""
    found = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while (found := await seen()) != expected:  # noqa: ASYNC110  (files tell nothing)
                await asyncio.sleep(0.02)
    assert expected == found


# ── read once ───────────────────────────────────────────────────────────────────────────────────


async def test_a_manifest_is_read_once(root: Path) -> None:
    """The second load returns the first object; the file is not read again."""
    source = reader(root)
    first = await source.load("film")
    (root / "film/master.m3u8").unlink()
    assert first is await source.load("film")


async def test_what_a_manifest_is(root: Path) -> None:
    """A manifest has its path below the root, and a version that depends on its bytes alone."""
    source = reader(root)
    put(root / "same/master.m3u8", playlist("a"))
    put(root / "other/master.m3u8", playlist("b"))
    film, same, other = [await source.load(asset) for asset in ("film", "same", "other")]
    assert ("film/master.m3u8", ()) == (film.path, film.base_urls)
    assert film.version == same.version != other.version


async def test_a_manifest_that_cannot_be_played_is_read_once(root: Path) -> None:
    """Otherwise every request for it would read the whole file."""
    source = reader(root)
    put(root / "bad/master.m3u8", b"<html>")
    assert "bad" == await first_uri(source, "bad")
    put(root / "bad/master.m3u8", playlist("b"))
    assert "bad" == await first_uri(source, "bad")


# ── reloaded ────────────────────────────────────────────────────────────────────────────────────


def rewritten(root: Path) -> None:
    """Write the file in place."""
    put(root / "film/master.m3u8", playlist("b"))


def renamed_with_its_old_time(root: Path) -> None:
    """Replace it with a copy that keeps size and times, as rsync does."""
    old, new = root / "film/master.m3u8", root / "film/.master.m3u8.tmp"
    put(new, playlist("b"))
    os.utime(new, ns=(old.stat().st_atime_ns, old.stat().st_mtime_ns))
    new.replace(old)


def folder_renamed(root: Path) -> None:
    """Rename another folder over the asset's."""
    put(root / "film-2/master.m3u8", playlist("b"))
    (root / "film").rename(root / "film-1")
    (root / "film-2").rename(root / "film")


def folder_linked(root: Path) -> None:
    """Replace the asset's folder with a symbolic link below the root."""
    put(root / "film-2/master.m3u8", playlist("b"))
    (root / "film").rename(root / "film-1")
    (root / "film").symlink_to("film-2")


def root_replaced(root: Path) -> None:
    """Replace the whole catalogue with another folder."""
    put(root.with_name("next") / "film/master.m3u8", playlist("b"))
    root.rename(root.with_name("last"))
    root.with_name("next").rename(root)


@pytest.mark.parametrize(
    "change",
    [rewritten, renamed_with_its_old_time, folder_renamed, folder_linked, root_replaced],
    ids=lambda change: change.__name__,
)
async def test_a_change_is_noticed(root: Path, change: Callable[[Path], None]) -> None:
    """A change is detected however it was made, and the next one as well."""
    async with watched(root) as source:
        assert "a.m3u8" == await first_uri(source)
        change(root)
        await until("b.m3u8", lambda: first_uri(source))
        put(root / "film/master.m3u8", playlist("c"))
        await until("c.m3u8", lambda: first_uri(source))


async def test_what_is_deleted_is_gone(root: Path) -> None:
    """A deleted file is not found; a new one in its place is."""
    async with watched(root) as source:
        await first_uri(source)
        (root / "film/master.m3u8").unlink()
        await until("gone", lambda: first_uri(source))
        put(root / "film/master.m3u8", playlist("b"))
        await until("b.m3u8", lambda: first_uri(source))


async def test_a_broken_manifest_is_repaired(root: Path) -> None:
    """When the file is repaired, its error is gone."""
    async with watched(root) as source:
        put(root / "film/master.m3u8", b"<html>")
        await until("bad", lambda: first_uri(source))
        put(root / "film/master.m3u8", playlist("b"))
        await until("b.m3u8", lambda: first_uri(source))


@pytest.mark.parametrize("name", ["node_modules", ".git", "__pycache__", "a~", ".#b"])
async def test_any_name_is_watched(root: Path, name: str) -> None:
    """Names that development tools ignore can be assets, too."""
    put(root / name / "master.m3u8", playlist("a"))
    async with watched(root) as source:
        assert "a.m3u8" == await first_uri(source, name)
        put(root / name / "master.m3u8", playlist("b"))
        await until("b.m3u8", lambda: first_uri(source, name))


async def test_a_root_that_comes_later(tmp_path: Path) -> None:
    """A root that does not exist yet is not ready; once it exists it is ready and watched."""
    root = tmp_path / "late"
    async with watched(root) as source:
        assert f"{root} cannot be read: No such file or directory" == source.ready()
        assert "lost" == await first_uri(source)
        put(root / "film/master.m3u8", playlist("a"))
        await until("a.m3u8", lambda: first_uri(source))
        assert (None, None) == (source.ready(), source.degraded())
        await asyncio.sleep(3 * directory.LOOK_AGAIN_S)
        put(root / "film/master.m3u8", playlist("b"))
        await until("b.m3u8", lambda: first_uri(source))


# ── lost ────────────────────────────────────────────────────────────────────────────────────────


def moved_away(root: Path) -> None:
    """Move the folder."""
    root.rename(root.with_name("elsewhere"))


def not_mounted(root: Path) -> None:
    """Leave an empty folder, as a volume that is not mounted does."""
    moved_away(root)
    root.mkdir()


def replaced_by_a_file(root: Path) -> None:
    """Put a file in its place."""
    moved_away(root)
    root.write_bytes(b"")


def linked_nowhere(root: Path) -> None:
    """Put a link to nothing in its place."""
    moved_away(root)
    root.symlink_to("nowhere")


def put_back(root: Path) -> None:
    """Undo any of these."""
    if root.is_dir() and not root.is_symlink():
        root.rmdir()
    else:
        root.unlink(missing_ok=True)
    root.with_name("elsewhere").rename(root)


@pytest.mark.parametrize(
    "lose", [moved_away, not_mounted, replaced_by_a_file, linked_nowhere], ids=lambda f: f.__name__
)
async def test_a_root_that_is_lost_takes_no_title_away(
    root: Path, lose: Callable[[Path], None]
) -> None:
    """The last good copy is served; an asset without one is not "no such asset". One error line,
    and one when it is back by itself, with the changes that were made meanwhile."""
    put(root / "other/master.m3u8", playlist("o"))
    with capture_logs() as logs:
        async with watched(root) as source:
            assert "a.m3u8" == await first_uri(source)
            lose(root)
            await until("lost", lambda: first_uri(source, "other"))
            assert "a.m3u8" == await first_uri(source)
            await asyncio.sleep(3 * directory.LOOK_AGAIN_S)  # also when it was looked at again
            assert "a.m3u8" == await first_uri(source)
            await source.revalidate_all()
            assert "a.m3u8" == await first_uri(source)
            assert None is source.ready()
            assert str(root) in (source.degraded() or "")
            put(root.with_name("elsewhere") / "film/master.m3u8", playlist("b"))
            put_back(root)
            await until("b.m3u8", lambda: first_uri(source))
            await until("o.m3u8", lambda: first_uri(source, "other"))
            assert (None, None) == (source.ready(), source.degraded())
    told = [line for line in logs if line["event"] in {"source_lost", "source_back"}]
    assert ["error", "info"] == [line["log_level"] for line in told]
    assert str(root) in told[0]["reason"]


async def test_whoever_asks_for_readiness_does_not_wait_for_the_root(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network drive may not answer for minutes, and a load balancer asks every second."""
    here, scandir = threading.get_ident(), os.scandir

    def elsewhere(path: Path) -> Any:
        assert threading.get_ident() != here, "the event loop reads the root"
        return scandir(path)

    monkeypatch.setattr("os.scandir", elsewhere)
    async with watched(root) as source:
        assert (None, None) == (source.ready(), source.degraded())
        moved_away(root)
        async with asyncio.timeout(6):
            while source.ready() is None:  # noqa: ASYNC110  (files tell nothing)
                await asyncio.sleep(0.02)
        assert source.degraded() is not None


async def test_a_lost_root_needs_no_watcher(root: Path) -> None:
    """Requests notice that it is lost, and that it is back. A purge forgets copies all the same."""
    source = reader(root)
    assert "a.m3u8" == await first_uri(source)
    moved_away(root)
    await source.revalidate_all()
    assert "a.m3u8" == await first_uri(source)
    await source.purge("film")
    assert "lost" == await first_uri(source)
    assert f"{root} cannot be read: No such file or directory" == source.ready()
    put_back(root)
    await until("a.m3u8", lambda: first_uri(source))


class HangingSource(DirectorySource):
    """One whose volume does not answer while ``answers`` is not set, or not for one path."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, FORMATS, LARGEST)
        self.answers = threading.Event()
        self.answers.set()
        self.hangs_on = ""
        self.takes_s = 0.0
        self.tried: list[str] = []

    def _bytes(self, path: str) -> bytes:
        self.tried.append(path)
        time.sleep(self.takes_s)
        if self.hangs_on in path:
            self.answers.wait()
        return super()._bytes(path)

    def _trouble(self) -> str | None:
        if not self.hangs_on:
            self.answers.wait()
        return super()._trouble()


@pytest.fixture
def hanging(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingSource]:
    """One with two titles, of which ``film`` is in memory soon."""
    monkeypatch.setattr(directory, "READ_S", 0.3)
    monkeypatch.setattr(directory, "LOOK_AGAIN_S", 0.1)
    put(root / "other/master.m3u8", playlist("b"))
    source = HangingSource(root)
    yield source
    source.answers.set()


async def test_a_volume_that_does_not_answer_is_as_one_that_is_gone(
    root: Path, hanging: HangingSource
) -> None:
    """A title in memory is served, another is refused in time. One request at a time tries. One
    that is answered with 404 shows that the volume is back."""
    first = await hanging.load("film")
    hanging.answers.clear()
    with pytest.raises(SourceLostError, match=r"does not answer within 0\.3 s"):
        await hanging.load("other")
    put(root / "film/master.m3u8", playlist("c"))
    await hanging.revalidate_all()
    await asyncio.sleep(0.2)
    hanging.tried.clear()
    found = await asyncio.gather(*(hanging.load("film") for _ in range(20)))
    assert {first.version} == {each.version for each in found}
    assert ["film/master.m3u8"] == hanging.tried
    hanging.answers.set()
    await asyncio.sleep(0.2)
    with pytest.raises(NoSuchAssetError):
        await hanging.load("unknown")
    assert None is hanging.ready()
    assert first.version != (await hanging.load("film")).version
    assert "other/master.m3u8" == (await hanging.load("other")).path


async def test_a_file_that_cannot_be_read_to_its_end_costs_itself_alone(
    hanging: HangingSource,
) -> None:
    """However often it is asked for: it is not read again while a read of it hangs."""
    hanging.hangs_on = "other"
    hanging.answers.clear()
    for _ in range(12):
        with pytest.raises(BadSourceError, match=r"other.* does not answer") as refused:
            await hanging.load("other")
        assert not isinstance(refused.value, SourceLostError)
        await asyncio.sleep(0.1)
    assert "film/master.m3u8" == (await hanging.load("film")).path
    assert 1 == hanging.tried.count("other/master.m3u8")
    hanging.answers.set()
    await asyncio.sleep(0.2)
    assert "other/master.m3u8" == (await hanging.load("other")).path


async def test_many_titles_at_once_are_no_trouble(root: Path, hanging: HangingSource) -> None:
    """Each waits its turn, however long that takes. What takes long to parse is no trouble, too."""
    for number in range(60):
        put(root / f"cold{number}/master.m3u8", playlist("d"))
    slow = FORMATS[ManifestFormat.HLS].read

    def read(data: bytes, path: str, most: int) -> Any:
        time.sleep(0.05 if "cold" in path else 0.5)
        return slow(data, path, most)

    hanging._formats = {ManifestFormat.HLS: replace(FORMATS[ManifestFormat.HLS], read=read)}
    hanging.takes_s = 0.05
    found = await asyncio.gather(*(hanging.load(f"cold{number}") for number in range(60)))
    assert 60 == len(found)
    assert "film/master.m3u8" == (await hanging.load("film")).path


async def test_a_catalogue_that_is_empty_from_the_start_is_no_fault(tmp_path: Path) -> None:
    """Nothing was ever read from it."""
    source = reader(tmp_path)
    assert ("gone", None) == (await first_uri(source), source.ready())


async def test_a_file_that_cannot_be_read_any_more(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the disk says nothing about the asset: its last good copy is served, and the
    fault is listed. Without a copy it is a 502."""
    source = reader(root)
    put(root / "x/master.m3u8", playlist("x"))
    assert "a.m3u8" == await first_uri(source)

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", fails)
        await source.revalidate_all()
        assert ("a.m3u8", "bad") == (await first_uri(source), await first_uri(source, "x"))
        faults = source.faults.current()
        assert ["film/master.m3u8", "x/master.m3u8"] == [fault.file for fault in faults]
        assert {("unreadable", None, None)} == {(f.kind, f.line, f.rule) for f in faults}
        assert "film/master.m3u8: cannot be read: Input/output error" == faults[0].problem
    await until("x.m3u8", lambda: first_uri(source, "x"))
    await until("a.m3u8", lambda: first_uri(source))
    assert [] == source.faults.current()


# ── faulty files ────────────────────────────────────────────────────────────────────────────────

NO_BANDWIDTH = b"#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=1x1\na.m3u8\n"


async def test_a_faulty_file_is_one_warning_while_it_lasts(root: Path) -> None:
    """However many players ask: file, line, rule, when it was first met and how often. Another
    fault of the same file is a new warning, and the end is a line, whether or not anyone asks."""
    path = root / "film/master.m3u8"
    put(path, NO_BANDWIDTH)
    with capture_logs() as logs:
        async with watched(root) as source:
            before = time.time()
            assert ["bad"] * 5 == [await first_uri(source) for _ in range(5)]
            (fault,) = source.faults.current()
            assert ("film/master.m3u8", "bandwidth", 2) == (fault.file, fault.kind, fault.line)
            assert ("RFC 8216bis 4.4.6.2", 5) == (fault.rule, fault.count)
            assert before <= fault.first_met <= fault.last_met <= time.time()
            put(path, b"<html>")
            await until("first-line", lambda: kinds(source))
            put(path, playlist("b"))
            await until("", lambda: kinds(source))
            put(path, b"<html>")
            await until("bad", lambda: first_uri(source))
            path.unlink()
            await until("", lambda: kinds(source))
    told = [line for line in logs if line["event"].startswith(("source_faulty", "source_mended"))]
    assert [
        ("source_faulty", "bandwidth"),
        ("source_faulty", "first-line"),
        ("source_mended", None),
        ("source_faulty", "first-line"),
        ("source_mended", None),
    ] == [(line["event"], line.get("kind")) for line in told]
    assert {
        "event": "source_faulty",
        "log_level": "warning",
        "file": "film/master.m3u8",
        "kind": "bandwidth",
        "line": 2,
        "rule": "RFC 8216bis 4.4.6.2",
        "problem": (
            "film/master.m3u8, line 2: RFC 8216bis 4.4.6.2: BANDWIDTH is missing or not a number"
        ),
    } == told[0]


async def kinds(source: DirectorySource) -> str:
    """The kinds of the faults that are listed now."""
    return " ".join(fault.kind for fault in source.faults.current())


# ── refused ─────────────────────────────────────────────────────────────────────────────────────


def link_out(root: Path) -> None:
    """A link to a file outside of the root."""
    put(root.with_name("secret") / "master.m3u8", playlist("s"))
    (root / "x").mkdir()
    (root / "x/master.m3u8").symlink_to(root.with_name("secret") / "master.m3u8")


def linked_folder_out(root: Path) -> None:
    """A link to a folder outside of the root."""
    put(root.with_name("secret") / "master.m3u8", playlist("s"))
    (root / "x").symlink_to(root.with_name("secret"))


def sibling_with_the_roots_name(root: Path) -> None:
    """A folder beside the root whose name starts with the root's name."""
    put(root.with_name("catalogue-secret") / "master.m3u8", playlist("s"))
    (root / "x").symlink_to(root.with_name("catalogue-secret"))


def link_to_itself(root: Path) -> None:
    """A loop of links."""
    (root / "x").symlink_to("x")


def folder(root: Path) -> None:
    """A folder with the name of the file."""
    (root / "x/master.m3u8").mkdir(parents=True)


def pipe(root: Path) -> None:
    """A pipe without a writer."""
    (root / "x").mkdir()
    os.mkfifo(root / "x/master.m3u8")


def file_for_a_folder(root: Path) -> None:
    """A file in place of the asset's folder."""
    put(root / "x", playlist("a"))


@pytest.mark.parametrize(
    "make",
    [
        link_out,
        linked_folder_out,
        sibling_with_the_roots_name,
        link_to_itself,
        folder,
        pipe,
        file_for_a_folder,
    ],
    ids=lambda make: make.__name__,
)
async def test_what_is_no_file_of_the_catalogue_is_not_there(
    root: Path, make: Callable[[Path], None]
) -> None:
    """A 404 at once: files outside the root and endless files are never read."""
    make(root)
    async with asyncio.timeout(2):
        assert "gone" == await first_uri(reader(root), "x")


@pytest.mark.parametrize("asset", ["x" * 400, "a/" * 250 + "a", "nothing", "film/master.m3u8"])
async def test_names_that_lead_to_no_file(root: Path, asset: str) -> None:
    """A name may be longer than file systems allow."""
    assert "gone" == await first_uri(reader(root), asset)


async def test_a_link_below_the_root_is_followed(root: Path) -> None:
    """A link is followed if its target is below the root; relative URIs use the asset's own
    path."""
    (root / "alias").symlink_to("film")
    found: SourceManifest = await reader(root).load("alias")
    assert ("alias/master.m3u8", "a.m3u8") == (found.path, hls_of(found).playlist.variants[0].uri)


BAD = {
    "latin-1": (
        playlist("a") + "# Stra\u00dfe\n".encode("latin-1"),
        ["x/master.m3u8", "not UTF-8"],
    ),
    "binary": (bytes(range(256)), ["x/master.m3u8"]),
    "empty": (b"", ["x/master.m3u8", "RFC 8216bis 4.4.1.1"]),
    "too large": (playlist("a") + b"#" * LARGEST, ["x/master.m3u8", f"{LARGEST} bytes"]),
    "media playlist": (b"#EXTM3U\n#EXTINF:4,\na.ts\n", ["x/master.m3u8", "RFC 8216bis 4.4.6"]),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_played_is_bad(root: Path, name: str) -> None:
    """A 502 that names the file, and the broken clause if there is one."""
    data, words = BAD[name]
    put(root / "x/master.m3u8", data)
    with pytest.raises(BadSourceError) as caught:
        await reader(root).load("x")
    assert [] == [word for word in words if word not in str(caught.value)]


async def test_a_file_as_large_as_allowed_is_read(root: Path) -> None:
    """A file of exactly the allowed size is read."""
    data = playlist("a")
    put(root / "x/master.m3u8", data + b"#" * (LARGEST - len(data) - 1) + b"\n")
    assert "a.m3u8" == await first_uri(reader(root), "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="NOT RUN: root may read every file")
async def test_a_file_that_may_not_be_read_is_bad(root: Path) -> None:
    """The file exists, so it is not a 404; the message gives the reason."""
    put(root / "x/master.m3u8", playlist("a"))
    (root / "x/master.m3u8").chmod(0)
    with pytest.raises(BadSourceError, match="cannot be read"):
        await reader(root).load("x")


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────

TRAVERSALS = [
    b"../secret",
    b"../../secret/x",
    b"..%2fsecret",
    b"%2e%2e/secret",
    b"%2e%2e%2fsecret",
    b"film/../../secret",
    b"film/%2e%2e/%2e%2e/secret",
    b"..%5csecret",
    b"%252e%252e%252fsecret",
    b"/etc",
    b"%2fetc",
    b"film%00",
    b"..;/secret",
    b".%2e/secret",
    b"\\..\\secret",
    b"%c0%ae%c0%ae/secret",
]


def test_no_request_leads_out_of_the_catalogue(root: Path) -> None:
    """Known path traversal attempts, as raw bytes on the socket, never return the secret file."""
    put(root.with_name("secret") / "master.m3u8", playlist("s"))
    config = root.with_name("gateway.toml")
    config.write_text(
        f'[source]\nkind = "directory"\nroot = "{root}"\n[store]\nurl = "memory"\n'
        '[[edges]]\nid = "e"\nurl = "https://e.example/"\nfallback = true\n',
        "utf-8",
    )
    with running_gateway(config) as gateway:
        assert 200 == get_raw(gateway.url, b"/v1/play/film.m3u8").status
        for target in TRAVERSALS:
            for ending in (b"", b".m3u8", b"/master.m3u8", b"/master.m3u8.m3u8"):
                answer = get_raw(gateway.url, b"/v1/play/" + target + ending)
                assert answer.status in {400, 404}, target + ending
                assert b"s.m3u8" not in answer.body
        bad = root / "bad/master.m3u8"
        put(bad, b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n")
        answer = get_raw(gateway.url, b"/v1/play/bad.m3u8")
        assert 502 == answer.status
        assert b"bad/master.m3u8" in answer.body
        assert str(root).encode() not in answer.body
        assert 404 == get_raw(gateway.url, b"/v1/play/nothing").status


# ── both formats, and live MPDs ─────────────────────────────────────────────────────────────────


async def load_mpd(source: DirectorySource) -> SourceManifest:
    """The MPD of the title."""
    return await source.load("film", wanted=ManifestFormat.DASH)


async def test_a_title_has_a_file_for_each_format(root: Path) -> None:
    """What is wrong with one says nothing of the other, and a purge reads both again."""
    put(root / "film/manifest.mpd", b"<MPD/>")
    source = reader(root)
    assert ManifestFormat.HLS == (await source.load("film")).manifest.format
    with pytest.raises(BadSourceError):
        await load_mpd(source)
    assert ["film/manifest.mpd"] == [fault.file for fault in source.faults.current()]
    assert await source.has("film", ManifestFormat.DASH)
    assert not await source.has("film2", ManifestFormat.DASH)
    put(root / "film/manifest.mpd", mpd("dynamic").encode())
    await source.purge("film")
    assert ManifestFormat.DASH == (await load_mpd(source)).manifest.format
    assert [] == source.faults.current()


async def test_what_has_not_changed_is_not_parsed_again(root: Path) -> None:
    """Any change below the root has all files read again; a live MPD changes every few seconds."""
    source = reader(root)
    before = await source.load("film")
    await source.revalidate_all()
    after = await source.load("film")
    assert before.manifest is after.manifest
    put(root / "film/master.m3u8", playlist("b"))
    await source.revalidate_all()
    assert before.manifest is not (await source.load("film")).manifest


async def test_a_live_mpd_that_is_just_being_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of it is read: the last good one is served, and soon the whole. A fault that lasts is
    reported, and in the end refused. A static MPD is refused at once."""
    whole = mpd("dynamic").encode()
    put(root / "film/manifest.mpd", whole)
    source = reader(root)
    now = [1000.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    first = await load_mpd(source)
    put(root / "film/manifest.mpd", whole[:300])
    await source.revalidate_all()
    assert first is await load_mpd(source)
    assert [] == source.faults.current()
    now[0] += directory.BEING_WRITTEN_S + 0.2
    assert first is await load_mpd(source)
    assert ["film/manifest.mpd"] == [fault.file for fault in source.faults.current()]
    put(root / "film/manifest.mpd", whole.replace(b"10:00:00", b"10:00:04"))
    now[0] += directory.LOOK_AT_LIVE_S
    assert first.version != (await load_mpd(source)).version
    assert [] == source.faults.current()
    put(root / "film/manifest.mpd", whole[:300])
    await source.revalidate_all()
    await load_mpd(source)
    now[0] += directory.MAX_FAULTY_LIVE_S
    with pytest.raises(BadSourceError):
        await load_mpd(source)
    put(root / "film/manifest.mpd", mpd().encode())
    await source.revalidate_all()
    await load_mpd(source)
    put(root / "film/manifest.mpd", mpd().encode()[:300])
    await source.revalidate_all()
    with pytest.raises(BadSourceError):
        await load_mpd(source)
