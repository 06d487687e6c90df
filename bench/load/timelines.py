"""Lines over time as a picture: SVG, a panel for each quantity, without a library."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 120, 70, 150, 26, 24
COLOURS = ("#2a78b5", "#c4572c", "#4a8f3c", "#7a4fa3", "#b5892a", "#5b6770", "#a33a63", "#2f8f8f")
_STYLE = "text{font:11px system-ui,sans-serif;fill:#333}.e{text-anchor:end}.m{text-anchor:middle}"

Series = Mapping[str, Sequence[float]]
"""The values of each line; all lines of a picture have as many."""


def picture(minutes: Sequence[float], panels: Mapping[str, Series]) -> str:
    """Return the panels, one beneath the other: each begins at zero and ends above its highest value."""
    one = HEIGHT + TOP + BOTTOM
    width, height = LEFT + WIDTH + RIGHT, one * len(panels)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="What a running system uses, over time">'
    )
    parts = [
        head,
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, (title, series) in enumerate(panels.items()):
        parts += _panel(title, minutes, series, number * one)
    return "\n".join([*parts, "</svg>\n"])


def _panel(title: str, minutes: Sequence[float], series: Series, above: int) -> list[str]:
    top, bottom = above + TOP, above + TOP + HEIGHT
    highest = max((value for values in series.values() for value in values), default=0) * 1.05 or 1
    last = max(minutes[-1] if minutes else 0, 0.01)
    parts = [
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="#f1f3f5"/>',
        f'<text x="{LEFT}" y="{top - 8}">{escape(title)}</text>',
        f'<text class="e" x="{LEFT - 8}" y="{bottom}">0</text>',
        f'<text class="e" x="{LEFT - 8}" y="{top + 10}">{highest:,.0f}</text>',
        f'<text class="e" x="{LEFT + WIDTH}" y="{bottom + 14}">{last:,.0f} min</text>',
    ]
    for number, (name, values) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{LEFT + WIDTH * minute / last:.1f},{bottom - HEIGHT * value / highest:.1f}"
            for minute, value in zip(minutes, values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        line = top + 10 + 14 * number
        parts.append(f'<rect x="{LEFT + WIDTH + 12}" y="{line - 8}" width="10" height="3" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 28}" y="{line - 3}">{escape(name)}</text>')
    return parts
