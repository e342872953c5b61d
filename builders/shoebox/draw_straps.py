"""Straps: round the ankle, up the instep, crossed, or behind the heel."""

from __future__ import annotations

from collections.abc import Mapping

from .draw_curves import Curve, bezier, disc, spline
from .draw_details import band, buckle
from .draw_palette import darker, outline
from .draw_shape import Silhouette


def _loop(shape: Silhouette, colour: str) -> tuple[str, str, Curve]:
    """A band round the ankle: the far half, the near half with its tab, and the near curve."""
    x, y = shape.counter.at(1.0)
    left, right, middle = (x - 1, y - 20), (x + 76, y - 27), (x + 36, y - 24)
    far = bezier(left, (left[0] + 8, middle[1] - 16), (right[0] - 10, middle[1] - 18), right)
    near = bezier(left, (left[0] + 8, middle[1] + 14), (right[0] - 12, middle[1] + 15), right)
    tab = spline([(x + 5, y + 8), (x + 2, y - 8), (left[0] + 3, left[1] + 1)])
    return band(far, darker(colour, 0.35), 7), band(tab, colour, 9) + band(near, colour, 9), near


def _crossed(shape: Silhouette, colour: str) -> tuple[str, str]:
    """Two bands that cross over the instep on their way up to an ankle loop."""
    behind, front, near = _loop(shape, colour)
    (ax, ay), (bx, by) = shape.vamp, shape.rims[0].at(0.45 if len(shape.pieces) > 1 else 0.78)
    fore, aft = near.at(0.985), near.at(0.42)
    one = bezier((ax + 2, ay + 4), (ax - 10, ay - 14), (aft[0] + 46, aft[1] + 34), aft)
    two = bezier((bx - 2, by + 5), (bx - 6, by - 22), (fore[0] + 22, fore[1] + 34), fore)
    return behind, band(two, colour, 8.5) + band(one, colour, 8.5) + front


def straps(shape: Silhouette, shoe: Mapping[str, str], colour: str, accent: str) -> tuple[str, str]:
    """What straps add behind the upper, and what they add in front of it."""
    kind = shoe["strap"]
    last = shape.last
    buckled = shoe["closure"] == "buckle"
    if kind in ("ankle", "t-strap"):
        behind, front, near = _loop(shape, colour)
        if kind == "t-strap":
            x, y = shape.vamp
            end = near.at(0.86)
            stem = spline(
                [
                    (x + 4, y + 8),
                    (x - 10, y - 6),
                    (0.42 * x + 0.58 * end[0] + 6, 0.42 * y + 0.58 * end[1] + 9),
                    end,
                ]
            )
            front = band(stem, colour, 10) + front
        spot = near.at(0.45)
        front += (
            buckle((spot[0], spot[1]), 17, 4)
            if buckled
            else disc(near.at(0.9), 3.6, accent, f'stroke="{outline(accent)}" stroke-width="1.1"')
        )
        return behind, front
    if kind == "crossed":
        behind, front = _crossed(shape, colour)
        if buckled:
            x, y = shape.counter.at(1.0)
            front += buckle((x + 34, y - 13), 17, 4)
        return behind, front
    if kind == "slingback" and shape.sling is not None:
        x, y = shape.sling
        back = (-2.0, last.heel_y - 46)
        near = spline([(x + 3, y + 2), (0.45 * x, 0.45 * y + 0.55 * back[1] + 4), (10, back[1] + 1), back])
        far = spline([(x + 10, y - 8), (0.5 * x, 0.45 * y + 0.55 * back[1] - 10), (12, back[1] - 7), back])
        front = band(near, colour, 8.5)
        if buckled and shoe["category"] == "clogs":
            return band(far, darker(colour, 0.35), 6.5), front
        return band(far, darker(colour, 0.35), 6.5), front
    return "", ""
