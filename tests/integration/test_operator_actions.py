"""Operators act over HTTP, and what they do is in the audit log. A gateway with a real Valkey."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.http import operator_actions
from gateway.operators.audit import AuditTrail
from gateway.operators.audit_entry import Actor, AuditEntry
from gateway.store.connection.keys import AUDIT_LOG
from gateway.store.connection.redis import RedisStore
from gateway.trust.operators.api_key import key_hash, key_text
from tests.background import in_background
from tests.integration.commands import gateway
from tests.integration.in_process import OPERATORS, application, asking
from tests.integration.running import RunningGateway, running_gateway
from tests.integration.viewers import until
from tests.unit.store.servers import Valkey, valkey
from tests.unit.store.servers import until as wait_until

ROLES = ("viewer", "operator", "admin")
KEYS = {role: key_text(role, role.encode().ljust(32, b"-")) for role in ROLES}
CONFIG = """
[admin]
sign_in = true
[[edges]]
id = "e1"
url = "https://e1.example.com/v/"
fallback = true
[[edges]]
id = "e2"
url = "https://e2.example.com/v/"
[origin]
bearer_token = "very-secret"
""" + "".join(
    f'[[admin.keys]]\nid = "{role}"\nrole = "{role}"\nhash = "{key_hash(KEYS[role])}"\n'
    for role in ROLES
)
SECRET = "a-secret-of-the-packager-and-the-gateway"
CONFIG += f"""
[[admin.services]]
id = "packager"
role = "operator"
scopes = ["purge"]
secret = "{SECRET}"
"""
STEER = {"from": "e1", "to": "e2", "share": 0.2, "until": "1h", "why": "a test"}


@dataclass(frozen=True)
class Site:
    """A Valkey, a config, and a gateway on both."""

    server: Valkey
    config: Path
    gateway: RunningGateway

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        role: str | None = "operator",
        **headers: str,
    ) -> httpx.Response:
        """Ask the operators' listener with the key of a role."""
        signed = {} if role is None else {"Authorization": f"Bearer {KEYS[role]}"}
        url = f"{self.gateway.admin_url}{path}"
        return httpx.request(method, url, json=body, headers=signed | headers, timeout=15)

    def command(self, *words: str) -> str:
        """Run a command to its end; its output."""
        environ = {"GATEWAY_STORE__URL": self.server.url, "GATEWAY_CONFIG": str(self.config)}
        ended = gateway(*words, **environ)
        assert 0 == ended.exit_code, ended.stderr
        return ended.stdout

    def audit(self, least: int = 1, **wanted: object) -> dict[str, Any]:
        """The newest entry of the audit log with these members, when there are ``least``."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            entries = self.ask("GET", "/v1/audit?limit=200", role="admin").json()["entries"]
            found[:] = [one for one in entries if wanted.items() <= one.items()]
            return len(found) >= least

        until(there)
        return found[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all tests of this module."""
    config = tmp_path_factory.mktemp("config") / "g.toml"
    config.write_text(CONFIG)
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        environ = {"GATEWAY_STORE__URL": server.url}
        with running_gateway(config, environ=environ) as started:
            yield Site(server, config, started)


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        ("POST", "/v1/edges/e1/drain", None, 401),
        ("POST", "/v1/edges/e1/drain", "viewer", 403),
        ("POST", "/v1/purge", "viewer", 403),
        ("POST", "/v1/steer", "viewer", 403),
        ("DELETE", "/v1/steer/00000000", "viewer", 403),
        ("POST", "/v1/config/reload", "operator", 403),
        ("GET", "/v1/config", "operator", 403),
        ("GET", "/v1/audit", "operator", 403),
        ("GET", "/v1/edges", "viewer", 200),
        ("GET", "/v1/steer", "viewer", 200),
        ("PUT", "/v1/purge", "admin", 405),
        ("POST", "/v1/edges/e1", "admin", 404),
        ("POST", "/v1/edges/e1/explode", "admin", 404),
        ("POST", "/v1/edges/a/b/drain", "admin", 404),
    ],
)
def test_which_role_may_do_what(
    site: Site, method: str, path: str, role: str | None, status: int
) -> None:
    answer = site.ask(method, path, role=role)
    assert status == answer.status_code
    if status == 403:
        assert answer.json()["role"] in ("operator", "admin")


def test_players_cannot_act(site: Site) -> None:
    """On their listener there are no such routes, whoever asks."""
    headers = {"Authorization": f"Bearer {KEYS['admin']}"}
    for path in ("/v1/purge", "/v1/steer", "/v1/edges/e1/drain", "/v1/config/reload"):
        assert 404 == httpx.post(f"{site.gateway.url}{path}", headers=headers).status_code


def test_an_edge_drains_and_is_undrained(site: Site) -> None:
    """As by command, and again without harm. Who did it is shown to everybody who looks."""
    answer = site.ask("POST", "/v1/edges/e2/drain", {"why": "a disk\nfails"})
    assert (200, {"id": "e2", "drained": True, "why": "a disk\nfails"}) == (
        answer.status_code,
        answer.json(),
    )
    assert 200 == site.ask("POST", "/v1/edges/e2/drain").status_code

    def state() -> str:
        edges = site.ask("GET", "/v1/edges", role="viewer").json()["edges"]
        found: str = next(each["state"] for each in edges if each["id"] == "e2")
        return found

    until(lambda: state() == "draining")
    first = site.ask("POST", "/v1/edges/e2/undrain").json()
    again = site.ask("POST", "/v1/edges/e2/undrain").json()
    assert [True, False] == [each["was_drained"] for each in (first, again)]
    until(lambda: state() != "draining")
    entry = site.audit(action="edge.undrain", target="e2", outcome="done", least=2)
    assert ("operator", "key", "operator", "127.0.0.1") == tuple(
        entry[name] for name in ("who", "kind", "role", "address")
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/v1/edges/e9/drain", None, 404, 'no edge has the id "e9"'),
        ("/v1/edges/a%20b/drain", None, 400, "is not an id"),
        ("/v1/edges/e1/drain", {"why": 7}, 400, "why: must be text"),
        ("/v1/edges/e1/drain", {"because": "x"}, 400, "allowed: why, force"),
        ("/v1/edges/e1/drain", ["e1"], 400, "not a JSON object"),
        ("/v1/purge", {}, 400, "give either asset or prefix"),
        ("/v1/purge", {"asset": "../x"}, 400, ""),
        ("/v1/purge", {"asset": "a" * 70_000}, 413, "larger than"),
        ("/v1/steer", {**STEER, "share": 2}, 400, "share: allowed"),
        ("/v1/steer", {**STEER, "share": True}, 400, "share: must be a number"),
        ("/v1/steer", {**STEER, "to": "e1"}, 400, "to: is the same edge"),
        ("/v1/steer", {**STEER, "to": "e3"}, 404, 'to: no edge has the id "e3"'),
        ("/v1/steer", {**STEER, "until": "soon"}, 400, "until: 'soon' is neither"),
        ("/v1/steer", {"from": "e1"}, 400, "the member to is missing"),
    ],
)
def test_what_is_refused(site: Site, path: str, body: Any, status: int, said: str) -> None:
    answer = site.ask("POST", path, body)
    assert status == answer.status_code, answer.text
    assert said in answer.json()["detail"]

    def recorded() -> bool:
        page = site.ask("GET", "/v1/audit?limit=5", role="admin").json()
        return any(said in (each["reason"] or "") for each in page["entries"])

    until(recorded)


def example() -> Callable[[str, str, bytes, str, str], dict[str, str]]:
    """The function of the docs that signs."""
    page = (Path(__file__).parents[2] / "docs/operators.md").read_text("utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)  # noqa: S102  # of our own page
    made: Callable[[str, str, bytes, str, str], dict[str, str]] = found["signed_headers"]
    return made


def test_a_service_signs_its_requests(site: Site) -> None:
    """As the docs show; once, for what it has signed, and within its scopes."""
    body, path = b'{"asset": "film"}', "/v1/purge"

    def post(path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        url = f"{site.gateway.admin_url}{path}"
        return httpx.post(url, content=body, headers=headers, timeout=15)

    sign = example()
    headers = sign("POST", path, body, "packager", SECRET)
    assert 200 == post(path, body, headers).status_code
    replayed = post(path, body, headers)
    assert (
        401,
        "the nonce of the signature was used before, or there are too many to remember",
    ) == (
        replayed.status_code,
        replayed.json()["detail"],
    )
    fresh = sign("POST", path, body, "packager", SECRET)
    assert 401 == post(path, b'{"prefix": ""}', fresh).status_code
    assert 200 == post(path, body, fresh).status_code
    assert 401 == post(path, body, sign("POST", path, body, "packager", "wrong")).status_code
    other = "/v1/edges/e1/drain"
    assert 403 == post(other, b"", sign("POST", other, b"", "packager", SECRET)).status_code
    entry = site.audit(action="purge", kind="service", outcome="done")
    assert ("packager", "operator") == (entry["who"], entry["role"])


def test_what_is_revoked_is_known_by_its_hash(site: Site) -> None:
    """The name stays out of answers and of the audit log."""
    asked = {"kind": "subject", "name": "ada@example.com", "for": "1h"}
    made = site.ask("POST", "/v1/revocations", asked)
    assert (201, "subject") == (made.status_code, made.json()["kind"])
    listed = site.ask("GET", "/v1/revocations", role="viewer").json()["revocations"]
    assert [made.json()["hash"]] == [each["hash"] for each in listed]
    path = "/v1/revocations/subject/ada@example.com"
    assert [200, 404] == [site.ask("DELETE", path).status_code for _ in range(2)]
    for wrong in ({**asked, "kind": "x"}, {**asked, "for": "soon"}, {"kind": "token"}):
        assert 400 == site.ask("POST", "/v1/revocations", wrong).status_code
    assert 400 == site.ask("DELETE", "/v1/revocations/ada@example.com").status_code
    site.audit(action="revoke", outcome="refused", least=3)
    site.audit(action="revoke.undo", outcome="done")
    assert "ada@example.com" not in site.ask("GET", "/v1/audit?limit=200", role="admin").text


def test_an_asset_is_purged(site: Site) -> None:
    """By every worker, which acknowledge it."""
    answer = site.ask("POST", "/v1/purge", {"asset": "film"}).json()
    assert (1, []) == (answer["acknowledged"], answer["silent"])
    assert "film" == site.audit(action="purge", outcome="done")["target"]


def test_sessions_are_steered_once_for_each_idempotency_key(site: Site) -> None:
    """A request that is sent again begins nothing new; a cancelled override is gone."""
    answers = [site.ask("POST", "/v1/steer", STEER, **{"Idempotency-Key": "abc"}) for _ in range(2)]
    assert [201, 201] == [each.status_code for each in answers]
    one, two = (each.json() for each in answers)
    assert one["id"] == two["id"]
    listed = site.ask("GET", "/v1/steer", role="viewer").json()["overrides"]
    assert [one["id"]] == [each["id"] for each in listed]
    for change in ({"from": "e2", "to": "e1"}, {"share": 0.3}, {"asset_prefix": "a/"}):
        other = site.ask("POST", "/v1/steer", STEER | change, **{"Idempotency-Key": "abc"})
        assert (409, True) == (other.status_code, one["id"] in other.json()["detail"])
    assert "key operator" == listed[0]["who"]
    assert one["id"] in site.command("steer", "list")
    assert 200 == site.ask("DELETE", f"/v1/steer/{one['id']}").status_code
    assert 404 == site.ask("DELETE", f"/v1/steer/{one['id']}").status_code
    assert [] == site.ask("GET", "/v1/steer", role="viewer").json()["overrides"]
    assert 0.2 == site.audit(action="steer.cancel", outcome="done")["before"]["share"]


def test_the_config_is_shown_without_secrets_and_reloaded(site: Site) -> None:
    """An admin sees what is in force, and what a reload changed. A broken file is refused."""
    shown = site.ask("GET", "/v1/config", role="admin").text
    for secret in ("very-secret", site.server.url):
        assert secret not in shown
    assert "(hidden)" in shown
    before = json.loads(shown)
    site.config.write_text(CONFIG + "[server]\nmanifest_max_age_s = 9\n")
    answer = site.ask("POST", "/v1/config/reload", role="admin")
    until(
        lambda: (
            site.ask("GET", "/v1/config", role="admin").json()["settings"]["server"][
                "manifest_max_age_s"
            ]
            == 9
        )
    )
    assert (200, before["version"]) == (answer.status_code, answer.json()["before"])
    site.config.write_text("[server]\nmanifest_max_age_s = true\n")
    answer = site.ask("POST", "/v1/config/reload", role="admin")
    assert (409, True) == (
        answer.status_code,
        "server.manifest_max_age_s" in answer.json()["errors"][0],
    )
    site.config.write_text(CONFIG)
    assert 200 == site.ask("POST", "/v1/config/reload", role="admin").status_code
    entry = site.audit(action="config.reload", outcome="refused", who="admin")
    assert "server.manifest_max_age_s" in entry["reason"]
    # The file is watched as well: whichever notices first reloads, and the change is recorded.
    found = site.audit(action="config.reload", outcome="done")
    assert found["before"] is not None


async def test_a_reload_that_takes_long_is_recorded_when_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it any more; what became of it counts all the same."""
    monkeypatch.setattr(operator_actions, "RELOAD_S", 0.05)
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG)
    app = application(config)
    sign_in = {"Authorization": f"Bearer {KEYS['admin']}"}
    async with asking(app) as client:
        answer = await client.post(f"{OPERATORS}/v1/config/reload", headers=sign_in)
        assert 503 == answer.status_code
        assert answer.json()["type"].endswith(":reload-takes-long")
        assert [] == list(app.gateway.audit._kept)
        async with in_background(app.gateway.watcher.run()):
            await wait_until(lambda: bool(app.gateway.audit._kept))
    [(_, entry)] = app.gateway.audit._kept
    found = json.loads(entry)
    assert ("config.reload", "done") == (found["action"], found["outcome"])


def test_commands_and_refusals_are_recorded(site: Site) -> None:
    """The user of the system by name, and who was refused with the reason; exported as JSON."""
    site.command("edge", "drain", "e2", "--why", "by hand")
    site.command("edge", "undrain", "e2")
    site.ask("POST", "/v1/purge", role=None)
    site.ask("POST", "/v1/purge", role="viewer")
    site.ask("GET", "/v1/edges", role=None, Authorization="Bearer gwk_stolen_" + "a" * 52)
    entry = site.audit(action="edge.drain", kind="command", target="e2")
    assert "@" in entry["who"]
    assert {"why": "by hand"} == entry["after"]
    for reason, who in (("not-signed-in", ""), ("forbidden", "viewer"), ("unknown-key", "stolen")):
        assert "refused" == site.audit(action="request", reason=reason, who=who)["outcome"]
    lines = [json.loads(line) for line in site.command("audit", "--json").splitlines()]
    assert "by hand" in json.dumps(lines)
    assert "a" * 52 not in json.dumps(lines)
    assert "" == site.command("audit", "--since", "2100-01-01T00:00Z", "--json")
    assert "command" in site.command("audit", "--since", "1h")
    logged = [line for line in site.gateway.lines("audit") if line["action"] == "request"]
    assert "POST /v1/purge" in {line["target"] for line in logged}


async def test_what_happens_again_is_recorded_again(site: Site) -> None:
    """An entry of all processes of a host is there once each time that it happens."""
    store = RedisStore(site.server.url, timeout_s=5.0)
    await store.start()
    trails = [AuditTrail(store, lambda: 100) for _ in range(2)]
    for times in (1, 2, 3):
        for trail in trails:
            trail.add(flip(times), once="flip")
            await trail.write()
        found, _ = await trails[0].newest(None, 50)
        assert times == sum(each["target"] == "flip" for each in found)
    await store.close()


async def test_without_redis_each_entry_has_an_id_of_its_own() -> None:
    """Pages of the newest thousand have each entry once, also those of one moment."""
    trail = AuditTrail(None, lambda: 100)
    for _ in range(1500):
        trail.add(flip(7))
    first, following = await trail.newest(None, 600)
    second, last = await trail.newest(following, 600)
    assert (1000, None) == (len({each["id"] for each in first + second}), last)
    assert ([], None) == await trail.newest("7-3", 600), "it is not kept any more"


def flip(time_ms: int) -> AuditEntry:
    """A change of the config."""
    return AuditEntry(time_ms, Actor("gateway", "file"), "config.reload", "flip", "done")


def test_pages_of_the_audit_log(site: Site) -> None:
    """The newest first; each entry is on one page."""
    for _ in range(3):
        site.ask("POST", "/v1/purge", {"prefix": "x/"})
    site.audit(action="purge", target="x/…", least=3)
    page = site.ask("GET", "/v1/audit?limit=2", role="admin").json()
    after = site.ask("GET", f"/v1/audit?limit=2&cursor={page['next']}", role="admin").json()
    ids = [each["id"] for each in page["entries"] + after["entries"]]
    assert 4 == len(set(ids))
    assert ids == sorted(ids, reverse=True)
    long = f"limit=000000001{'9' * 5000}"
    for query in ("limit=0", "limit=201", "limit=x", long, "cursor=1", "cursor=-"):
        assert 400 == site.ask("GET", f"/v1/audit?{query}", role="admin").status_code


def test_entries_wait_while_redis_is_frozen(site: Site) -> None:
    """The log has them at once, and Redis when it answers again. What is not ours is skipped."""
    site.server.command("XADD", AUDIT_LOG.decode(), "*", "v", "1", "entry", "{")
    site.server.command("XADD", AUDIT_LOG.decode(), "*", "other", "x")
    site.server.freeze()
    try:
        refused = site.ask("GET", "/v1/config", role="viewer", **{"X-Request-ID": "while-frozen"})
        assert 403 == refused.status_code
        until(
            lambda: any(
                line["request_id"] == "while-frozen" for line in site.gateway.lines("audit")
            )
        )
        assert 503 == site.ask("POST", "/v1/purge", {"asset": "film"}).status_code
    finally:
        site.server.thaw()
    assert "forbidden" == site.audit(request_id="while-frozen")["reason"]
    assert "failed" == site.audit(action="purge", outcome="failed")["outcome"]


async def test_without_sign_in_nobody_acts() -> None:
    """As before: who reaches the listener reads, but for what admins alone may."""
    async with asking(application()) as client:
        answer = await client.post(f"{OPERATORS}/v1/purge", json={"asset": "film"})
        assert (403, "urn:problem:streaming-gateway:sign-in-off") == (
            answer.status_code,
            answer.json()["type"],
        )
        for path, status in (("/v1/config", 403), ("/v1/audit", 403), ("/v1/edges", 200)):
            assert status == (await client.get(f"{OPERATORS}{path}")).status_code
