"""Draws the start-up of each cell as an SVG: a group of bars for each network, on a logarithmic
scale, and the first bit rate above each bar."""

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#9aa5b1", "#cbd2d9", "#7b8794", "#1b6ca8", "#1b8a5c", "#ffb000")
BAR, GAP, HEIGHT, TOP, LEFT = 26, 34, 260, 56, 64
FLOOR_MS, CEILING_MS = 100.0, 100_000.0


def picture(
    cells: Mapping[tuple[str, str], Mapping[str, float]],
    networks: Sequence[str],
    states: Sequence[str],
) -> str:
    """The SVG, as text. Colours repeat after six states."""
    group = BAR * len(states) + GAP
    width, bottom = LEFT + group * len(networks) + GAP, TOP + HEIGHT
    box = f'viewBox="0 0 {width} {bottom + 48}" font-family="sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{width}" height="{bottom + 48}" fill="#fff"/>',
    ]
    for number, state in enumerate(states):
        key = LEFT + number * 118
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<rect x="{key}" y="12" width="11" height="11" fill="{colour}"/>')
        parts.append(f'<text x="{key + 16}" y="22">{escape(state)}</text>')
    for power in range(2, 6):
        y = _y(10.0**power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{width}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_label(power)}</text>'
        )
    for place, network in enumerate(networks):
        left = LEFT + GAP / 2 + place * group
        middle = left + BAR * len(states) / 2
        parts.append(
            f'<text x="{middle}" y="{bottom + 18}" text-anchor="middle">{escape(network)}</text>'
        )
        for number, state in enumerate(states):
            if (network, state) not in cells:
                continue
            row = cells[network, state]
            x, y = left + number * BAR, _y(row["startup_ms"])
            colour = COLOURS[number % len(COLOURS)]
            parts.append(
                f'<rect x="{x}" y="{y:.1f}" width="{BAR - 3}" height="{bottom - y:.1f}" '
                f'fill="{colour}"><title>{escape(state)}: {row["startup_ms"]:.0f} ms</title></rect>'
            )
            parts.append(
                f'<text x="{x + BAR / 2 - 1}" y="{y - 4:.1f}" font-size="8" '
                f'text-anchor="middle">{row["first_kbps"]:.0f}</text>'
            )
    caption = "start-up by network in Mbit/s; above each bar the first kbit/s"
    parts.append(f'<text x="{LEFT}" y="{bottom + 38}">{caption}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _y(startup_ms: float) -> float:
    bounded = min(CEILING_MS, max(FLOOR_MS, startup_ms))
    share = math.log(bounded / FLOOR_MS) / math.log(CEILING_MS / FLOOR_MS)
    return TOP + HEIGHT * (1 - share)


def _label(power: int) -> str:
    return f"{10 ** (power - 3):g} s"
