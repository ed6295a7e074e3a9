"""What does one line of a posted CMCD report say of its session? (CTA-5004 version 2, event mode)

Reports are the load of a large service, so a line in the form that players send is read quickly:
one pattern checks it, and only the members that the gateway uses are decoded. Any other line goes
to the reader of :mod:`gateway.client.cmcd`, which accepts more and finds out what is wrong. Both
read a line alike; a property test compares them.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from gateway.client.cmcd import SMALL_OBJECTS, TOKENS, Cmcd, parse_query

QUICK_CHARS: Final = 1000
"""A longer line is not read quickly. It might have more parts than are read of a line."""

_KEY = r"[a-z*][a-z0-9_.*-]{0,63}"
_SHOWN = r'[^"\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]'
_VALUE = (
    r"(?:-?[0-9]{1,15}(?:\.[0-9]{1,20})?(?![^,; )])"
    rf'|"{_SHOWN}*+"'
    r"|(?!true|false)[A-Za-z*][A-Za-z0-9!#$&'*.^_`|~:/-]{0,200}+)"
)
_ITEM = rf"{_VALUE}(?:;{_KEY}(?:={_VALUE})?)*+"
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,20})?"
_USED = "sid|mtp|ot|ts|sta|msd|cdn|bs|v|ec"
# The members that the gateway uses, in their usual form; error codes are rare, and have none here.
# Of a member that is repeated, the last one counts, as in the full reader.
_USUAL = (
    r'sid="([\x20\x21\x23-\x5b\x5d-\x7e]{1,64})"'
    rf"|mtp=(?=\({_NUMBER}(?:;v)?\)|{_NUMBER}(?:,|\Z))\(?({_NUMBER}(?:;v)?)\)?"
    rf"|ot=({'|'.join(sorted(TOKENS['ot'], reverse=True))})"
    r"|ts=([0-9]{1,15})"
    rf"|sta=({'|'.join(sorted(TOKENS['sta']))})"
    r"|msd=([0-9]{1,15})"
    rf'|cdn="({_SHOWN}{{1,128}})"'
    r"|(bs)|v=[12]"
)
_OTHER = rf"(?!(?:{_USED})(?:[=,]|\Z)){_KEY}(?:=(?:{_VALUE}|\((?:{_ITEM}(?: {_ITEM})*+)?\)))?+"
# What players usually send besides. _OTHER matches all of it as well, in three times as long.
_WHOLE = r"[0-9]{1,15}+"
_FIGURES = rf"\({_WHOLE}(?:;[av])?+(?: {_WHOLE}(?:;[av])?+)?+\)"
_FAMILIAR = (
    rf"b[lr]={_FIGURES}|tb={_FIGURES}"
    rf"|pt={_WHOLE}(?![^,])|sn={_WHOLE}(?![^,])"
    r"|e=[a-z]{1,3}+(?![^,])|s[ft]=[a-z]{1,3}+(?![^,])"
    rf'|cid="{_SHOWN}*+"'
)
_LINE = re.compile(rf"(?:(?:{_USUAL}|{_FAMILIAR}|{_OTHER})(?:, ?|\Z))+")


class Report(NamedTuple):
    """What the gateway uses of one report.

    ``speed_kbps`` is ``mtp`` if it measures the network (:attr:`gateway.client.cmcd.Cmcd.
    speed_kbps`), ``time_ms`` the time of the event by the player's clock (ms since 1970),
    ``starved`` whether the buffer ran empty since the last report (``bs``), ``state`` the player's
    state (``sta``), ``start_delay_ms`` the media start delay (``msd``), and ``errors`` the error
    codes (``ec``). ``cdn`` and ``errors`` are text from the player.
    """

    sid: str | None = None
    speed_kbps: int | None = None
    time_ms: int | None = None
    starved: bool = False
    state: str | None = None
    start_delay_ms: int | None = None
    cdn: str | None = None
    errors: tuple[str, ...] = ()

    @classmethod
    def of(cls, cmcd: Cmcd) -> "Report":
        """What the gateway uses of the CMCD of a request or a line."""
        return cls(
            cmcd.sid,
            cmcd.speed_kbps,
            cmcd.ts_ms,
            cmcd.bs,
            cmcd.sta,
            cmcd.msd_ms,
            cmcd.cdn,
            cmcd.ec,
        )


def lines_of(body: bytes) -> Iterator[str]:
    """The reports of a body: its lines that are not empty. A body that is one JSON document, as in
    older drafts, gives a line for each of its objects."""
    text = body.decode("utf-8", "replace")
    if text.lstrip()[:1] in {"{", "["}:
        try:
            given: Any = json.loads(text)
            found = [*map(json.dumps, given if isinstance(given, list) else [given])]
        except (ValueError, RecursionError):
            pass  # one object a line, or garbage
        else:
            yield from found
            return
    for line in text.split("\n"):
        stripped = line.strip("\r\t ")
        if stripped:
            yield stripped


def read_report(line: str) -> Report | None:
    """Read one line; None when nothing in it can be read, or its version is unknown. Never
    raises."""
    usual = _LINE.fullmatch(line) if len(line) <= QUICK_CHARS else None
    if usual is not None:
        return _quick(usual)
    cmcd = parse_query(line)
    return None if cmcd.version is None else Report.of(cmcd)


def _quick(usual: re.Match[str]) -> Report:
    """The report of a line in the usual form."""
    sid, mtp, ot, ts, state, delay, cdn, starved = usual.groups()
    speed = None
    if mtp is not None and (ot not in SMALL_OBJECTS or mtp.endswith(";v")):
        number = mtp.removesuffix(";v")
        speed = round(float(number)) if "." in number else int(number)
    return Report(
        sid,
        speed,
        None if ts is None else int(ts),
        starved is not None,
        state,
        None if delay is None else int(delay),
        cdn,
    )
