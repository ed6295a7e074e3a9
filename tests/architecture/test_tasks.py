"""Whatever runs in the background is supervised: nobody else notices that it has ended."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.parsed import parsed

ROOT = Path(__file__).parents[2]
STARTS_TASKS = {"create_task", "ensure_future", "Thread", "run_in_executor", "start_soon"}

OWNED = {
    "gateway/background/otlp.py": "its end is awaited; must not delay that of the worker",
    "gateway/background/survey.py": "cancelled within the same call",
    "gateway/commands/stats/run.py": "its result is awaited in a loop",
    "gateway/offload.py": "its caller awaits the result",
    "gateway/http/operator_actions.py": "one reload; ends with what became of it in the audit log",
    "gateway/observe/log_writer.py": "handles every error of a write, and ends with the process",
    "gateway/observe/tasks.py": "the supervisor",
    "gateway/observe/traces.py": "the last export; the end of the worker waits for it, bounded",
    "gateway/operators/oidc_provider.py": "logs that it failed; who needs its answer awaits it",
    "gateway/serving/connection.py": "one request",
    "gateway/serving/server.py": "ends the worker with its parent; must not outlive an error",
    "gateway/source/directory.py": "its caller awaits the read, or says that it hangs",
    "gateway/source/origin/origin.py": "one request to an origin; its waiters see the error",
    "gateway/source/origin/origin_cache.py": "one read of the store; its waiters see the error",
    "gateway/store/connection/pipeline.py": "an error breaks the pipeline, which is replaced",
}
"""Modules that start tasks which somebody awaits, and who does."""


def starts(tree: ast.Module) -> Iterator[int]:
    """The lines that start a task or thread, other than in a task group."""
    groups = {
        item.optional_vars.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name) and "TaskGroup" in ast.dump(item.context_expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in groups:
                continue
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in STARTS_TASKS:
                yield node.lineno
            case _:
                continue


def test_background_work_is_supervised() -> None:
    """Every other module uses ``gateway.observe.tasks.supervise``."""
    found = {
        str(path.relative_to(ROOT)): list(starts(parsed(path.read_text())))
        for path in (ROOT / "gateway").rglob("*.py")
    }
    assert OWNED.keys() == {name for name, lines in found.items() if lines}, found
