"""How often verdicts of each confidence are right, as a picture: SVG, without a library."""

from collections.abc import Sequence

SIDE, MARGIN, BIN = 360, 60, 0.1
_STYLE = "text{font:11px system-ui,sans-serif;fill:#333}.m{text-anchor:middle}.e{text-anchor:end}"
COLOURS = {"families read": "#9aa5b1", "families put aside": "#2a78b5"}

Judgements = Sequence[tuple[float, bool]]
"""Confidence of each verdict, and whether its reason is right."""


def bins(found: Judgements) -> list[tuple[float, float, int]]:
    """Return mean confidence, share that is right and how many, of each tenth that has any."""
    kept: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in found:
        kept.setdefault(min(int(confidence / BIN + 1e-9), 9), []).append((confidence, right))
    return [
        (sum(c for c, _ in some) / len(some), sum(r for _, r in some) / len(some), len(some))
        for _, some in sorted(kept.items())
    ]


def diagram(series: dict[str, Judgements]) -> str:
    """Return the reliability diagram; the area of a point is how many verdicts it stands for."""
    width, height = SIDE + 2 * MARGIN + 140, SIDE + 2 * MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Share of verdicts that are right, by their confidence">'
    )
    parts = [
        head,
        f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" fill="#f1f3f5"/>',
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#868e96" stroke-dasharray="4 4"/>',
        f'<text class="m" x="{MARGIN + SIDE / 2}" y="{height - 18}">confidence of the verdict</text>',
        f'<text x="{MARGIN - 44}" y="{MARGIN - 14}">share of reasons that are right</text>',
    ]
    for tenth in range(0, 11, 2):
        value = tenth / 10
        parts.append(f'<text class="m" x="{_x(value)}" y="{MARGIN + SIDE + 18}">{value:.1f}</text>')
        parts.append(f'<text class="e" x="{MARGIN - 8}" y="{_y(value) + 4}">{value:.1f}</text>')
    for number, (name, found) in enumerate(series.items()):
        colour, line = COLOURS[name], MARGIN + 16 + 20 * number
        parts.append(f'<circle cx="{_x(1) + 20}" cy="{line - 4}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{_x(1) + 32}" y="{line}">{name}</text>')
        for confidence, right, count in bins(found):
            title = f"<title>{name}: {count} verdicts, confidence {confidence:.2f}, {right:.0%} right</title>"
            radius = 3 + count**0.5 / 2
            parts.append(
                f'<circle cx="{_x(confidence):.1f}" cy="{_y(right):.1f}" r="{radius:.1f}" fill="{colour}" '
                f'fill-opacity="0.7">{title}</circle>'
            )
    return "\n".join([*parts, "</svg>\n"])


def _x(value: float) -> float:
    return MARGIN + SIDE * value


def _y(value: float) -> float:
    return MARGIN + SIDE * (1 - value)
