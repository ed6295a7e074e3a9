"""Write a bill of materials (CycloneDX) of what is installed at run time.

    python -m scripts.sbom [FILE]        build/sbom.cdx.json unless given

It lists every package of ``requirements/runtime.txt`` with its version and the hashes of its files,
is validated against the schema of CycloneDX, and is the same for the same requirements. Needs no
network.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
DEFAULT = ROOT / "build" / "sbom.cdx.json"


def write(target: Path, *, validate: bool = True) -> None:
    """Write the file. Raises CalledProcessError when it cannot be made or is not valid; validating
    takes most of the time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(REQUIREMENTS)]
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
    options.append("--validate" if validate else "--no-validate")
    subprocess.run(  # noqa: S603
        [*command, *options, "--of", "JSON", "--sv", "1.6", "-o", str(target)], check=True
    )


def main(arguments: list[str]) -> int:
    """The command."""
    target = Path(arguments[0]) if arguments else DEFAULT
    write(target)
    print(f"written to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
