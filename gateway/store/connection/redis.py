"""The store in Redis. Requests use it only while it is known to respond.

A request uses a connection that is open and known to respond; without one it fails at once. One
background task opens the connection, probes it twice a second, and replaces it when it breaks. So a
Redis that is gone, frozen, slow, full or loading costs a request at most its deadline, and only the
first few requests in a row.

After a failover by address, the former primary may keep the connection open and refuse writes. So
while Redis is read-only, the address is tried again, and a server there that takes writes is used.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from random import SystemRandom

import structlog
from redis.exceptions import NoScriptError, ResponseError

from gateway.observe.tasks import supervise
from gateway.store.connection.address import CONNECT_TIMEOUT_S, connections, shown_url
from gateway.store.connection.embedded import EmbeddedServer
from gateway.store.connection.keys import PROBE, decision_key, session_key, source_key
from gateway.store.connection.pipeline import Pipeline, classify
from gateway.store.connection.protocol import (
    MAX_SESSION_BYTES,
    MAX_VALUE_BYTES,
    MAX_VALUES_BYTES,
    Commands,
    NullObserver,
    RedisReply,
    Replaced,
    Script,
    StoreObserver,
    StoreState,
    StoreUnavailable,
    Trouble,
)
from gateway.store.connection.writes import (
    DELAY_S,
    MAX_BYTES,
    MAX_WRITES,
    SET_ALL,
    Write,
    tell_replaced,
    words_of,
)
from gateway.store.garbage import GarbageKind, found_garbage

PROBE_INTERVAL_S = 0.5
PROBE_WRITE = (b"SET", PROBE, b"1", b"PX", b"10000")
FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 1.0

STEADY_S = 2.0
"""A connection that was open for this long is replaced without a pause. A Redis that refused writes
gets no writes for this long, so that an unstable one does not fill the log."""

SEARCH_INTERVAL_S = 5.0
"""While Redis is read-only, the seconds between two searches for a primary at its address."""

MAX_DETAIL_CHARS = 200

NOT_A_VALUE = "a value of another type, or a larger one than is written here"

# ARGV: the most bytes of a value, and of all values. A missing value is empty; -1 is garbage.
GET_ALL = Script(
    "get_decisions",
    b"""
local most, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local found = {}
for at, key in ipairs(KEYS) do
  local value = redis.pcall('GETRANGE', key, 0, most)
  if type(value) == 'table' or #value > most then
    value = -1
  elseif #value > room then
    value = ''
  else
    room = room - #value
  end
  found[at] = value
end
return found
""",
)

_log = structlog.get_logger(__name__)
_random = SystemRandom()


class RedisStore:
    """Decisions, sessions and source manifests in Redis or Valkey, at ``redis://``, ``rediss://``
    or ``unix://``.

    ``timeout_s`` is the deadline of every operation as its caller sees it. With ``server`` the
    store starts that server first and stops it last. A ``quiet`` store logs nothing.

    Raises StoreError when the URL is invalid.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 0.02,
        observer: StoreObserver | None = None,
        server: EmbeddedServer | None = None,
        quiet: bool = False,
    ) -> None:
        self._url = url
        self._quiet = quiet
        self._shown_url = shown_url(url)
        self._timeout_s = timeout_s
        self._observer = observer or NullObserver()
        self._server = server
        self.connect = connections(url)
        self._pipeline: Pipeline | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._known = asyncio.Event()
        self._state: StoreState = "down"
        self._trouble: Trouble | None = Trouble.CONNECTING
        self._hold_writes_until = 0.0
        self._waiting: dict[bytes, Write] = {}
        self._waiting_bytes = 0
        self._sending: asyncio.TimerHandle | None = None
        self._sent_again = False

    def beside(self, timeout_s: float) -> "RedisStore":
        """Another store on the same server, with its own connection and deadline. It is quiet: this
        store logs the server's state."""
        return RedisStore(self._url, timeout_s=timeout_s, quiet=True)

    @property
    def state(self) -> StoreState:
        """See ``Store.state``."""
        return self._state

    @property
    def trouble(self) -> Trouble | None:
        """See ``Store.trouble``."""
        return self._trouble

    async def start(self) -> None:
        """See ``Store.start``. Returns when the first attempt to connect has ended."""
        if self._server is not None:
            await asyncio.to_thread(self._server.start)
        self._connecting = supervise("control_store" if self._quiet else "store", self._connect)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * CONNECT_TIMEOUT_S):
                await self._known.wait()

    async def close(self) -> None:
        """See ``Store.close``."""
        with contextlib.suppress(StoreUnavailable):
            await self.flush()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        self._state, self._trouble = "down", Trouble.CLOSED
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    async def get_decision(self, key: str) -> bytes | None:
        """See ``Store.get_decision``."""
        return await self._get("get_decision", decision_key(key), "decision", MAX_VALUE_BYTES)

    async def get_session(self, session: str | bytes) -> bytes | None:
        """See ``Store.get_session``."""
        return await self._get("get_session", session_key(session), "session", MAX_SESSION_BYTES)

    def put_decision_later(self, key: str, value: bytes, ttl_s: float) -> None:
        """See ``Store.put_decision_later``."""
        self._put("put_decision", decision_key(key), value, ttl_s)

    def put_session_later(
        self, session: str | bytes, value: bytes, ttl_s: float, replaced: Replaced | None = None
    ) -> None:
        """See ``Store.put_session_later``."""
        self._put("put_session", session_key(session), value, ttl_s, replaced)

    async def get_source(self, name: str) -> bytes | None:
        """See ``Store.get_source``."""
        return await self._get("get_source", source_key(name), "source", MAX_VALUE_BYTES)

    def put_source_later(self, name: str, value: bytes, ttl_s: float) -> None:
        """See ``Store.put_source_later``."""
        self._put("put_source", source_key(name), value, ttl_s)

    async def get_decisions(self, keys: Sequence[str]) -> list[bytes | None]:
        """See ``Store.get_decisions``."""
        bounds = (b"%d" % MAX_VALUE_BYTES, b"%d" % MAX_VALUES_BYTES)
        reply = await self.run(GET_ALL, [decision_key(key) for key in keys], bounds)
        values = reply if isinstance(reply, list) and len(reply) == len(keys) else [0] * len(keys)
        garbage = sum(not isinstance(value, bytes) for value in values)
        if garbage:
            found_garbage("decision", NOT_A_VALUE, garbage)
        return [value if isinstance(value, bytes) and value else None for value in values]

    @property
    def redis(self) -> Commands:
        """See ``Store.redis``."""
        return self

    async def ask(self, name: str, *words: bytes) -> RedisReply:
        """See ``Commands.ask``."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            reply = await self._ready().ask(*words)
        except ResponseError as error:
            trouble = classify(error, Trouble.REJECTED)
            self._observer.operation(name, trouble, loop.time() - started)
            raise StoreUnavailable(trouble, str(error)) from error
        except StoreUnavailable as error:
            self._observer.operation(name, error.trouble, loop.time() - started)
            raise
        self._observer.operation(name, "done", loop.time() - started)
        return reply

    async def run(
        self, script: Script, keys: Sequence[bytes], words: Sequence[bytes]
    ) -> RedisReply:
        """See ``Commands.run``."""
        rest = (b"%d" % len(keys), *keys, *words)
        try:
            return await self.ask(script.name, b"EVALSHA", script.sha, *rest)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return await self.ask(script.name, b"EVAL", script.text, *rest)

    def tell(self, name: str, *words: bytes) -> None:
        """See ``Commands.tell``."""
        started = asyncio.get_running_loop().time()
        if self._state != "up" or self._pipeline is None:
            self._give_up(name, self._trouble or Trouble.LOST, 0.0)
            return
        reply = self._pipeline.tell(*words)
        reply.add_done_callback(partial(self._written, name, started))

    async def flush(self) -> None:
        """See ``Store.flush``. Replies come in order: after this one, all earlier ones have
        come."""
        self._send_writes()
        self._sent_again = False
        await self._ready().tell(b"PING")
        if self._sent_again:
            await self._ready().tell(b"PING")

    def _ready(self) -> Pipeline:
        if self._pipeline is None:
            raise StoreUnavailable(self._trouble or Trouble.LOST)
        return self._pipeline

    async def _get(self, name: str, key: bytes, kind: GarbageKind, max_bytes: int) -> bytes | None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            value = await self._ask(key, kind, max_bytes)
        except StoreUnavailable as error:
            self._observer.operation(name, error.trouble, loop.time() - started)
            raise
        self._observer.operation(name, "miss" if value is None else "hit", loop.time() - started)
        return value

    async def _ask(self, key: bytes, kind: GarbageKind, max_bytes: int) -> bytes | None:
        """The value of a key, of which one byte more than ``max_bytes`` is read. Garbage counts as
        nothing; the next write replaces it."""
        pipeline = self._ready()
        try:
            reply = await pipeline.ask(b"GETRANGE", key, b"0", b"%d" % max_bytes)
        except ResponseError as error:
            if _is_wrong_type(error):
                found_garbage(kind, NOT_A_VALUE)
                return None
            unavailable = StoreUnavailable(classify(error, Trouble.REJECTED), str(error))
            pipeline.fail(unavailable.trouble, unavailable.detail)
            raise unavailable from error
        if not isinstance(reply, bytes) or len(reply) > max_bytes:
            found_garbage(kind, NOT_A_VALUE)
            return None
        return reply or None  # GETRANGE of a missing key is empty, and no value of ours is

    def _put(
        self,
        name: str,
        key: bytes,
        value: bytes,
        ttl_s: float,
        replaced: Replaced | None = None,
    ) -> None:
        started = asyncio.get_running_loop().time()
        if self._state != "up" or self._pipeline is None:
            self._give_up(name, self._trouble or Trouble.LOST, 0.0)
        elif len(value) > MAX_VALUE_BYTES:
            self._give_up(name, Trouble.OVERFLOW, 0.0)
        else:
            ttl_ms = max(1, round(ttl_s * 1000))
            self._waiting[key] = Write(name, value, ttl_ms, started, replaced)
            self._waiting_bytes += len(value)
            if len(self._waiting) >= MAX_WRITES or self._waiting_bytes >= MAX_BYTES:
                self._send_writes()
            elif self._sending is None:
                self._sending = asyncio.get_running_loop().call_later(DELAY_S, self._send_writes)

    def _send_writes(self) -> None:
        """Send all waiting writes in one command."""
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        writes, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        if not writes:
            return
        if self._pipeline is None:
            for write in writes.values():
                self._give_up(write.name, self._trouble or Trouble.LOST, 0.0)
            return
        words = words_of(writes)
        reply = self._pipeline.tell(b"EVALSHA", SET_ALL.sha, *words)
        reply.add_done_callback(partial(self._all_written, self._pipeline, writes, words))

    def _all_written(
        self,
        pipeline: Pipeline,
        writes: Mapping[bytes, Write],
        words: tuple[bytes, ...],
        reply: asyncio.Future[RedisReply],
    ) -> None:
        if isinstance(reply.exception(), NoScriptError):  # a new Redis lacks the script
            self._sent_again = True
            again = pipeline.tell(b"EVAL", SET_ALL.text, *words)
            again.add_done_callback(partial(self._all_written, pipeline, writes, words))
            return
        for write in writes.values():
            self._written(write.name, write.asked_at, reply)
        if reply.exception() is None:
            tell_replaced(writes, reply.result())

    def _written(self, name: str, started: float, reply: asyncio.Future[RedisReply]) -> None:
        seconds = asyncio.get_running_loop().time() - started
        match reply.exception():
            case None:
                self._observer.operation(name, "stored", seconds)
            case StoreUnavailable() as error:
                self._give_up(name, error.trouble, seconds)
            case error:
                self._give_up(name, classify(error, Trouble.REJECTED), seconds)
                self._refuse_writes(error)

    def _give_up(self, name: str, trouble: Trouble, seconds: float) -> None:
        self._observer.operation(name, trouble, seconds)
        self._observer.dropped(1)

    def _refuse_writes(self, error: BaseException) -> None:
        self._hold_writes_until = asyncio.get_running_loop().time() + STEADY_S
        if self._pipeline is not None:
            self._enter("readonly", classify(error, Trouble.REJECTED), str(error))

    async def _connect(self) -> None:
        """Keep a connection open until cancelled."""
        loop = asyncio.get_running_loop()
        backoff_s = 0.0
        while True:
            started = loop.time()
            pipeline = self._new_pipeline()
            try:
                await pipeline.open()
                while True:
                    self._pipeline = primary = await self._watch(pipeline)
                    self._hold_writes_until = 0.0
                    pipeline, former = primary, pipeline
                    try:
                        await asyncio.sleep(self._timeout_s)  # commands in flight end by then
                    finally:
                        await former.close()
            except StoreUnavailable as error:
                self._hold_writes_until = 0.0
                self._enter("down", error.trouble, error.detail)
            except Exception as error:
                self._enter("down", Trouble.LOST, repr(error))
                raise
            finally:
                self._pipeline = None
                await pipeline.close()
            if loop.time() - started > STEADY_S:
                backoff_s = 0.0
                continue
            backoff_s = min(max(FIRST_BACKOFF_S, 2 * backoff_s), MAX_BACKOFF_S)
            await asyncio.sleep(backoff_s * _random.uniform(0.8, 1.2))

    def _new_pipeline(self) -> Pipeline:
        return Pipeline(self.connect(), timeout_s=self._timeout_s)

    async def _watch(self, pipeline: Pipeline) -> Pipeline:
        """Probe while the pipeline works. Returns another one, to the primary, when this one is
        read-only and the address leads to a primary by now.

        Raises StoreUnavailable when it breaks, or does not respond in time at the start.
        """
        loop = asyncio.get_running_loop()
        search_at = loop.time() + SEARCH_INTERVAL_S
        await self._probe(pipeline)
        while True:
            wait_s = PROBE_INTERVAL_S * _random.uniform(0.8, 1.2)
            await asyncio.wait((pipeline.broken,), timeout=wait_s)
            if pipeline.broken.done():
                raise pipeline.broken.result()
            try:
                await self._probe(pipeline)
            except StoreUnavailable as error:
                # One late reply is no reason to disconnect: the pipeline counts them.
                if error.trouble is not Trouble.TIMEOUT:
                    raise
            if self._trouble is Trouble.READ_ONLY and loop.time() >= search_at:
                primary = await self._find_primary()
                if primary is not None:
                    return primary
                search_at = loop.time() + SEARCH_INTERVAL_S

    async def _find_primary(self) -> Pipeline | None:
        """A new connection to the address; None unless it takes writes."""
        async with contextlib.AsyncExitStack() as stack:
            pipeline = self._new_pipeline()
            stack.push_async_callback(pipeline.close)
            with contextlib.suppress(StoreUnavailable, ResponseError):
                await pipeline.open()
                await pipeline.tell(*PROBE_WRITE)
                stack.pop_all()
                return pipeline
        return None

    async def _probe(self, pipeline: Pipeline) -> None:
        """Read and write one entry of our own, and set the state accordingly."""
        read, written = await asyncio.gather(
            pipeline.ask(b"GETRANGE", PROBE, b"0", b"0"),
            pipeline.tell(*PROBE_WRITE),
            return_exceptions=True,
        )
        if isinstance(read, ResponseError) and not _is_wrong_type(read):
            raise StoreUnavailable(classify(read, Trouble.REJECTED), str(read))
        for answer in (read, written):
            if isinstance(answer, StoreUnavailable):
                raise answer
        self._pipeline = pipeline
        if isinstance(written, ResponseError):
            self._refuse_writes(written)
        elif asyncio.get_running_loop().time() >= self._hold_writes_until:
            self._enter("up", None, "")

    def _enter(self, state: StoreState, trouble: Trouble | None, detail: str) -> None:
        self._trouble = trouble
        if state == self._state and self._known.is_set():
            return
        self._state = state
        self._known.set()
        if not self._quiet:
            write = _log.info if state == "up" else _log.warning
            write(
                "store_state",
                state=state,
                reason=trouble or "",
                detail=detail[:MAX_DETAIL_CHARS],
                url=self._shown_url,
            )
        self._observer.state_changed(state, trouble or "")


def _is_wrong_type(error: ResponseError) -> bool:
    return str(error).startswith("WRONGTYPE")
