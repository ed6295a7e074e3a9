"""Commands reach a demo that runs: the ones that it prints. And it runs from a wheel."""

import os
import re
import shlex
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@contextmanager
def demo(folder: Path, wheel: Path) -> Iterator[list[str]]:
    """What a demo prints, up to ``ready``; its code is that of the unpacked ``wheel`` alone."""
    environ = {**os.environ, "PYTHONPATH": str(wheel), "TMPDIR": str(folder)}
    command = [sys.executable, "-m", "gateway", "demo", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:  # ends when the process does
                lines.append(line.strip())
                if lines[-1] == "ready":
                    break
            yield lines
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(15)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    hatchling = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(hatchling, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as opened:
        media = [each for each in opened.infolist() if each.filename.startswith("demo/catalogue/")]
        assert 0 < sum(each.compress_size for each in media) < 6_000_000
        opened.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_demo_of_a_wheel_and_the_commands_that_it_prints(wheel: Path, tmp_path: Path) -> None:
    """Page, scripts and media are in the wheel; every command that is printed reaches the gateway,
    which then knows what they did."""
    short = Path("/tmp")  # noqa: S108 - for the path of a socket
    del tmp_path
    with demo(short, wheel) as lines:
        url = next(re.findall(r"http\S+", line)[0] for line in lines if line.startswith("page"))
        assert str(ROOT) not in httpx.get(url.replace("/demo", "/v1/play/demo.m3u8")).text
        for path in ("", "/page.js", "/strip.js", "/edges.json", "/settings.json"):
            assert httpx.get(url + path).is_success
        playlist = httpx.get(url.replace("/demo", "/v1/play/demo.m3u8")).text
        rung = next(line for line in playlist.splitlines() if line.startswith("http"))
        assert httpx.get(rung).is_success
        told = {}
        for line in lines:
            if " --config " not in line:
                continue
            words = shlex.split(line)
            name = " ".join(words[words.index("gateway") + 1 : words.index("--config")])
            more = ["--once"] if name == "stats" else []
            done = subprocess.run(
                [*words, *more],
                env={**os.environ, "PYTHONPATH": str(wheel)},
                cwd=short,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            told[name] = done.stdout
        states = {e["id"]: e["state"] for e in httpx.get(f"{url}/edges.json").json()["edges"]}
    assert {"edge list", "edge drain demo-eu", "stats", "purge demo"} == set(told)
    assert "demo-as" in told["edge list"]
    assert "draining" == states["demo-eu"]
    assert "purged on 1 of 1 workers" in told["purge demo"]
    assert re.search(r"demo-\w\w", told["stats"])
