"""Redis is ill-treated: what is cached is lost, and nothing else."""

from tests.drills.drill import Bounds, Drill
from tests.drills.seen import all_workers, logged
from tests.drills.stages import RedisStage, WireStage, redis_stage, wire_stage

REACTED = all_workers("store_state", "state", {"down", "readonly"})
READ_ONLY = all_workers("store_state", "state", {"readonly"})
RECOVERED = all_workers("store_state", "state", {"up"})

WITHOUT = "Decisions are made without Redis (`cache=off`)"


def _kill(stage: RedisStage) -> None:
    stage.server.kill()


def _start(stage: RedisStage) -> None:
    stage.server.start()


def _freeze(stage: RedisStage) -> None:
    stage.server.freeze()


def _thaw(stage: RedisStage) -> None:
    stage.server.thaw()


def _restart(stage: RedisStage) -> None:
    stage.server.kill()
    stage.server.start()


def _fill(stage: RedisStage) -> None:
    stage.server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    stage.server.command("CONFIG", "SET", "maxmemory", "1mb")


def _empty(stage: RedisStage) -> None:
    stage.server.command("CONFIG", "SET", "maxmemory", "0")


def _demote(stage: RedisStage) -> None:
    stage.server.command("REPLICAOF", "127.0.0.1", str(stage.other.port))


def _promote(stage: RedisStage) -> None:
    stage.server.command("REPLICAOF", "NO", "ONE")


def _slow(stage: WireStage) -> None:
    stage.wire.slow(0.2)


def _fast(stage: WireStage) -> None:
    stage.wire.slow(0)


def _cut(stage: WireStage) -> None:
    stage.wire.cut_each(0.2)


def _uncut(stage: WireStage) -> None:
    stage.wire.cut_each(None)


DRILLS = (
    Drill(
        name="redis-killed",
        group="Redis",
        staging=redis_stage,
        broken="Redis is killed (`SIGKILL`).",
        mended="It is started again, empty.",
        expected=f"{WITHOUT}. Every worker notices, reconnects and fills it again.",
        break_it=_kill,
        mend_it=_start,
        reacted=REACTED,
        recovered=RECOVERED,
        bounds=Bounds(react_s=1.0, recover_s=2.5),
    ),
    Drill(
        name="redis-frozen",
        group="Redis",
        staging=redis_stage,
        broken="Redis is stopped (`SIGSTOP`): connections stay open, but nothing is answered.",
        mended="It continues (`SIGCONT`).",
        expected=f"A few requests wait for their deadline of 20 ms; after that none waits. "
        f"{WITHOUT}.",
        break_it=_freeze,
        mend_it=_thaw,
        reacted=REACTED,
        recovered=RECOVERED,
        bounds=Bounds(react_s=1.5, recover_s=3.0),
    ),
    Drill(
        name="redis-restarted-empty",
        group="Redis",
        staging=redis_stage,
        broken="Redis is killed and started again at once; all that it knew is gone.",
        mended="Nothing more is done.",
        expected="Workers reconnect, and share their decisions again.",
        break_it=_restart,
        mend_it=None,
        reacted=REACTED,
        recovered=RECOVERED,
        bounds=Bounds(react_s=1.0, recover_s=3.0),
    ),
    Drill(
        name="redis-full",
        group="Redis",
        staging=redis_stage,
        broken="Redis may use no more memory and evict nothing: every write is refused (`OOM`).",
        mended="It may use memory again.",
        expected="Workers read from Redis, and do not write to it until it accepts a write.",
        break_it=_fill,
        mend_it=_empty,
        reacted=READ_ONLY,
        recovered=RECOVERED,
        bounds=Bounds(react_s=1.5, recover_s=4.0),
    ),
    Drill(
        name="redis-read-only",
        group="Redis",
        staging=redis_stage,
        broken="Redis becomes the read-only replica of another one (`REPLICAOF`), an empty one.",
        mended="It is made a primary again (`REPLICAOF NO ONE`).",
        expected="Workers read from Redis, and do not write to it until it accepts a write.",
        break_it=_demote,
        mend_it=_promote,
        reacted=REACTED,
        recovered=RECOVERED,
        bounds=Bounds(react_s=1.5, recover_s=4.0),
    ),
    Drill(
        name="redis-slow",
        group="Redis",
        staging=wire_stage,
        broken="Every answer of Redis takes 200 ms.",
        mended="It is fast again.",
        expected=f"A few requests wait for their deadline of 20 ms; after that none waits. "
        f"{WITHOUT}.",
        break_it=_slow,
        mend_it=_fast,
        reacted=REACTED,
        recovered=RECOVERED,
        bounds=Bounds(react_s=1.5, recover_s=3.0),
    ),
    Drill(
        name="redis-resets",
        group="Redis",
        staging=wire_stage,
        broken="All connections to Redis are reset five times a second.",
        mended="Connections stay.",
        expected=f"Workers reconnect with a growing, jittered pause. {WITHOUT} meanwhile.",
        break_it=_cut,
        mend_it=_uncut,
        reacted=logged("store_state", state="down"),
        recovered=RECOVERED,
        bounds=Bounds(react_s=1.5, recover_s=3.0),
    ),
)
