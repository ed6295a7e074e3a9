"""``gateway audit``: exports the audit log as JSON lines, and follows it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from gateway.commands.store_access import CommandError, open_store
from gateway.config.load import Loaded
from gateway.observe.moment import rfc3339
from gateway.operators.audit import described
from gateway.operators.moment import moment_of
from gateway.store.connection.protocol import StoreUnavailable
from gateway.store.events import audit_stream

FOLLOW_S = 0.25
"""Seconds between two reads while following."""
RETRY_S = 2.0


async def export(loaded: Loaded, since: str | None, *, follow: bool) -> AsyncIterator[str]:
    """The entries since then, the oldest first, each as a line of JSON. With ``follow``, those that
    come as well. Raises CommandError."""
    after = "0" if since is None else _since(since)
    async with open_store(loaded) as (_, commands):
        while True:
            try:
                page = await audit_stream.read_after(commands, after, audit_stream.MAX_PAGE)
            except StoreUnavailable:
                if not follow:
                    raise
                await asyncio.sleep(RETRY_S)
                continue
            for entry_id, data in page:
                after = entry_id
                found = described(entry_id, data)
                if found is not None:
                    yield json.dumps(found)
            if len(page) < audit_stream.MAX_PAGE:
                if not follow:
                    return
                await asyncio.sleep(FOLLOW_S)


def as_line(line: str) -> str:
    """An entry for people: when, who, what, and whether it was done. Whoever can write to Redis may
    have written it, so control characters are escaped."""
    one: dict[str, Any] = json.loads(line)
    role = f" ({one['role']})" if one.get("role") else ""
    place = f" from {one['address']}" if one.get("address") else ""
    why = f": {one['reason']}" if one.get("reason") else ""
    who = f"{one.get('kind')} {one.get('who')}{role}{place}"
    text = f"{rfc3339(one['time'] / 1000)}  {who}  {one.get('action')} {one.get('target')}"
    text = f"{text}  {one.get('outcome')}{why}"
    return text if text.isprintable() else ascii(text)[1:-1]


def _since(text: str) -> str:
    """The id of the stream before the first entry since then. Raises CommandError."""
    try:
        moment = moment_of(text)
    except ValueError as error:
        raise CommandError(f"--since: {error}") from error
    at_s = time.time() - (moment.after_s or 0) if moment.at_s is None else float(moment.at_s)
    return f"{max(0, int(at_s * 1000) - 1)}-{2**64 - 1}"
