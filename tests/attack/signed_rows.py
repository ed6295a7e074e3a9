"""Attacks on what the gateway has signed: states of steering and refreshes, keys of classes."""

import base64
import hmac
import json
import random
import re
import statistics
import time
from collections.abc import Iterator, Mapping

import httpx

from gateway.trust.keys import KeyRing, Purpose, SigningKey
from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.client import Answer, Shot, fire
from tests.attack.hostile import HOSTILE
from tests.attack.judge import fault_of, plain
from tests.attack.stages import Stage, directory_stage, no_stage

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
REFRESHED = "/v1/play/nordic.mpd"
"""A live MPD whose refreshes have a state."""
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"


def forgeries(signed: str, seed: int, more: int) -> Iterator[str]:
    """Texts that differ from a signed one: each bit of it flipped, cut, extended, with another key,
    signed with another secret, and garbage."""
    one = random.Random(seed)
    key, _, payload = signed.partition(".")
    for at in range(len(payload)):
        for bit in range(6):
            value = _ALPHABET.index(payload[at]) ^ (1 << bit)
            yield f"{key}.{payload[:at]}{_ALPHABET[value]}{payload[at + 1 :]}"
    for at in range(0, len(signed), 3):
        yield signed[:at]
    raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    for mac in (
        b"\0" * 16,
        b"\xff" * 16,
        b"",
        raw[-16:-1],
        hmac.digest(b"", raw[:-16], "sha256")[:16],
    ):
        yield f"{key}.{base64.urlsafe_b64encode(raw[:-16] + mac).decode().rstrip('=')}"
    other = KeyRing(SigningKey(key, b"another secret of 32 bytes and more"))
    for purpose in Purpose:
        yield other.sign(purpose, raw[:-16])
    for name in ("", "none", "k2", "auto-000000000000", "../k1", key.upper(), key + "\0"):
        yield f"{name}.{payload}"
    yield from (signed + tail for tail in ("A", "=", "==", ".", ".A", "%00", "\n", " "))
    yield from (signed * 2, payload, key, signed.replace(".", ".."), "." + signed, signed[::-1])
    for _ in range(more):
        text = one.choice(HOSTILE).decode("latin-1")
        at = one.randrange(len(signed))
        yield signed[:at] + text + signed[at:]


def _unsigned_bits(signed: str) -> int:
    """The bits of the last letter of base64 that belong to no byte."""
    return len(signed.partition(".")[2]) * 6 % 8


def _request(path: str, **query: str) -> bytes:
    url = httpx.URL(f"http://localhost{path}", params=query)
    head = b"GET " + url.raw_path + b" HTTP/1.1\r\nHost: localhost\r\n"
    return head + b"User-Agent: " + PHONE.encode() + b"\r\nX-Forwarded-For: 129.240.2.6\r\n\r\n"


def _issued(stage: Stage) -> dict[str, str]:
    """What a gateway signs for a viewer: by its purpose."""
    headers = {"User-Agent": PHONE, "X-Forwarded-For": "129.240.2.6"}
    with httpx.Client(base_url=stage.gateway.url, headers=headers) as client:
        playlist = client.get("/v1/play/film.m3u8").text
        other = client.get("/v1/play/mine.m3u8?viewer=x").text
        mpd = client.get("/v1/play/live.mpd").text
        slow = client.get("/v1/play/nordic.mpd?speed=300").text
    state = re.search(r'SERVER-URI="[^"]*[?&]state=([^"&]*)', playlist)
    state_of_another = re.search(r'SERVER-URI="[^"]*[?&]state=([^"&]*)', other)
    key = re.search(r"<Location>[^<]*/v1/class/([^/<]*)/", mpd)
    refresh = re.search(r"<Location>[^<]*[?&;]state=([^<&]*)", slow)
    found = {"steering": state, "other": state_of_another, "class": key, "refresh": refresh}
    return {name: each[1] for name, each in found.items() if each is not None}


def _refused(_: Shot, answer: Answer) -> str:
    if fault := fault_of(answer):
        return fault
    return "" if answer.status == 404 else f"a forged class is answered with {answer.status}"


def _without_state(mpd: bytes) -> bytes:
    """The state has the hour in it."""
    return re.sub(rb"(<Location>[^<]*[?&;]state=)[^<&]*", rb"\1", mpd)


def _mpd_of(stage: Stage, state: str = "") -> bytes:
    """The MPD that the viewer of :func:`_request` gets, without the state in it."""
    query = {"state": state} if state else {}
    headers = {"User-Agent": PHONE, "X-Forwarded-For": "129.240.2.6"}
    url = f"{stage.gateway.url}{REFRESHED}"
    return _without_state(httpx.get(url, params=query, headers=headers).content)


def _harmless(shot: Shot, answer: Answer) -> str:
    if fault := fault_of(answer):
        return fault
    if answer.status != 200:
        return "" if answer.status == 400 else f"{answer.status} for a forged state"
    if shot.note is not None and _without_state(plain(answer)) != shot.note:
        return "a forged state decides what is in the MPD"
    if b"PATHWAY-PRIORITY" not in answer.body:
        return ""
    told = json.loads(answer.body)["PATHWAY-PRIORITY"]
    return "" if set(told) <= {"one", "two", "three"} else f"told {told}"


def _classes(issued: Mapping[str, str], seed: int, more: int) -> Iterator[Shot]:
    """Keys of classes that are forged, or were signed for another title or purpose."""
    for name, text in issued.items():
        for forged in _forged(text, seed, more):
            path = str(httpx.QueryParams({"k": forged}))[2:]
            if "/" not in forged and path:
                target = f"GET /v1/class/{path}/live.mpd HTTP/1.1\r\nHost: localhost\r\n\r\n"
                yield Shot(target.encode())
        if name != "class":
            yield Shot(_request(f"/v1/class/{text}/live.mpd"))
        yield Shot(_request(f"/v1/class/{text}/film.mpd"))


def _states(issued: Mapping[str, str], new: bytes, seed: int, more: int) -> Iterator[Shot]:
    """States that are forged, or were signed for another title or purpose. ``new`` is the MPD of a
    new session."""
    for name, text in issued.items():
        for forged in _forged(text, seed, more):
            yield Shot(_request("/v1/steering/film", state=forged))
            if name == "refresh":
                yield Shot(_request(REFRESHED, state=forged), note=new)
            elif name != "steering":
                yield Shot(_request("/v1/play/live.mpd", state=forged))
        if name != "refresh":
            yield Shot(_request(REFRESHED, state=text), note=new)
        yield Shot(_request("/v1/play/live.mpd", state=text))


def _forged(text: str, seed: int, more: int) -> Iterator[str]:
    """Forgeries, without those that differ only in bits that belong to no byte."""
    slack = _unsigned_bits(text)
    for number, forged in enumerate(forgeries(text, seed, more)):
        if forged != text and not (slack and number < len(text) * 6 and forged[:-1] == text[:-1]):
            yield forged


async def forge(stage: Stage, effort: Effort) -> Outcome:
    """Send every forgery of every signed text where it belongs, and where it does not."""
    issued = _issued(stage)
    outcome = Outcome(figures=[f"signed: {', '.join(sorted(issued))}"])
    for needed in ("steering", "class", "refresh"):
        outcome.fault(f"the gateway has signed no {needed}", unless=needed in issued)
    more = effort.share(0.01, 20)
    new, pinned = _mpd_of(stage), _mpd_of(stage, issued.get("refresh", ""))
    outcome.fault("a good state of a refresh changes nothing", unless=pinned != new)
    for shots, judge in (
        (_classes(issued, effort.seed, more), _refused),
        (_states(issued, new, effort.seed, more), _harmless),
    ):
        tally = await fire(stage.port, shots, judge)
        outcome.sent += tally.answered
        outcome.faults += tally.faults
        outcome.figures.append(tally.shown())
    return outcome


TOLERANCE = 0.05
"""How much longer one kind of refusal may take than another, as a share. A comparison that ends at
the first differing byte of 16 takes a few nanoseconds longer for a later one, and a refusal takes
microseconds; what this shows is that no step is skipped for an early mismatch."""
ROUNDS = 7


def _median_s(ring: KeyRing, texts: list[str]) -> float:
    begun = time.thread_time()
    for text in texts:
        ring.verify(Purpose.STEERING_STATE, text)
    return (time.thread_time() - begun) / len(texts)


async def time_macs(stage: Stage, effort: Effort) -> Outcome:
    """Compare the CPU time of macs that differ in the first byte and in the last one."""
    ring = KeyRing(SigningKey("k1", b"a secret of 32 bytes, or even more"))
    signed = ring.sign(Purpose.STEERING_STATE, bytes(60))
    raw = base64.urlsafe_b64decode(signed.partition(".")[2] + "==")
    count = round(4000 * effort.scale)

    def with_mac(mac: bytes) -> list[str]:
        text = base64.urlsafe_b64encode(raw[:-16] + mac).decode().rstrip("=")
        return [f"k1.{text}"] * count

    mac = raw[-16:]
    early = with_mac(bytes([mac[0] ^ 1]) + mac[1:])
    late = with_mac(mac[:-1] + bytes([mac[-1] ^ 1]))
    outcome = Outcome(sent=2 * count * ROUNDS)
    difference = 1.0
    for _ in range(3):  # a machine that is busy with other things may be wrong once
        pairs = [(_median_s(ring, early), _median_s(ring, late)) for _ in range(ROUNDS)]
        difference = statistics.median(b / a for a, b in pairs) - 1
        if abs(difference) < TOLERANCE:
            break
    outcome.figures.append(f"late mismatch {difference:+.1%} of the time of an early one")
    outcome.fault(f"a late mismatch takes {difference:+.1%}", unless=abs(difference) < TOLERANCE)
    return outcome


ROWS = (
    Attack(
        name="forged-states",
        group="What is signed",
        sent="States of steering and of refreshes and keys of classes with each bit flipped, cut, "
        "extended, signed with another key, for another title or purpose.",
        expected="404 for a class; for a state the answer that a new session gets.",
        staging=directory_stage,
        run=forge,
    ),
    Attack(
        name="mac-timing",
        group="What is signed",
        sent="Macs that differ in the first byte, and in the last one.",
        expected="Both take the same time, within 5 % of CPU time.",
        staging=no_stage,
        run=time_macs,
        checks_vitals=False,
    ),
)
