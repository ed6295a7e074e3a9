"""nginx with geoip2, Lua and Redis, from Debian's packages: what one would run instead.

It does the same work for the same requests, as well as we could write it: see ``opponent/``. The
packages are ``nginx-light libnginx-mod-http-lua libnginx-mod-http-geoip2 lua-nginx-redis``.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from gateway.http.cors import EXPOSED
from gateway.play.request import ACCEPT_CH, VARY
from tests.benchmark.bench_process import ProcessTree

HERE = Path(__file__).parent / "opponent"
MODULES = Path("/usr/lib/nginx/modules")
REDIS_LUA = Path("/usr/share/lua/5.1/nginx/redis.lua")
PACKAGES = "nginx-light libnginx-mod-http-lua libnginx-mod-http-geoip2 lua-nginx-redis"
START_S = 5.0


def missing() -> str | None:
    """Why the opponent cannot run here; None when it can."""
    needed = [MODULES / "ngx_http_lua_module.so", MODULES / "ngx_http_geoip2_module.so", REDIS_LUA]
    if shutil.which("nginx") is None or not all(path.exists() for path in needed):
        return f"nginx is not here: apt-get install {PACKAGES}"
    return None


@contextlib.contextmanager
def opponent(
    folder: Path,
    database: Path,
    edges: Sequence[tuple[str, float, float]],
    redis_socket: Path,
    port: int,
) -> Iterator[ProcessTree]:
    """nginx on ``port`` of the loopback address; yields its one worker.

    ``folder`` takes its files; ``edges`` are ids with latitude and longitude in degrees;
    ``redis_socket`` is a Unix socket.
    """
    rows = ", ".join(
        f'{{"{name}", {latitude}, {longitude}}}' for name, latitude, longitude in edges
    )
    (folder / "edges.lua").write_text(f"return {{{rows}}}\n")
    config = folder / "nginx.conf"
    config.write_text(
        (HERE / "nginx.conf.in")
        .read_text()
        .format(
            modules=MODULES,
            user="user root;" if os.geteuid() == 0 else "",  # the sockets are this user's
            folder=folder,
            database=database,
            vary=VARY,
            accept_ch=ACCEPT_CH,
            exposed=", ".join(EXPOSED),
            lua=HERE,
            port=port,
            redis=f"unix:{redis_socket}",
        )
    )
    command = ["nginx", "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
    with subprocess.Popen(command) as process:
        try:
            _wait_until_it_answers(process, port, folder)
            (worker,) = ProcessTree(process.pid).descendants()
            yield ProcessTree(worker)
        finally:
            process.terminate()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/v1/play/film/001.m3u8").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"nginx does not answer: {(folder / 'error.log').read_text()}")
