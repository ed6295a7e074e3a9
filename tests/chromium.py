"""How a headless Chromium is started, by tests and by benchmarks."""

import shutil

ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--autoplay-policy=no-user-gesture-required",
]


def executable() -> str | None:
    """The system's own Chromium, if it has one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")
