"""What would this player get, and why? Runs the real request path without a running gateway.

If the config names a Redis, the command reads the shared state of the running gateways from it:
conditions of edges, drains, registrations, leases, priors, and the session's record. It writes
nothing there except copies of source manifests, as any gateway does. It does not probe edges. If
the config names an origin, the command requests the manifest from it.
"""

import contextlib
import json
import time
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from starlette.types import ASGIApp, Message

from gateway.app import Application, build
from gateway.background.survey import survey
from gateway.client.session import SessionRecord
from gateway.commands.command_line import fail
from gateway.commands.redaction import Redaction
from gateway.config.build import prior_config_of
from gateway.config.load import Loaded
from gateway.edge.fleet import UP
from gateway.edge.override import Override
from gateway.edge.signed_root import REDACTED
from gateway.observe.moment import rfc3339
from gateway.play.formats import FORMATS
from gateway.play.presented import HEADER
from gateway.source.source import BadSourceError, NoSuchAssetError
from gateway.store.caches.decisions import DecisionCache
from gateway.store.caches.sessions import Sessions
from gateway.store.connection.memory import MemoryStore
from gateway.store.connection.protocol import StoreUnavailable
from gateway.store.coordination import revocations
from gateway.store.coordination.concurrent_sessions import ConcurrentSessions
from gateway.store.coordination.priors import Priors
from gateway.trust.edge_signing.fit import described
from manifests.format import ManifestFormat

_WIDTH = 10
_OWN_STORES = ("embedded", "memory")
"""Stores that are private to one gateway: the command cannot read them."""
_ABOUT_THE_ANSWER = {"accept-encoding", "if-none-match", "range", "host", "origin"}
"""Request headers that change the form of the answer or who may read it, but not the decision. They
are dropped, because people copy them together with the others."""


class ExplainError(ValueError):
    """The question cannot be answered; the message says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for what. ``headers`` are ``Name: value`` texts; ``query`` is a query string. The
    asset may end with ``.m3u8`` or ``.mpd``, which asks for one format; otherwise HLS comes first.
    ``signatures``: they are shown, with which anybody could play.
    """

    asset: str
    user_agent: str
    address: str
    speed_kbps: float | None = None
    session: str | None = None
    query: str = ""
    headers: tuple[str, ...] = ()
    manifest: bool = False
    signatures: bool = False
    offline: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


async def explain_decision(loaded: Loaded, question: Question) -> str:
    """The decision, every step's reason, and the faults of the source, as text for a terminal.

    With ``offline``, no Redis is read. Raises :class:`ExplainError`.
    """
    headers = _headers(question)
    question, wanted = _format_of(question)
    live = _url_of(loaded) not in _OWN_STORES and not question.offline
    app = build(loaded, store_url=None if live else "memory")
    try:
        if live:
            await app.gateway.store.start()
        seen = await _see(app, loaded, question.session)
        redaction = None if question.signatures else Redaction()
        if redaction is not None and question.manifest:
            app.use_fleet(redaction.following(app.gateway.fleet))
        return await _explained(app, question, headers, seen, wanted, redaction)
    finally:
        await app.gateway.runtime.source.close()
        await app.gateway.store.close()


def token_header(path: Path) -> str:
    """The header with the token in a file. Exits the command when it cannot be read."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        fail(f"error: --token-file {path}: cannot be read as a token, which is ASCII text")
    return f"{HEADER}: {text}"


def _format_of(question: Question) -> tuple[Question, ManifestFormat | None]:
    """The question without a suffix of the asset, and the format that it names."""
    for wanted, form in FORMATS.items():
        if question.asset.endswith(form.suffix):
            return replace(question, asset=question.asset.removesuffix(form.suffix)), wanted
    return question, None


def _url_of(loaded: Loaded) -> str:
    return loaded.settings.store.url.get_secret_value()


async def _see(app: Application, loaded: Loaded, session: str | None) -> list[str]:
    """Load the shared state of the running gateways. Returns rows that say what was loaded."""
    store, ttl_s = app.gateway.store, loaded.settings.store.session_ttl_s
    found = await survey(loaded, store)
    fleet = found.fleet
    app.use_fleet(fleet)
    own = MemoryStore()
    ends_after_s = loaded.settings.tokens.session_ends_after_s
    app.gateway.concurrent = ConcurrentSessions(own, ends_after_s)
    app.gateway.sessions = Sessions(own, ttl_s, app.gateway.runtime.estimator)
    app.gateway.decisions = DecisionCache(own, loaded.settings.store.decision_ttl_s)
    app.gateway.only_looks = True
    if store.redis is None:
        url = _url_of(loaded)
        why = f"{url}, which only its gateway can read" if url in _OWN_STORES else "not read"
        return [_row("store", f"{why}; edges count as up")]
    if store.state == "down":
        return [_row("store", f"cannot be read ({store.trouble}); edges count as up")]
    with contextlib.suppress(StoreUnavailable):
        revoked = await revocations.known(store.redis)
        app.gateway.revoked = frozenset([one.name for one in revoked])
    priors = Priors(store.redis, prior_config_of(loaded.settings))
    with contextlib.suppress(StoreUnavailable):
        await priors.read(time.time())
    app.gateway.priors = priors
    if session is not None:
        with contextlib.suppress(StoreUnavailable):
            remembered = await store.get_session(session)
            record = None if remembered is None else SessionRecord.from_bytes(remembered)
            if record is not None:  # whoever asks here, asks as the session's own player
                asked = replace(record, users=()).to_bytes()
                own.put_session_later(session, asked, ttl_s)
    conditions = zip(fleet.edges, fleet.conditions, strict=True)
    others = [f"{edge.id} {condition}" for edge, condition in conditions if condition != UP]
    read = "read"
    if found.no_writes is not None:
        read += f", but takes no writes ({found.no_writes}), so states may be old"
    return [
        _row("store", f"{read}; {len(fleet.edges)} edges, {len(others)} of them not fully up"),
        *(_row("", text) for text in others),
        *(_row("", _override(one)) for one in fleet.overrides),
    ]


def _override(one: Override) -> str:
    return f"override {one.id}: {one.sessions} of {one.source} go to {one.target}"


async def _explained(
    app: Application,
    question: Question,
    headers: list[tuple[bytes, bytes]],
    seen: list[str],
    wanted: ManifestFormat | None,
    redaction: Redaction | None,
) -> str:
    path = f"/v1/play/{question.asset}"
    decision = await _ask(app.operators, path, question, headers, wanted)
    if decision.status != 200:  # noqa: PLR2004
        problem = json.loads(decision.body)
        raise ExplainError(f"{problem['status']} {problem['title']}: {problem['detail']}")
    summary = [*_summary(decision), *_signed(app, decision, redaction)]
    if redaction is None:  # that of a player, who may not be admitted
        shown = await _ask(app, path, question, headers, wanted)
        decision = replace(decision, body=_with_ladder_of(decision, shown))
    lines = [*summary, *seen, "", *_ladder(decision), "", *_reasons(decision)]
    found = _found_format(decision)
    lines += await _faults(app, question, found)
    lines = list(map(_printable, lines))
    if question.manifest:
        manifest = await _ask(app, f"{path}{FORMATS[found].suffix}", question, headers)
        text = _text(manifest)
        lines += ["", text if redaction is None else redaction.redacted(text)]
    return "\n".join(lines)


def _found_format(answer: _Answer) -> ManifestFormat:
    """The format that a decision is about."""
    path = urlsplit(json.loads(answer.body)["manifest_url"]).path
    return next(name for name, form in FORMATS.items() if path.endswith(form.suffix))


def _text(answer: _Answer) -> str:
    """A manifest as text. An MPD may be in UTF-16, or in any encoding that its declaration names;
    what cannot be read as UTF-8 is shown escaped."""
    if answer.body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return answer.body.decode("utf-16", "replace")
    return answer.body.decode("utf-8", "backslashreplace")


def _printable(line: str) -> str:
    """A line with what would control a terminal escaped: ids and codecs are the source's."""
    if line.isprintable():
        return line
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in line])


def _headers(question: Question) -> list[tuple[bytes, bytes]]:
    try:
        ip_address(question.address)
    except ValueError as error:
        raise ExplainError(
            f"--ip {question.address!r}: allowed is an IPv4 or IPv6 address"
        ) from error
    headers = [("user-agent", question.user_agent)] if question.user_agent else []
    for text in question.headers:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise ExplainError(f"--header {text!r}: allowed is 'Name: value'")
        if name.strip().lower() not in _ABOUT_THE_ANSWER:
            headers.append((name.strip().lower(), value.strip()))
    try:
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    except UnicodeEncodeError as error:
        raise ExplainError("headers: allowed are Latin-1 characters") from error


async def _ask(
    app: ASGIApp,
    path: str,
    question: Question,
    headers: list[tuple[bytes, bytes]],
    wanted: ManifestFormat | None = None,
) -> _Answer:
    """One request through the whole application, as a server would make it."""
    own = {"speed": question.speed_kbps, "session": question.session}
    query = "&".join(
        part
        for part in (
            urlencode({name: value for name, value in own.items() if value is not None}),
            question.query.removeprefix("?"),
            "fields=",  # the last value counts: all members are wanted
            "" if wanted is None else f"format={wanted}",
        )
        if part
    )
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), *headers],
        "client": (question.address, 0),
        "server": ("localhost", 80),
    }
    answer = _Answer(0, {}, b"")

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal answer
        if message["type"] == "http.response.start":
            found = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
            answer = replace(answer, status=message["status"], headers=found)
        else:
            answer = replace(answer, body=answer.body + message.get("body", b""))

    await app(scope, receive, send)
    return answer


def _summary(answer: _Answer) -> list[str]:
    decision = json.loads(answer.body)
    profile, client = decision["quality_profile"], decision["client"]
    caps = [
        text
        for text, value in (
            (f"{profile['max_bitrate_kbps']} kbit/s", profile["max_bitrate_kbps"]),
            (f"{profile['max_height']}p", profile["max_height"]),
        )
        if value is not None
    ]
    speed = (
        "unknown"
        if client["speed_kbps"] is None
        else f"{client['speed_kbps']} kbit/s ({client['speed_source']})"
    )
    rows = (
        ("asset", decision["asset"]),
        ("device", f"{client['device']}, {client['os'] or 'OS unknown'}"),
        ("place", f"{client['country'] or '?'} / {client['continent'] or '?'}"),
        ("speed", speed),
        ("profile", f"{profile['name']} (at most {', '.join(caps) or 'anything'})"),
        ("edge", f"{decision['edges'][0]} ({decision['cdn_endpoint']})"),
        ("then", ", ".join(decision["edges"][1:]) or "no other"),
    )
    return [_row(name, value) for name, value in rows]


def _with_ladder_of(decision: _Answer, shown: _Answer) -> bytes:
    """The operator's decision with the ladder that a player is shown."""
    members = json.loads(decision.body)
    if shown.status == 200:  # noqa: PLR2004
        members["ladder"] = json.loads(shown.body)["ladder"]
    return json.dumps(members).encode()


def _signed(app: Application, answer: _Answer, redaction: Redaction | None) -> list[str]:
    """Who signs the URLs of the edge that serves, until when what is signed now is good, and
    whether it is shown."""
    fleet, edge_id = app.gateway.fleet, json.loads(answer.body)["edges"][0]
    signing = fleet.edges[fleet.positions[edge_id]].signing
    if signing is None:
        return []
    until = rfc3339(signing.validity(time.time()).expires_s)
    rows = [_row("signed", f"{described(signing.signer)}, until {until}")]
    if redaction is not None and signing.signer.carrier == "path":
        rows.append(_row("", f"signatures are {REDACTED} below; --show-signatures prints them"))
    return rows


def _row(name: str, value: str) -> str:
    return f"{name:<{_WIDTH}}{value}"


def _ladder(answer: _Answer) -> list[str]:
    lines = ["ladder (first = start)"]
    for rung in json.loads(answer.body)["ladder"]:
        height = "-" if rung["height"] is None else f"{rung['height']}p"
        kbps = rung["bandwidth"] // 1000
        place = rung["uri"] or rung.get("id") or "-"
        lines.append(f"  {height:>6} {kbps:>7} kbit/s  {rung['codecs'] or '-':<30} {place}")
    return lines


def _reasons(answer: _Answer) -> list[str]:
    return ["reasons", *(f"  {reason}" for reason in json.loads(answer.body)["reasons"])]


async def _faults(app: Application, question: Question, wanted: ManifestFormat) -> list[str]:
    """The faults of a source manifest that is served despite them."""
    try:
        source = await app.gateway.runtime.source.load(question.asset, wanted=wanted)
    except (NoSuchAssetError, BadSourceError) as error:  # it has changed since the decision
        raise ExplainError(str(error)) from error
    if not source.manifest.faults:
        return []
    return ["", "faults of the source", *(f"  {fault}" for fault in source.manifest.faults)]
