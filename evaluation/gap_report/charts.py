"""Figures as inline SVG: colours come from the page's style sheet, so that light and dark are one drawing.

Knows numbers and pixels, and nothing of what they mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

Band = Sequence[tuple[float, float, float]]  # x, low, high
Line = Sequence[tuple[float, float]]

_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 20.0, 10.0, 34.0
_TICKS = 5


def px(value: float) -> str:
    """A coordinate as it is written.

    Example:
        >>> px(1.0), px(2.26)
        ('1', '2.3')
    """
    return f"{value:.1f}".removesuffix(".0")


def number(value: float) -> str:
    """A number as an axis shows it.

    Example:
        >>> number(0.2), number(-20.0), number(100_000.0)
        ('0.2', '-20', '100,000')
    """
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def ticks(low: float, high: float, count: int = _TICKS) -> list[float]:
    """Round numbers between two others.

    Example:
        >>> ticks(0.0, 1.0), ticks(-21.0, 21.0)
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [-20.0, -10.0, 0.0, 10.0, 20.0])
    """
    span = (high - low) or 1.0
    rough = span / count
    power = 10 ** math.floor(math.log10(rough))
    step = min((power * each for each in (1, 2, 5, 10)), key=lambda each: abs(each - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(float(place * step), 10) for place in range(first, last + 1)]


def words(x: float, y: float, text: str, style: str = "", anchor: str = "start", turned: bool = False) -> str:
    """A text, its middle at the height of a point.

    Example:
        >>> words(1, 2, "a < b")
        '<text class="" x="1" y="5.5" text-anchor="start">a &lt; b</text>'
    """
    turn = f' transform="rotate(-90 {px(x)} {px(y)})"' if turned else ""
    place = f'x="{px(x)}" y="{px(y + 3.5)}" text-anchor="{anchor}"{turn}'
    return f'<text class="{style}" {place}>{escape(text)}</text>'


def stroke(x: float, y: float, other_x: float, other_y: float, style: str) -> str:
    """A straight line."""
    return f'<line class="{style}" x1="{px(x)}" y1="{px(y)}" x2="{px(other_x)}" y2="{px(other_y)}"/>'


def point(x: float, y: float, style: str, radius: float, title: str = "") -> str:
    """A dot, with what is said when it is pointed at."""
    said = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle class="{style}" cx="{px(x)}" cy="{px(y)}" r="{radius:g}">{said}</circle>'


def drawing(width: float, height: float, name: str, parts: Sequence[str]) -> str:
    """An SVG of these parts."""
    head = f'<svg viewBox="0 0 {px(width)} {px(height)}" role="img" aria-label="{escape(name)}">'
    return "".join([head, *parts, "</svg>"])


@dataclass
class Plot:
    """A pair of axes that marks are put on."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    width: float = 420.0
    height: float = 300.0
    log_x: bool = False
    x_ticks: Sequence[float] | None = None
    _marks: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the drawing."""
        low, high = (math.log(each) if self.log_x else each for each in self.x)
        place = ((math.log(x) if self.log_x else x) - low) / ((high - low) or 1.0)
        rise = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1.0)
        return (
            _LEFT + place * (self.width - _LEFT - _RIGHT),
            self.height - _BOTTOM - min(1.0, max(0.0, rise)) * (self.height - _TOP - _BOTTOM),
        )

    def line(self, points: Line, style: str) -> None:
        """A line through points."""
        if points:
            self._marks.append(f'<polyline class="line {style}" points="{self._path(points)}"/>')

    def band(self, rows: Band, style: str) -> None:
        """An interval around a line."""
        if rows:
            outline = [(x, high) for x, _, high in rows] + [(x, low) for x, low, _ in reversed(rows)]
            self._marks.append(f'<polygon class="band {style}" points="{self._path(outline)}"/>')

    def dot(self, x: float, y: float, style: str, title: str = "", radius: float = 4.5) -> None:
        """A point."""
        self._marks.append(point(*self.at(x, y), style, radius, title))

    def svg(self, name: str) -> str:
        """The drawing, with its axes."""
        (left, bottom), (right, top) = self.at(self.x[0], self.y[0]), self.at(self.x[1], self.y[1])
        parts = []
        for value in ticks(*self.y):
            level = self.at(self.x[0], value)[1]
            parts += [stroke(left, level, right, level, "grid"), words(left - 6, level, number(value), anchor="end")]
        for value in self.x_ticks or ticks(*self.x):
            parts.append(words(self.at(value, self.y[0])[0], bottom + 12, number(value), anchor="middle"))
        parts.append(words((left + right) / 2, self.height - 7, self.x_label, "axis", "middle"))
        parts.append(words(11, (top + bottom) / 2, self.y_label, "axis", "middle", turned=True))
        return drawing(self.width, self.height, name, [*parts, *self._marks])

    def _path(self, points: Line) -> str:
        return " ".join(f"{px(x)},{px(y)}" for x, y in (self.at(*each) for each in points))


@dataclass(frozen=True)
class Bar:
    """A row of `bars`."""

    label: str
    style: str
    value: float
    low: float
    high: float


def bars(rows: Sequence[Bar], low: float = -0.25, high: float = 1.25) -> str:
    """Bars from 0 with their intervals; 0 and 1 are marked, and what lies beyond is cut."""
    label_width, width, row_height = 262.0, 720.0, 22.0
    height = row_height * len(rows) + 30

    def place(value: float) -> float:
        return label_width + (min(high, max(low, value)) - low) / (high - low) * (width - label_width - 52)

    parts = []
    for value, text in ((0.0, "null 0"), (1.0, "real 1")):
        parts.append(stroke(place(value), 20, place(value), height - 4, "mark"))
        parts.append(words(place(value), 9, text, "axis", "middle"))
    for number, row in enumerate(rows):
        middle = 22 + (number + 0.5) * row_height
        first, last = sorted((place(0.0), place(row.value)))
        box = f'x="{px(first)}" y="{px(middle - 7)}" width="{px(max(1.5, last - first))}" height="14" rx="3"'
        parts += [words(label_width - 10, middle, row.label, anchor="end"), f'<rect class="{row.style}" {box}/>']
        if not math.isnan(row.low + row.high):
            parts.append(stroke(place(row.low), middle, place(row.high), middle, "whisker"))
        parts.append(words(width - 2, middle, f"{row.value:.2f}", "value", "end"))
    return drawing(width, height, "gap closed, figure by figure", parts)


def ladder(left: Sequence[str], right: Sequence[str], styles: dict[str, str]) -> str:
    """A rank chart: the same names in two orders, the first at the top, joined by lines."""
    row, width, x, other_x = 28.0, 420.0, 145.0, 275.0
    parts = [words(x - 10, 10, "real", "axis", "end"), words(other_x + 10, 10, "dream", "axis")]
    for place, name in enumerate(left):
        y, other_y = 34 + place * row, 34 + right.index(name) * row
        style, middle = styles.get(name, ""), (x + other_x) / 2
        curve = f"M{px(x)} {px(y)} C{px(middle)} {px(y)} {px(middle)} {px(other_y)} {px(other_x)} {px(other_y)}"
        parts.append(f'<path class="line {style}" d="{curve}"/>')
        parts += [point(x, y, f"dot {style}", 4), point(other_x, other_y, f"dot {style}", 4)]
        parts += [words(x - 10, y, name, anchor="end"), words(other_x + 10, other_y, name)]
    return drawing(width, row * max(1, len(left)) + 22, "ranks, real and dream", parts)
