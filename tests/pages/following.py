"""A reader who follows a page: types every command, in the order of the page, in one terminal.

The commands are those of the page. Only ports are replaced, by free ones, so that tests do not
disturb each other; and ids that a command has printed before, as a reader would.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.integration.forked import gateway_command
from tests.missing import missing
from tests.pages.blocks import ROOT, Block, Page
from tests.ports import free_port

BLOCK_S = 60.0
"""The longest time that one block may take, on a busy machine."""
STOP_S = 20.0

PLAYERS, OPERATORS = "8080", "8090"
"""The shipped ports."""

_PORT = re.compile(
    r"(?:127\.0\.0\.\d|localhost|0\.0\.0\.0):(\d{4,5})\b|\bPORT[= ]\"?(\d{4,5})\b"
    r"|--port[ =](\d{4,5})\b|\blisten (\d{4,5})\b|^port *= *(\d{4,5})\b",
    re.MULTILINE,
)
_NOT_FOUND = 127
"""The exit status of a shell for a command that is not installed."""
_ID = re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{8,}\b")
"""A hexadecimal id: its characters are others in each run."""
_SECTION_PORT = r"^\[{}\][^\[]*^port *="

Hooks = Mapping[str, Callable[[], None]]


class FollowError(AssertionError):
    """A command of a page did not do what the page says."""


def ports(page: Page, known: Mapping[str, str]) -> dict[str, str]:
    """A free port for each that commands and files of the page name, by its number there."""
    text = "".join(block.text for block in page.blocks if block.runs or "file" in block.marks)
    named = {PLAYERS, OPERATORS} | {next(filter(None, found)) for found in _PORT.findall(text)}
    return {port: known.get(port) or str(free_port()) for port in sorted(named)}


@dataclass(frozen=True, slots=True)
class Started:
    """Commands that run until Ctrl-C, and the file that has what they print."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """What they have printed until now."""
        return self.log.read_text("utf-8", "replace")

    def wait_until(self, condition: Callable[[], bool], within_s: float = BLOCK_S) -> bool:
        """Wait for a condition; False if the commands end or take too long."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if condition():
                return True
            if self.process.poll() is not None:
                return condition()
            time.sleep(0.02)
        return False

    def interrupt(self) -> bool:
        """Send what Ctrl-C sends; False if they do not end and have to be killed."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return False
        return True


class Reader:
    """Follows one page in ``folder``. ``known`` maps ports of the page to those of servers that run
    already. ``hooks`` are what the test does before blocks marked ``first``. With ``checkout``,
    ``folder`` is the reader's home, and the checkout is there under this name: then a command is
    only found if the page says where."""

    def __init__(
        self,
        page: Page,
        folder: Path,
        known: Mapping[str, str] | None = None,
        hooks: Hooks | None = None,
        checkout: str | None = None,
    ) -> None:
        self.page = page
        self._checkout = checkout
        self.folder = folder
        self.ports = ports(page, known or {})
        self._hooks = hooks or {}
        self._state = folder.parent / f"{folder.name}.state"
        self._ids: dict[str, str] = {}
        self._serving: dict[str, Started] = {}
        self._commands = folder.parent / f"{folder.name}.bin"
        self._commands.mkdir()
        words = shlex.join(gateway_command(str(Path(sys.prefix) / "bin" / "gateway")))
        command = self._commands / "gateway"
        command.write_text(f'#!/bin/sh\nexec {words} "$@"\n', "utf-8")
        command.chmod(0o755)
        place = folder if checkout is None else folder / checkout
        place.mkdir(exist_ok=True)
        if not (place / ".venv").exists():
            (place / ".venv").symlink_to(sys.prefix)
        self._state.write_text("")

    def follow(self) -> None:
        """Run all blocks. Raises :class:`FollowError`."""
        try:
            for block in self.page.blocks:
                if "first" in block.marks:
                    self._hooks[block.marks["first"]]()
                if "file" in block.marks:
                    path = self.folder / block.marks["file"]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(self.replaced(block.text), "utf-8")
                elif block.runs:
                    self._run(block)
        finally:
            for url in list(self._serving):
                self._stop(url)
            for pid in self.folder.rglob("*.pid"):  # what a failed page has left
                with contextlib.suppress(ValueError, ProcessLookupError):
                    os.kill(int(pid.read_text()), signal.SIGKILL)

    def replaced(self, text: str) -> str:
        """A text of the page with the ports of this run, the ids that it printed, and the reader's
        home."""
        if self._checkout is not None:
            text = text.replace("$HOME", str(self.folder))
        text = re.sub(r"\b\d{4,5}\b", lambda found: self.ports.get(found[0], found[0]), text)
        return _ID.sub(lambda found: self._ids.get(found[0], found[0]), text)

    def original(self, text: str) -> str:
        """What a command printed, with the ports of the page."""
        back = {port: number for number, port in self.ports.items()}
        return re.sub(r"\b\d{4,5}\b", lambda found: back.get(found[0], found[0]), text)

    def _run(self, block: Block) -> None:
        if "serves" in block.marks:
            self._serve(block, self.replaced(block.marks["serves"]))
        elif "ctrl-c after" in block.marks:
            self._interrupt(block, block.marks["ctrl-c after"])
        elif block.language == "console":
            for command, printed in prompts(block.text):
                said = self._shell(block, command)
                if printed.strip() and not matches(printed, said):
                    raise FollowError(
                        f"{block}: {command}\nshould print\n{printed}\nand printed\n{said}"
                    )
                self._ids |= zip(_ID.findall(printed), _ID.findall(said), strict=False)
        else:
            self._shell(block, block.text)

    def _shell(self, block: Block, commands: str) -> str:
        """Run commands in the reader's terminal, which keeps variables and the folder."""
        state = shlex.quote(str(self._state))
        script = (
            f"set -aeo pipefail; source {state}\n{self.replaced(commands)}\n"
            f"{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > {state}\n"
        )
        log = self.folder.parent / f"{self.folder.name}.log"
        with log.open("w+b") as written:
            # A file, not a pipe: a daemon that a command starts would keep a pipe open.
            ended = subprocess.run(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                timeout=BLOCK_S,
                check=False,
            )
        said = self.original(log.read_text("utf-8", "replace"))
        if ended.returncode == _NOT_FOUND:
            missing(f"{block}: {said.strip()}")
        expected = int(block.marks.get("exits", "0"))
        if ended.returncode != expected:
            raise FollowError(
                f"{block}: exit status {ended.returncode} instead of {expected}\n{commands}\n{said}"
            )
        return said

    def _serve(self, block: Block, url: str) -> None:
        """Start a block that runs until Ctrl-C, and wait until ``url`` answers."""
        self._stop(url)
        started = self._serving[url] = self._start(block)
        with httpx.Client(trust_env=False, timeout=5) as client:

            def answers() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return client.get(url).status_code < httpx.codes.BAD_REQUEST
                return False

            if not started.wait_until(answers):
                raise FollowError(f"{block}: {url} does not answer\n{started.said()}")

    def _interrupt(self, block: Block, text: str) -> None:
        """Run a block until it has printed ``text``, and end it with Ctrl-C."""
        started = self._serving[str(block)] = self._start(block)
        if not started.wait_until(lambda: text in started.said()):
            raise FollowError(f"{block}: it never printed {text!r}\n{started.said()}")
        self._stop(str(block))

    def _start(self, block: Block) -> Started:
        script = "set -aeo pipefail\n"
        if "terminal" not in block.marks:
            script += f"source {shlex.quote(str(self._state))}\n"
        log = self.folder.parent / f"{self.folder.name}.{block.line}.log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                ["bash", "-c", script + self.replaced(block.text)],
                cwd=self.folder,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Started(process, log)

    def _stop(self, name: str) -> None:
        """End what serves a URL, as Ctrl-C does."""
        started = self._serving.pop(name, None)
        if started is not None and not started.interrupt():
            raise FollowError(f"{self.page.name}: Ctrl-C does not end {name}\n{started.said()}")

    def _environ(self) -> dict[str, str]:
        """The reader's environment: this virtual environment, and the ports that the page leaves as
        shipped."""
        files = "".join(b.text for b in self.page.blocks if b.runs or "file" in b.marks)
        shipped = {"server": PLAYERS, "admin": OPERATORS}
        given = {
            f"GATEWAY_{section.upper()}__PORT": self.ports[port]
            for section, port in shipped.items()
            if not re.search(_SECTION_PORT.format(section), files, re.MULTILINE)
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY")}
        installed = str(Path(sys.prefix) / "bin")
        path = [at for at in os.environ["PATH"].split(os.pathsep) if at != installed]
        if self._checkout is None:
            path[:0] = [str(self._commands), installed]
        return {**kept, **given, "PATH": os.pathsep.join(path), "PORT": self.ports[PLAYERS]}


def prompts(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a ``console`` block, each with what the page says that it prints."""
    command, printed = "", ""
    for line in text.splitlines(keepends=True):
        if command.endswith("\\\n") and not printed:
            command += line
        elif line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line[2:], ""
        else:
            printed += line
    if command:
        yield command, printed


def matches(shown: str, said: str) -> bool:
    """Did a command print what the page shows? ``…`` stands for anything, also for more lines.
    Hexadecimal ids, times and numbers that stand alone may be others."""
    pattern = ".*".join(re.escape(_same(part)) for part in shown.split("…"))
    return re.fullmatch(pattern, _same(said), re.DOTALL) is not None


_NUMBER = re.compile(r"(?<![\w./:-])\d+(\.\d+)?(?![\w./:-])")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ")


def _same(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return _NUMBER.sub("0", _TIME.sub("0", _ID.sub("0", lines)))


def checkout(folder: Path) -> Path:
    """Make ``folder`` look like the root of the repository: by links, and by copies of the files
    that readers edit."""
    made = subprocess.run(["make", "-q", ".venv/.runtime"], cwd=ROOT, check=False)
    if made.returncode != 0:
        # "make run" of a page would install this folder, which is soon gone, in its place.
        raise FollowError("the virtual environment is older than its requirements: make .venv/.dev")
    folder.mkdir(parents=True)
    for entry in ROOT.iterdir():
        if entry.name in {"deploy", "gateway.toml", "docker-compose.yml"}:
            copy = shutil.copytree if entry.is_dir() else shutil.copy2
            copy(entry, folder / entry.name)
        elif entry.name not in {".git", ".venv"}:
            (folder / entry.name).symlink_to(entry)
    return folder
