"""A changed file takes effect however it was saved; an invalid one never does."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.config.load import Loaded, load
from gateway.config.problem import ConfigError, ConfigProblem
from gateway.config.reload import ConfigWatcher, Reload
from gateway.config.schema import ServerSettings
from gateway.observe.tasks import supervise
from tests.background import in_background
from tests.unit.geodata.mmdb_files import write_mmdb

SETTLE_S = 0.05
WAITS = (
    "g.toml: tokens.protect[0].refuse_anonymous: true needs geo.anonymous_ip_database (until a "
    "restart, these keep their running values: geo.anonymous_ip_database); allowed: false, or "
    "geo.anonymous_ip_database as well"
)
SERVER_KEYS = tuple(ServerSettings.model_fields)


class Observed:
    """Records the reloads, refusals and applied configurations of a watcher."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.waiting: tuple[str, ...] = ()
        self.refusals: list[list[str]] = []
        self.applied: list[Loaded] = []
        self.refuse_with: ConfigProblem | None = None

    def __call__(self, reload: Reload) -> None:
        """One more configuration in force, or one more refusal."""
        if reload.new is None:
            self.refusals.append([str(problem) for problem in reload.problems])
            return
        self.versions.append(reload.new.policy.version)
        self.waiting = reload.waiting

    def apply(self, loaded: Loaded) -> None:
        """Take a configuration, or refuse it."""
        if self.refuse_with is not None:
            raise ConfigError([self.refuse_with])
        self.applied.append(loaded)


@contextlib.asynccontextmanager
async def watching(
    path: Path | None, *, poll_s: float = 60.0
) -> AsyncIterator[tuple[ConfigWatcher, Observed]]:
    """A running watcher. ``poll_s`` is long, so that only file system events trigger it."""
    observed = Observed()
    watcher = ConfigWatcher(
        load(path, {}), {}, observed.apply, observed, settle_s=SETTLE_S, poll_s=poll_s
    )
    async with in_background(watcher.run()):
        if path is not None:
            await until(lambda: is_watched(path.parent))
        yield watcher, observed


def is_watched(folder: Path) -> bool:
    """Whether this process watches a folder, as Linux says."""
    inode = f" ino:{folder.stat().st_ino:x} "
    told = []
    for descriptor in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            told.append(descriptor.read_text())
    return any(inode in text for text in told)


async def until(true: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110  (files and logs have no event to wait for)
            await asyncio.sleep(0.01)


def height(number: int) -> str:
    """A configuration that a test can identify by a height."""
    return f"[profiles.wifi]\nmax_height = {number}\n"


def height_of(watcher: ConfigWatcher) -> int | None:
    """The height in the current configuration."""
    return watcher.current.policy.profiles["wifi"].max_height


def in_place(path: Path, text: str) -> None:
    """As ``echo >`` does."""
    path.write_text(text)


def renamed_over(path: Path, text: str) -> None:
    """As vim and every careful program do."""
    new = path.with_name(".g.toml.swp")
    new.write_text(text)
    new.replace(path)


def backup_renamed_away(path: Path, text: str) -> None:
    """As editors that keep a backup do: for a moment there is no file."""
    path.replace(path.with_name("g.toml~"))
    path.write_text(text)


def deleted_and_made_anew(path: Path, text: str) -> None:
    """As ``git checkout`` does."""
    path.unlink()
    path.write_text(text)


def folder_replaced(path: Path, text: str) -> None:
    """As a deployment may do: the folder itself is another one."""
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.write_text(text)


SAVES = [in_place, renamed_over, backup_renamed_away, deleted_and_made_anew]


@pytest.mark.parametrize("save", SAVES)
async def test_a_saved_file_comes_into_force(
    tmp_path: Path, save: Callable[[Path, str], None]
) -> None:
    """Several saves in each way take effect; each is applied before it becomes current."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))
    async with watching(path) as (watcher, observed):
        for number in (2, 3):
            save(path, height(number))
            await until(lambda expected=number: height_of(watcher) == expected)  # type: ignore[misc]
        await until(lambda: len(observed.versions) == 2)
        assert [loaded.policy.profiles["wifi"].max_height for loaded in observed.applied] == [2, 3]
        assert watcher.current.policy.version == observed.versions[-1]
        assert observed.refusals == []


async def test_a_configmap_swap_comes_into_force(tmp_path: Path) -> None:
    """As in Kubernetes: the file links to ``..data/``, which is replaced by a link to another
    folder."""
    for number in (1, 2, 3):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "g.toml").write_text(height(number))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "g.toml").symlink_to("..data/g.toml")
    async with watching(tmp_path / "g.toml") as (watcher, observed):
        for number in (2, 3):
            (tmp_path / "..data_tmp").symlink_to(f"..{number}")
            (tmp_path / "..data_tmp").replace(tmp_path / "..data")
            shutil.rmtree(tmp_path / f"..{number - 1}")
            await until(lambda expected=number: height_of(watcher) == expected)  # type: ignore[misc]
        assert observed.refusals == []


async def test_a_linked_file_is_watched_where_it_lies(tmp_path: Path) -> None:
    """The link stays as it is; the file that it leads to, in another folder, changes."""
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "there" / "g.toml").write_text(height(1))
    (tmp_path / "here" / "g.toml").symlink_to("../there/g.toml")
    async with watching(tmp_path / "here" / "g.toml") as (watcher, _):
        renamed_over(tmp_path / "there" / "g.toml", height(2))
        await until(lambda: height_of(watcher) == 2)


@pytest.mark.parametrize("save", [*SAVES, folder_replaced])
async def test_what_no_folder_tells_is_noticed_by_looking(
    tmp_path: Path, save: Callable[[Path, str], None]
) -> None:
    """A link in the middle of the path is replaced, which causes no event in the file's folder;
    polling detects it."""
    for number in (1, 2):
        (tmp_path / f"release{number}").mkdir()
        (tmp_path / f"release{number}" / "g.toml").write_text(height(number))
    (tmp_path / "current").symlink_to("release1")
    path = tmp_path / "current" / "g.toml"
    async with watching(path, poll_s=0.2) as (watcher, _):
        (tmp_path / "new").symlink_to("release2")
        (tmp_path / "new").replace(tmp_path / "current")
        await until(lambda: height_of(watcher) == 2)
        save(path.resolve(), height(3))
        await until(lambda: height_of(watcher) == 3)


async def test_a_bad_file_is_refused_whole_and_once(tmp_path: Path) -> None:
    """The last good one stays, the reason is logged and counted once, and a good one follows."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))
    with capture_logs() as logs:
        async with watching(path, poll_s=0.1) as (watcher, observed):
            path.write_text(height(2) + "[server]\nmanifest_max_age_s = -1\nprot = 1\n")
            await until(lambda: len(observed.refusals) == 1)
            await asyncio.sleep(0.5)  # several looks later it is still the same refusal
            assert height_of(watcher) == 1
            refusal = [
                (
                    "g.toml: server.manifest_max_age_s: -1 is below 0; "
                    "allowed: whole seconds from 0 to 31536000"
                ),
                (
                    "g.toml: server.prot: is not a known key; allowed: "
                    f'{", ".join(SERVER_KEYS)} (did you mean "port"?)'
                ),
            ]
            assert [refusal] == observed.refusals
            path.write_text(height(3))
            await until(lambda: height_of(watcher) == 3)
    assert [
        {
            "event": "config_refused",
            "log_level": "error",
            "path": str(path),
            "problems": refusal,
        },
        {
            "event": "config_reloaded",
            "log_level": "info",
            "path": str(path),
            "version": watcher.current.policy.version,
        },
    ] == logs


async def test_a_file_that_is_gone_or_empty_is_refused(tmp_path: Path) -> None:
    """Neither means the shipped values. The file is used again when it is back."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))
    async with watching(path) as (watcher, observed):
        path.unlink()
        await until(lambda: len(observed.refusals) == 1)
        path.write_text(" \n")
        await until(lambda: len(observed.refusals) == 2)
        assert [
            [f"{path}: cannot be read (No such file or directory)"],
            ["g.toml: is empty"],
        ] == observed.refusals
        assert height_of(watcher) == 1
        path.write_text(height(2))
        await until(lambda: height_of(watcher) == 2)


@pytest.mark.parametrize("linked", [False, True])
async def test_a_folder_that_is_gone_or_a_loop_of_links_is_outlived(
    tmp_path: Path, linked: bool
) -> None:
    """The watch cannot be set up meanwhile; the file is used when it is back."""
    (tmp_path / "one").mkdir()
    path = tmp_path / "g.toml"
    path.symlink_to("one/g.toml")
    (tmp_path / "one" / "g.toml").write_text(height(1))
    async with watching(path, poll_s=0.1) as (watcher, observed):
        (tmp_path / "link").symlink_to("g.toml" if linked else "two/g.toml")
        (tmp_path / "link").replace(path)
        await until(lambda: len(observed.refusals) == 1)
        await asyncio.sleep(0.3)
        renamed_over(path, height(2))
        await until(lambda: height_of(watcher) == 2)
        renamed_over(path, height(3))
        await until(lambda: height_of(watcher) == 3)
        assert len(observed.refusals) == 1


async def test_a_file_that_is_still_being_written_is_left_alone(tmp_path: Path) -> None:
    """A file that is written in many pieces is read once, when it is complete."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))
    text = "# what counts stands at the end\n" * 40 + height(2)
    async with watching(path) as (watcher, observed):
        with path.open("w") as file:
            for start in range(0, len(text), 20):
                file.write(text[start : start + 20])
                file.flush()
                await asyncio.sleep(SETTLE_S / 10)
        await until(lambda: len(observed.applied) > 0)
        assert (observed.refusals, height_of(watcher)) == ([], 2)


async def test_a_signal_reloads_at_once(tmp_path: Path) -> None:
    """SIGHUP reloads, although the file has not changed."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))
    async with watching(path) as (watcher, observed):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, watcher.reload_soon)
        try:
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: len(observed.versions) == 1)
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: len(observed.versions) == 2)
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
        assert height_of(watcher) == 1


async def test_without_a_file_there_is_the_signal_alone() -> None:
    """A signal rebuilds the shipped values; no file is watched."""
    async with watching(None) as (watcher, observed):
        before = watcher.current
        watcher.reload_soon()
        await until(lambda: len(observed.versions) == 1)
        assert before.policy == watcher.current.policy
        assert before is not watcher.current


async def test_a_file_that_is_saved_during_the_start_comes_into_force(tmp_path: Path) -> None:
    """What was saved after the file was loaded, and before it is watched, is noticed at once."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))
    loaded = load(path, {})
    path.write_text(height(2))
    observed = Observed()
    watcher = ConfigWatcher(loaded, {}, observed.apply, observed, settle_s=SETTLE_S, poll_s=60.0)
    async with in_background(watcher.run()):
        await until(lambda: bool(observed.versions))
        assert height_of(watcher) == 2


async def test_a_config_that_can_be_read_once_stays_in_force() -> None:
    """Such as that of a pipe, which is empty the next time."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write(height(1))
    with os.fdopen(reading):
        loaded, observed = load(Path(f"/dev/fd/{reading}"), {}), Observed()
        watcher = ConfigWatcher(loaded, {}, observed.apply, observed, settle_s=SETTLE_S, poll_s=0.1)
        async with in_background(watcher.run()):
            await asyncio.sleep(0.4)
    assert ([], []) == (observed.refusals, observed.versions)


async def test_who_asked_for_a_reload_that_fails_is_told(tmp_path: Path) -> None:
    """An error that is no refusal reaches those who wait, and the task that reloads."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))

    def fails(_: Loaded) -> None:
        raise RuntimeError("applied in part")

    watcher = ConfigWatcher(load(path, {}), {}, fails, Observed(), settle_s=SETTLE_S)
    with capture_logs() as logs:
        task = supervise("config", watcher.run)
        try:
            async with asyncio.timeout(5):
                for asker in ("ann", "bob"):
                    with pytest.raises(RuntimeError, match="applied in part"):
                        await watcher.reload(asker)
        finally:
            task.cancel()
            await asyncio.wait((task,))
    assert "background_task_failed" in [line["event"] for line in logs]


async def test_keys_that_need_a_restart_are_named_and_the_rest_is_used(tmp_path: Path) -> None:
    """The running port stays, the changed rules take effect, and the log has the waiting keys and
    the warnings."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))
    with capture_logs() as logs:
        async with watching(path) as (watcher, observed):
            path.write_text(
                height(2) + "[server]\nport = 1\nmanifest_max_age_s = 9\ntrusted_proxies = ['::/0']"
            )
            await until(lambda: len(observed.versions) == 1)
            server = watcher.current.settings.server
            assert (server.port, server.manifest_max_age_s, height_of(watcher)) == (8080, 9, 2)
            assert watcher.current.policy.version == observed.versions[0]
            assert observed.waiting == ("server.port",)
            assert "server.port" not in watcher.current.origins
            assert watcher.current.origins["server.manifest_max_age_s"] == "g.toml"
    assert logs[1:] == [
        {
            "event": "config_warning",
            "log_level": "warning",
            "problem": (
                'g.toml: server.trusted_proxies[0]: warning: "::/0" '
                "lets every client claim any address"
            ),
        },
        {"event": "config_waits_for_restart", "log_level": "warning", "keys": ["server.port"]},
    ]


async def test_what_needs_a_key_that_waits_is_refused(tmp_path: Path) -> None:
    """A rule that needs a new database is not in force without it, however often it is saved."""
    path, database = tmp_path / "g.toml", tmp_path / "a.mmdb"
    write_mmdb(database, "GeoIP2-Anonymous-IP", {})
    path.write_text(height(1))
    geo = f'[geo]\nanonymous_ip_database = "{database}"\n'
    rule = '[[tokens.protect]]\nasset_prefix = "film/"\nrefuse_anonymous = true\n'
    async with watching(path) as (watcher, observed):
        for earlier in (0, 1):
            path.write_text(height(2) + geo + rule)
            await until(lambda: len(observed.refusals) > len(observed.versions))
            assert height_of(watcher) == 1 + earlier
            assert observed.refusals[-1] == [WAITS]
            path.write_text(height(2) + geo)  # without the rule, the rest is used
            await until(lambda: len(observed.versions) == len(observed.refusals))
            assert observed.waiting == ("geo.anonymous_ip_database",)
            assert height_of(watcher) == 2


async def test_shipped_edges_do_not_replace_those_of_a_running_source(tmp_path: Path) -> None:
    """A config for the demo needs a restart, and its edges are not used before."""
    path = tmp_path / "g.toml"
    own = (
        '[source]\nkind = "directory"\nroot = "."\n'
        '[[edges]]\nid = "own"\nurl = "https://own.example"\nfallback = true\n'
    )
    path.write_text(own)
    async with watching(path) as (watcher, observed):
        path.write_text(height(2))
        await until(lambda: len(observed.refusals) == 1)
        assert "are the shipped examples" in observed.refusals[0][0]
        assert [edge.id for edge in watcher.current.policy.edges] == ["own"]


async def test_who_applies_it_may_refuse_it(tmp_path: Path) -> None:
    """An error that ``apply`` raises counts as a refusal."""
    path = tmp_path / "g.toml"
    path.write_text(height(1))
    async with watching(path) as (watcher, observed):
        observed.refuse_with = ConfigProblem("source", "cannot be opened", source="g.toml")
        path.write_text(height(2))
        await until(lambda: len(observed.refusals) == 1)
        assert observed.refusals == [["g.toml: source: cannot be opened"]]
        assert height_of(watcher) == 1


async def test_a_file_that_a_variable_names_is_read_again(tmp_path: Path) -> None:
    """A secret that was replaced takes effect at the next reload; one that is gone refuses it."""
    path, secret = tmp_path / "g.toml", tmp_path / "age"
    path.write_text(height(1))
    secret.write_text("7\n")
    environ = {"GATEWAY_SERVER__MANIFEST_MAX_AGE_S_FILE": str(secret)}
    observed = Observed()
    watcher = ConfigWatcher(load(path, environ), environ, observed.apply, observed)
    async with in_background(watcher.run()):
        assert watcher.current.settings.server.manifest_max_age_s == 7
        secret.write_text("8\n")
        watcher.reload_soon()
        await until(lambda: watcher.current.settings.server.manifest_max_age_s == 8)
        secret.unlink()
        watcher.reload_soon()
        await until(lambda: len(observed.refusals) == 1)
        assert "names a file that does not exist" in observed.refusals[0][0]
        assert watcher.current.settings.server.manifest_max_age_s == 8
