"""A small picture of quality, time and memory against size, as SVG text. It measures nothing and knows no roster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Row = Mapping[str, Any]

WIDTH, HEIGHT, GAP, EDGE = 220, 150, 60, 44
PANELS: Final[tuple[tuple[str, str, Callable[[Row], float | None]], ...]] = (
    ("Travel above its lower bound", "%", lambda row: 100 * float(row["gap"])),
    ("Travel a visit", "min", lambda row: row["travel_minutes"] / max(1, row["visits"])),
    ("First plan", "s", lambda row: row["first_plan_seconds"]),
    ("Peak memory", "MB", lambda row: row["peak_rss_mb"]),
)
STYLE: Final = "font-family:sans-serif;font-size:12px;fill:#222"


def plot(*, rows: Sequence[Row]) -> str:
    """One panel a figure, visits a day to the right; a row without the figure is left out of its panel."""
    whole = EDGE + len(PANELS) * (WIDTH + GAP)
    size = f'viewBox="0 0 {whole} {HEIGHT + 2 * EDGE}"'
    label = "Quality, time and memory of rosters against visits a day"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}" style="{STYLE}">',
        f'<rect width="{whole}" height="{HEIGHT + 2 * EDGE}" fill="#fff"/>',
    ]
    for number, (title, unit, figure) in enumerate(PANELS):
        points = [(float(row["visits"]), float(value)) for row in rows if (value := figure(row)) is not None]
        parts += _panel(EDGE + number * (WIDTH + GAP), title, unit, points)
    return "\n".join([*parts, "</svg>", ""])


def _panel(left: int, title: str, unit: str, points: Sequence[tuple[float, float]]) -> list[str]:
    bottom = EDGE + HEIGHT
    widest = max((x for x, _ in points), default=1.0)
    highest = max((y for _, y in points), default=1.0) or 1.0
    at = [(left + x / widest * WIDTH, bottom - y / highest * HEIGHT * 0.85, x, y) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in at)
    drawn = [
        f'<text x="{left}" y="{EDGE - 20}" font-weight="bold">{title} ({unit})</text>',
        f'<path d="M{left},{EDGE - 8}V{bottom}H{left + WIDTH}" fill="none" stroke="#888"/>',
        f'<polyline points="{path}" fill="none" stroke="#1d4e89" stroke-width="2"/>',
    ]
    for x, y, visits, value in at:
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#1d4e89"/>')
        drawn.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{value:.3g}</text>')
        drawn.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{visits:.0f}</text>')
    return drawn
