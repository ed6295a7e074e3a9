"""Attacks by config: a file that was mutilated is refused with a reason, never with a traceback."""

import asyncio
import random
import re
import sys
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from tests.attack.attack import Attack, Effort, Outcome
from tests.attack.hostile import HOSTILE
from tests.attack.stages import Stage, no_stage

DEFAULTS = Path(__file__).parents[2] / "gateway" / "config" / "defaults.toml"
VALUES: tuple[str, ...] = (
    *(
        '""',
        '"\\u0000"',
        "0",
        "-1",
        "1e400",
        "nan",
        "inf",
        "-inf",
        "9223372036854775808",
        "true",
        "[]",
        "{}",
    ),
    *(
        "[[]]",
        "[{}]",
        '"x"',
        "1979-05-27",
        "'\"'",
        '"' + "x" * 5000 + '"',
        "0.5",
        "{ a = 1 }",
        '["a", 1]',
    ),
    *(
        '"http://127.0.0.1/"',
        '"/etc/passwd"',
        '"../../x"',
        '"\\uFFFF"',
        '"(((((a+)+)+)+)+)$"',
        '"[" ',
        "0x10",
    ),
    *(
        '"2001:db8::/200"',
        '"999.0.0.0/8"',
        '"{asset}"',
        '"{asset!r:>99}"',
        '"{0.__class__}"',
        '"%s"',
    ),
)


def mutated(lines: list[str], one: random.Random) -> str:
    """The shipped config with a few lines changed, and some of its examples switched on."""
    made = list(lines)
    for _ in range(one.choice((1, 1, 2, 4))):
        at = one.randrange(len(made))
        line = made[at]
        match one.randrange(8):
            case 0:
                del made[at]
            case 1 | 2 | 3 if "=" in line:
                made[at] = f"{line.partition('=')[0].lstrip('# ')}= {one.choice(VALUES)}"
            case 4:
                made[at] = line.removeprefix("# ")
            case 5:
                made.insert(at, one.choice(made))
            case 6:
                made[at] = re.sub(r"[0-9]+", lambda _: one.choice(VALUES), line, count=1)
            case _:
                text = one.choice(HOSTILE).decode("utf-8", "surrogateescape")
                where = one.randrange(len(line) + 1)
                made[at] = line[:where] + text + line[where:]
    return "\n".join(made)


async def mutilate(stage: Stage, effort: Effort) -> Outcome:
    """``gateway check`` of mutated configs, in this process; some in one of their own."""
    outcome = Outcome()
    one = random.Random(effort.seed)
    lines = DEFAULTS.read_text("utf-8").splitlines()
    file = stage.folder / "gateway.toml"
    runner = CliRunner()
    codes: dict[int, int] = {}
    count = effort.share(0.002, 20)
    for number in range(count):
        text = mutated(lines, one)
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        if number % 40 == 0:
            code, said = await _in_a_process(file)
        else:
            result = runner.invoke(main, ["check", str(file)])
            code, said = result.exit_code, result.output
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                said += f"Traceback {result.exception!r}"
        outcome.sent += 1
        codes[code] = codes.get(code, 0) + 1
        if (
            code not in {0, 1}
            or "Traceback" in said
            or (code == 1 and str(file.name) not in said + "gateway.toml")
        ):
            changed = [line for line in text.splitlines() if line not in lines]
            outcome.fault(f"exit {code}: {said[-1500:]}; changed {changed[:5]!r:.600}")
    outcome.figures.append(
        ", ".join(f"exit {code}: {number}" for code, number in sorted(codes.items()))
    )
    return outcome


async def _in_a_process(file: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "check", str(file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode("utf-8", "replace")


ROWS = (
    Attack(
        name="mutated-configs",
        group="Config",
        sent="The shipped config with lines cut, moved, repeated, and with other values.",
        expected="`gateway check` exits with 0 or 1, and says why; never a traceback.",
        staging=no_stage,
        run=mutilate,
        checks_vitals=False,
    ),
)
