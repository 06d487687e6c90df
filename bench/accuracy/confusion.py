"""How often each reason was taken for each, as a picture: SVG, without a library."""

from collections.abc import Mapping, Sequence

CELL, LABEL, TOP = 18, 150, 150
RIGHT, WRONG, EMPTY = "#2a78b5", "#c8553d", "#f1f3f5"
_STYLE = "text{font:11px system-ui,sans-serif;fill:#333}.n{text-anchor:middle;fill:#fff}.r{text-anchor:end}"


def picture(counts: Mapping[tuple[str, str], int], title: str) -> str:
    """Return the confusion matrix of (wanted, judged) pairs; rows and columns in order of the reasons' names."""
    reasons = sorted({reason for pair in counts for reason in pair})
    side = CELL * len(reasons)
    width, height = LABEL + side + 12, TOP + side + 12
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">',
            f'<style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
            f'<text x="8" y="18" style="font-weight:600">{title}</text>',
            '<text x="8" y="34">rows: what is right; columns: what was judged</text>',
            f'<rect x="{LABEL}" y="{TOP}" width="{side}" height="{side}" fill="{EMPTY}"/>',
            *_labels(reasons),
            *(
                _cell(wanted, judged, reasons.index(wanted), reasons.index(judged), count)
                for (wanted, judged), count in sorted(counts.items())
            ),
            "</svg>\n",
        ]
    )


def _labels(reasons: Sequence[str]) -> list[str]:
    found = []
    for number, reason in enumerate(reasons):
        middle = CELL * number + CELL / 2 + 4
        found.append(f'<text class="r" x="{LABEL - 6}" y="{TOP + middle}">{reason}</text>')
        found.append(f'<text transform="translate({LABEL + middle},{TOP - 6})rotate(-60)">{reason}</text>')
    return found


def _cell(wanted: str, judged: str, row: int, column: int, count: int) -> str:
    x, y = LABEL + CELL * column, TOP + CELL * row
    colour = RIGHT if wanted == judged else WRONG
    square = f'<rect x="{x}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" fill="{colour}"/>'
    number = f'<text class="n" x="{x + CELL / 2 - 0.5}" y="{y + CELL / 2 + 4}">{count}</text>'
    return f"<g><title>{wanted} judged {judged}: {count}</title>{square}{number}</g>"
