"""When edges fail, players of a real gateway with several workers get other edges."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import httpx

from tests.integration.edge_processes import edge_processes
from tests.integration.reading_metrics import metric
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import until

OSLO, TOKYO = "193.213.112.4", "202.12.27.33"

EDGE = """
[[edges]]
id = "{id}"
url = "{url}"
health_url = "healthz"
latitude = {latitude}
longitude = {longitude}
continents = ["{continent}"]
"""
PLACES = (("oslo", 59.9, 10.7, "EU"), ("rome", 41.9, 12.5, "EU"), ("tokyo", 35.7, 139.7, "AS"))


def edge_of(gateway: RunningGateway, viewer: str) -> set[str]:
    """The edges that viewers at an address get, from whichever worker answers."""
    found = set()
    with httpx.Client(base_url=gateway.url, headers={"Connection": "close"}) as client:
        for number in range(8):
            answer = client.get(
                f"/v1/play/film/{number}",
                params={"fields": "edges"},
                headers={"X-Forwarded-For": viewer},
            )
            assert 200 == answer.status_code
            found.add(answer.json()["edges"][0])
    return found


def prober(gateway: RunningGateway) -> int:
    """The process id of the prober."""
    return int(
        [line for line in gateway.lines("health_role") if line["role"] == "prober"][-1]["pid"]
    )


def test_players_are_led_elsewhere(tmp_path: Path) -> None:
    """Two seconds after an edge is killed, no answer names it. When its region is down, the next
    one serves. When all edges are down, they are ranked as if all were up. The gateway stays ready
    throughout. When the prober is killed its findings stay, and another worker probes soon."""
    config = tmp_path / "gateway.toml"
    with edge_processes(3) as edges:
        tables = [
            EDGE.format(id=name, url=edge.url, latitude=north, longitude=east, continent=continent)
            for edge, (name, north, east, continent) in zip(edges, PLACES, strict=True)
        ]
        config.write_text("[health]\nslow_start_s = 0\n" + "".join(tables))
        with running_gateway(config, "--workers", "2") as gateway:
            gateway.wait_for("health_role", 2)
            until(
                lambda: (
                    metric(gateway.admin_url, 'gateway_probes_total{edge="tokyo",outcome="ok"}') > 1
                )
            )
            assert {"oslo"} == edge_of(gateway, OSLO)
            until(lambda: metric(gateway.admin_url, "gateway_probing_workers") == 1)

            died = time.time()
            edges[0].kill()
            until(lambda: edge_of(gateway, OSLO) == {"rome"})
            down = partial(gateway.logged_at, "edge_state", edge="oslo", state="down")
            until(lambda: len(down()) == 2)
            assert max(down()) - died < 2
            ready = httpx.get(f"{gateway.admin_url}/readyz")
            assert (200, "degraded") == (ready.status_code, ready.json()["status"])
            expected = {"status": "degraded", "reason": "1 of 3 down: oslo"}
            assert expected == ready.json()["checks"]["edges"]

            killed = prober(gateway)
            os.kill(killed, signal.SIGKILL)
            died = time.time()
            until(lambda: prober(gateway) != killed)
            assert gateway.logged_at("health_role", role="prober")[-1] - died < 5
            until(lambda: edge_of(gateway, OSLO) == {"rome"})
            assert [] == [line for line in gateway.lines("edge_state") if line["state"] == "up"]

            edges[1].kill()
            until(lambda: edge_of(gateway, OSLO) == {"tokyo"})
            edges[2].kill()
            until(lambda: edge_of(gateway, OSLO) == {"oslo"})
            assert {"tokyo"} == edge_of(gateway, TOKYO)
            assert 200 == httpx.get(f"{gateway.admin_url}/readyz").status_code
            edges[1].start()
            until(lambda: edge_of(gateway, TOKYO) == {"rome"})
