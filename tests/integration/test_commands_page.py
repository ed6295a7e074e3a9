"""``docs/commands.md``: it lists the commands, its examples are usage, and the shells complete."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli import main
from tests.missing import missing

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
ROW = re.compile(r"^\| `([a-z ]+)` \| [a-z\[].+ \| `(gateway .+)` \|$", re.MULTILINE)
SOURCE = re.compile(r"^\| (bash|zsh|fish).*\| `(.+)` \|$", re.MULTILINE)
BIN = Path(sys.executable).parent


def commands(group: click.Group, *before: str) -> Iterator[str]:
    """The words of every command that does something by itself."""
    for name, each in group.commands.items():
        if isinstance(each, click.Group):
            if each.invoke_without_command:
                yield " ".join((*before, name))
            yield from commands(each, *before, name)
        else:
            yield " ".join((*before, name))


def test_the_page_lists_every_command() -> None:
    """And no other, each once."""
    listed = [row[1] for row in ROW.finditer(PAGE)]
    assert sorted(commands(main)) == sorted(listed)


@pytest.mark.parametrize(("words", "example"), [(row[1], row[2]) for row in ROW.finditer(PAGE)])
def test_the_examples_are_usage(
    words: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is of its command, whose arguments click takes."""
    monkeypatch.chdir(tmp_path)
    for name in ("gateway.toml", "token.txt"):
        (tmp_path / name).touch()
    rest = shlex.split(example)[1:]
    assert words.split() == rest[: len(words.split())]
    context, command = click.Context(main), main.commands[rest.pop(0)]
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    with command.make_context("gateway", rest, parent=context):  # closes what it opened
        pass


def ran(shell: str, script: str) -> str:
    """The output of a script of a shell that finds ``gateway``."""
    if shutil.which(shell) is None:
        missing(f"{shell} is not installed: apt-get install {shell}")
    environ = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        [shell, "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert 0 == ended.returncode, ended.stderr
    return ended.stdout


SCRIPTS = {
    "bash": (
        "COMP_WORDS=(gateway edge l); COMP_CWORD=2; _gateway_completion gateway; "
        'echo "${COMPREPLY[@]}"'
    ),
    "zsh": "",
    "fish": 'complete --do-complete "gateway edge l"',
}


@pytest.mark.parametrize(("shell", "line"), [(row[1], row[2]) for row in SOURCE.finditer(PAGE)])
def test_a_shell_completes(shell: str, line: str) -> None:
    """The line of the page makes the shell complete ``gateway edge l``."""
    line = line.replace("\\|", "|")
    if shell == "zsh":  # its line editor needs a terminal: what it would be told is looked at
        ran(shell, f"autoload -Uz compinit; compinit -u -D; {line}; (( $+_comps[gateway] ))")
        asked = "COMP_WORDS='gateway edge l' COMP_CWORD=2 _GATEWAY_COMPLETE=zsh_complete gateway"
        assert "list" in ran(shell, asked).split()
        return
    assert "list" in ran(shell, f"{line}\n{SCRIPTS[shell]}").split()


def test_a_command_starts_without_what_it_may_need() -> None:
    """Shells start it whenever somebody presses Tab."""
    script = (
        "import sys, gateway.cli; "
        "print({'pydantic', 'redis', 'starlette', 'structlog', 'user_agents'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert b"set()" == done.stdout.strip()
