"""Small Bezier toolkit: smooth curves through points, and the SVG tags built from them.

Drawing code describes outlines as the points a pencil would pass through; `spline` turns them into cubic
segments whose handles never overshoot their neighbours, which keeps silhouettes smooth at any size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]


def _text(value: float) -> str:
    return f"{value:.1f}"


@dataclass(frozen=True)
class Curve:
    """A chain of cubic segments: start, then (handle, handle, end) for each segment."""

    points: tuple[Point, ...]

    @property
    def start(self) -> Point:
        return self.points[0]

    @property
    def end(self) -> Point:
        return self.points[-1]

    def segments(self) -> str:
        """The path data after the first point."""
        rest = self.points[1:]
        parts = []
        for i in range(0, len(rest), 3):
            parts.append("C" + " ".join(f"{_text(x)} {_text(y)}" for x, y in rest[i : i + 3]))
        return "".join(parts)

    def path(self) -> str:
        """The path data of the open curve."""
        return f"M{_text(self.start[0])} {_text(self.start[1])}{self.segments()}"

    def reversed(self) -> Curve:
        return Curve(self.points[::-1])

    def moved(self, dx: float, dy: float) -> Curve:
        return Curve(tuple((x + dx, y + dy) for x, y in self.points))

    def at(self, t: float) -> Point:
        """The point at share t of the way, every segment taking an equal share."""
        count = (len(self.points) - 1) // 3
        place = min(max(t, 0.0), 1.0) * count
        index = min(int(place), count - 1)
        u = place - index
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.points[index * 3 : index * 3 + 4]
        v = 1 - u
        k0, k1, k2, k3 = v * v * v, 3 * v * v * u, 3 * v * u * u, u * u * u
        return k0 * ax + k1 * bx + k2 * cx + k3 * dx, k0 * ay + k1 * by + k2 * cy + k3 * dy

    def sample(self, count: int) -> list[Point]:
        return [self.at(i / (count - 1)) for i in range(count)]

    def y_at(self, x: float) -> float:
        """Height of the curve above or below x (curves used here never double back)."""
        trail = self.sample(40)
        for (ax, ay), (bx, by) in itertools.pairwise(trail):
            if min(ax, bx) <= x <= max(ax, bx) and ax != bx:
                return ay + (x - ax) / (bx - ax) * (by - ay)
        return min(trail, key=lambda p: abs(p[0] - x))[1]

    def share_at(self, x: float) -> float:
        """How far along the curve x is first reached."""
        trail = self.sample(81)
        for i, ((ax, _), (bx, _)) in enumerate(itertools.pairwise(trail)):
            if min(ax, bx) <= x <= max(ax, bx) and ax != bx:
                return (i + (x - ax) / (bx - ax)) / 80
        return 0.0 if abs(trail[0][0] - x) < abs(trail[-1][0] - x) else 1.0

    def part(self, low: float, high: float) -> Curve:
        """The smooth piece between two shares of the way."""
        return spline([self.at(low + (high - low) * i / 6) for i in range(7)])


def spline(points: Sequence[Point]) -> Curve:
    """A smooth curve through all points."""
    last = len(points) - 1
    tangents: list[Point] = []
    for i in range(len(points)):
        (ax, ay), (bx, by) = points[max(i - 1, 0)], points[min(i + 1, last)]
        length = math.hypot(bx - ax, by - ay) or 1.0
        tangents.append(((bx - ax) / length, (by - ay) / length))
    out = [points[0]]
    for i in range(last):
        (ax, ay), (bx, by) = points[i], points[i + 1]
        reach = math.hypot(bx - ax, by - ay) / 3
        out.append((ax + tangents[i][0] * reach, ay + tangents[i][1] * reach))
        out.append((bx - tangents[i + 1][0] * reach, by - tangents[i + 1][1] * reach))
        out.append((bx, by))
    return Curve(tuple(out))


def bezier(*points: Point) -> Curve:
    """A curve from explicit handles."""
    return Curve(points)


def line(*points: Point) -> Curve:
    """Straight segments through the points, with sharp corners."""
    out = [points[0]]
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        out += [((2 * ax + bx) / 3, (2 * ay + by) / 3), ((ax + 2 * bx) / 3, (ay + 2 * by) / 3), (bx, by)]
    return Curve(tuple(out))


def joined(*curves: Curve) -> Curve:
    """One curve out of several, with a straight bridge wherever two do not meet."""
    points = list(curves[0].points)
    for curve in curves[1:]:
        if math.dist(points[-1], curve.start) > 0.05:
            points += line(points[-1], curve.start).points[1:]
        points += curve.points[1:]
    return Curve(tuple(points))


def filled(curve: Curve, fill: str, extra: str = "") -> str:
    """A closed, filled outline."""
    return f'<path d="{curve.path()}Z" fill="{fill}" {extra}/>'


def stroked(curve: Curve | Sequence[Curve], colour: str, width: float, extra: str = "") -> str:
    """An open line (or several as one path); the picture's root makes ends and joins round."""
    curves = (curve,) if isinstance(curve, Curve) else curve
    data = "".join(c.path() for c in curves)
    return f'<path d="{data}" fill="none" stroke="{colour}" stroke-width="{width:.1f}" {extra}/>'


def dotted(curve: Curve, size: float, spacing: float, fill: str, edge: str, shine: str = "") -> str:
    """Round beads along a curve: zero-length dashes with round ends, far cheaper than many circles."""
    dash = f'stroke-dasharray="0 {spacing:.1f}"'
    out = stroked(curve, edge, size + 1.8, dash) + stroked(curve, fill, size, dash)
    return out + (stroked(curve.moved(-0.7, -0.8), shine, 0.6 * size, dash) if shine else "")


def disc(centre: Point, radius: float, fill: str, extra: str = "") -> str:
    """A filled circle."""
    return f'<circle cx="{_text(centre[0])}" cy="{_text(centre[1])}" r="{radius:.1f}" fill="{fill}" {extra}/>'


def oval(centre: Point, rx: float, ry: float, fill: str, extra: str = "") -> str:
    """A filled ellipse."""
    x, y = centre
    return f'<ellipse cx="{_text(x)}" cy="{_text(y)}" rx="{rx:.1f}" ry="{ry:.1f}" fill="{fill}" {extra}/>'


def group(content: str, extra: str) -> str:
    """Tags sharing a clip, an opacity or a transform."""
    return f"<g {extra}>{content}</g>"
