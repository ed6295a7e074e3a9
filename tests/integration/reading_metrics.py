"""Reads values from ``/metrics``."""

import re

import httpx


def metric(admin_url: str, name: str) -> float:
    """A metric's value; without labels in ``name``, the sum over all label sets."""
    text = httpx.get(f"{admin_url}/metrics").text
    pattern = re.escape(name) + ("" if name.endswith("}") else r"(?:{.*})?")
    return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", text, re.MULTILINE))
