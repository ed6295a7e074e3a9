"""Makes all workers forget the manifests of assets, and waits for their acknowledgements."""

import asyncio
import secrets
import time
from dataclasses import dataclass

from gateway.client.asset import AssetError, asset_id, is_asset_prefix
from gateway.operators.action_error import ActionError
from gateway.store.connection.protocol import Commands
from gateway.store.coordination.acknowledgements import acknowledged
from gateway.store.coordination.messages import Purge, encode_message
from gateway.store.coordination.presence import LiveWorker, live_workers
from gateway.store.coordination.redis_bus import publish

PATIENCE_S = 2.0
"""Seconds until a worker that has not acknowledged the purge is reported. A worker that misses the
message reads the log after about a second."""

LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """How many workers acknowledged the purge, which did not, and the seconds since publishing."""

    acknowledged: int
    silent: tuple[LiveWorker, ...]
    seconds: float

    def to_text(self) -> str:
        """A text for people: how many workers purged, and which did not respond."""
        workers = self.acknowledged + len(self.silent)
        lines = [
            f"purged on {self.acknowledged} of {workers} workers in {self.seconds * 1000:.0f} ms"
        ]
        lines += [f"no answer from {each.host}, process {each.pid}" for each in self.silent]
        return "\n".join(lines)

    def members(self) -> dict[str, object]:
        """The same as JSON has it."""
        return {
            "acknowledged": self.acknowledged,
            "silent": [{"host": each.host, "process": each.pid} for each in self.silent],
            "seconds": round(self.seconds, 3),
        }


def target_of(purge: Purge) -> str:
    """What a purge is about, in words: an asset, or the beginning of ids."""
    return purge.asset if purge.asset is not None else f"{purge.prefix or ''}…"


def purge_of(asset: str | None, prefix: str | None) -> Purge:
    """The message that purges one asset, or all whose ids begin with ``prefix``. Raises
    ActionError."""
    token = secrets.token_hex(8)
    if prefix is not None:
        if not is_asset_prefix(prefix):
            text = "not the start of an asset id: 1-512 of A-Z a-z 0-9 . _ ~ / -, "
            text += "without a segment that is empty, . or .."
            raise ActionError("malformed", text)
        return Purge(None, prefix, token)
    try:
        return Purge(asset_id(asset or ""), None, token)
    except AssetError as error:
        raise ActionError("malformed", str(error)) from error


async def purge_everywhere(commands: Commands, purge: Purge) -> PurgeReport:
    """Publish the purge and wait. Raises ActionError and StoreUnavailable."""
    alive = {worker.id: worker for worker in await live_workers(commands)}
    started = time.monotonic()
    if not await publish(commands, "assets", encode_message(purge)):
        raise ActionError(
            "refused", "the store did not accept the purge; it may be full, read-only or frozen"
        )
    if not alive:
        raise ActionError("refused", "no worker is alive on this store, so nothing was purged")
    while True:
        confirmed = await acknowledged(commands, purge.token)
        seconds = time.monotonic() - started
        silent = tuple(worker for worker in alive.values() if worker.id not in confirmed)
        if not silent or seconds > PATIENCE_S:
            return PurgeReport(len(confirmed), silent, seconds)
        await asyncio.sleep(LOOK_S)
