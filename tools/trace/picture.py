"""Draw turns as one SVG, each turn with its own time axis."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from tools.trace.tree import Span, facts

WIDTH = 1000
LABELS = 330
"""Width of the left part, with the names of the spans; the right part is the time axis."""
ROW = 40
TITLE = 46
MARGIN = 16
LEAST_BAR = 2.0
MOST_CHARACTERS = 150

COLOURS = {"client": "#8a63d2", "server": "#3273c4", "internal": "#7b8794", "red": "#c9372c"}
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2733}.title{font-weight:600;font-size:14px}"
    ".small{font-size:10px;fill:#52606d}.grid{stroke:#e4e7eb}.tick{stroke:#1c2733;stroke-width:1.5}"
)


def draw(turns: Sequence[tuple[str, Span]]) -> str:
    """Draw each turn below its title, and return the SVG."""
    panels: list[str] = []
    top = float(MARGIN)
    for title, root in turns:
        panels += _panel(root, title, top)
        top += TITLE + ROW * sum(1 for _ in root.walk()) + MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top:.0f}"'
        f' viewBox="0 0 {WIDTH} {top:.0f}" role="img"><title>Turns, from their traces</title>'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>'
    )
    return "\n".join((head, *panels, "</svg>")) + "\n"


def _panel(root: Span, title: str, top: float) -> Iterator[str]:
    spans = list(root.walk())
    end = max(span.start + span.duration for _, span in spans) - root.start
    yield _text(MARGIN, top + 16, title, "title")
    yield from _scale(end, top + 16, top + TITLE - 8 + ROW * len(spans))
    for row, (depth, span) in enumerate(spans):
        yield from _row(span, depth, root.start, end, top + TITLE + ROW * row)


def _scale(end: float, top: float, bottom: float) -> Iterator[str]:
    for quarter in range(5):
        x = _x(end * quarter / 4, end)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 8:.1f}" y2="{bottom:.1f}"/>'
        yield _text(x, top + 2, f"{end * quarter * 250:.0f} ms", "small", "middle" if quarter else "start")


def _row(span: Span, depth: int, origin: float, end: float, top: float) -> Iterator[str]:
    left = _x(span.start - origin, end)
    width = max(_x(span.start - origin + span.duration, end) - left, LEAST_BAR)
    yield _text(MARGIN + 14 * depth, top + 12, span.name.rpartition("/")[2], "")
    yield _text(MARGIN + 14 * depth, top + 25, f"{span.service} · {span.duration * 1000:.1f} ms", "small")
    colour = (
        COLOURS["red"] if span.failed else COLOURS.get(str(span.tags.get("span.kind")), COLOURS["internal"])
    )
    yield f'<rect x="{left:.1f}" y="{top + 1:.1f}" width="{width:.1f}" height="13" rx="2" fill="{colour}"/>'
    for at, name in span.events:
        x = _x(span.start - origin + at, end)
        yield (
            f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 1:.1f}" y2="{top + 16:.1f}">'
            f"<title>{escape(name)} {at * 1000:.1f} ms</title></line>"
        )
    yield _text(LABELS, top + 26, _cut(facts(span)), "small")


def _x(seconds: float, end: float) -> float:
    return LABELS + (WIDTH - LABELS - 2 * MARGIN) * (seconds / end if end else 0.0)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
