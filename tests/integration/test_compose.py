"""``docker-compose.yml`` plays the demo title: its processes, started without containers."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.integration.running import running_gateway

ROOT = Path(__file__).parents[2]


def test_compose_plays_the_demo_title(tmp_path: Path) -> None:
    """The files that it mounts, and the command of its edge; only the ports are others. Every rung
    that players get leads to a playlist of the edge, and the MPD to its files."""
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    gateway, edge = services["gateway"], services["edge"]
    for volume in gateway["volumes"]:
        outside, inside, mode = volume.split(":")
        assert "ro" == mode
        assert "/etc/gateway" == str(Path(inside).parent)
        (tmp_path / Path(inside).name).symlink_to((ROOT / outside).resolve(strict=True))
    *command, config = gateway["command"]
    assert (["serve", "--config"], "gateway.toml") == (command, Path(config).name)
    assert "python" == edge["entrypoint"][0]
    port = edge["entrypoint"].index("--port") + 1
    words = [sys.executable, *edge["entrypoint"][1:port], "0"]
    assert [f"{edge['entrypoint'][port]}:{edge['entrypoint'][port]}"] == edge["ports"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r":(\d+)/$", process.stdout.readline().strip())
            assert found is not None
            url = f"http://127.0.0.1:{found[1]}/"
            settings = (tmp_path / "gateway.toml").read_text("utf-8")
            assert f'url = "http://localhost:{edge["entrypoint"][port]}/"' in settings
            assert f'"http://edge:{edge["entrypoint"][port]}/healthz"' in settings
            environ = {
                "GATEWAY_STORE__URL": "memory",
                "GATEWAY_EDGES__0__URL": url,
                "GATEWAY_EDGES__0__HEALTH_URL": f"{url}healthz",
            }
            with running_gateway(tmp_path / "gateway.toml", environ=environ) as running:
                playlist = httpx.get(f"{running.url}/v1/play/demo.m3u8?speed=90000").text
                rungs = [line for line in playlist.splitlines() if line and line[0] != "#"]
                assert rungs
                for rung in rungs:
                    assert rung.startswith(url)
                    assert httpx.get(rung).text.startswith("#EXTM3U")
                mpd = httpx.get(f"{running.url}/v1/play/demo.mpd").text
                assert f"<BaseURL>{url}demo/</BaseURL>" in mpd
        finally:
            process.terminate()


def test_the_shipped_edges_serve_no_manifests_of_ones_own(tmp_path: Path) -> None:
    """Neither command accepts them with a source of one's own; they serve the generated ladder."""
    path = tmp_path / "gateway.toml"
    path.write_text('source = { kind = "directory", root = "." }\n', "utf-8")
    for words in (["check", str(path)], ["serve", "--config", str(path)]):
        ended = subprocess.run(
            [sys.executable, "-m", "gateway", *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert 1 == ended.returncode
        assert "gateway.toml: edges: are the shipped examples" in ended.stderr
