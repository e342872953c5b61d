"""How the shoe is closed: laces, zip, buckle, velcro or elastic."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .draw_curves import Curve, Point, bezier, disc, filled, group, joined, line, spline, stroked
from .draw_palette import brightness, darker, lighter, outline
from .draw_shape import Silhouette

METAL_EDGE = "#6b4f16"


def band(curve: Curve, colour: str, width: float) -> str:
    """A strap: a contour, the strap itself and a soft light along it."""
    return (
        stroked(curve, outline(colour), width + 2.2)
        + stroked(curve, colour, width)
        + stroked(curve.moved(0, -0.18 * width), "#ffffff", 0.26 * width, 'stroke-opacity="0.3"')
    )


def buckle(centre: Point, size: float, turn: float = 0.0) -> str:
    """A metal frame with its prong."""
    x, y = centre
    w, h = size, size * 0.92
    frame = f'<rect x="{-w / 2:.1f}" y="{-h / 2:.1f}" width="{w:.1f}" height="{h:.1f}" rx="2.4" fill="none" '
    inside = (
        f'{frame}stroke="{METAL_EDGE}" stroke-width="4.6"/>{frame}stroke="#f3d98b" stroke-width="2.8"/>'
        f'<path d="M{-w / 2:.1f} 0L{w / 2 - 1:.1f} 0" stroke="{METAL_EDGE}" stroke-width="3"/>'
        f'<path d="M{-w / 2:.1f} -0.3L{w / 2 - 1:.1f} -0.3" stroke="#f8e6ad" stroke-width="1.5"/>'
    )
    return group(inside, f'transform="translate({x:.1f} {y:.1f}) rotate({turn:.0f})"')


def _zip(track: Curve, colour: str) -> str:
    """Teeth along a track, and a puller hanging at its top."""
    x, y = track.start
    steel = 'stroke="#555b66" stroke-width="1"'
    tape = darker(colour, 0.5) if brightness(colour) > 0.25 else lighter(colour, 0.22)
    return (
        stroked(track, tape, 7.5)
        + stroked(track, "#e9ebef", 3.6, 'stroke-dasharray="1.7 1.9" stroke-linecap="butt"')
        + f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" rx="1.5" fill="#d6d9df" {steel}/>'
        + f'<rect x="{x - 2:.1f}" y="{y + 2.5:.1f}" width="4" height="10" rx="1.8" fill="#eceef2" {steel}/>'
    )


def _laces(throat: Curve, lace: str, low: float, high: float, bow: bool) -> str:
    """Criss-crossed laces between the front edge and a row of eyelets, tied in a bow."""
    edge = outline(lace)
    count = max(4, round(abs(throat.at(high)[1] - throat.at(low)[1]) / 15) + 2)
    shares = [low + (high - low) * i / (count - 1) for i in range(count)]
    near, far = [], []
    for share in shares:
        (ax, ay), (bx, by) = throat.at(max(share - 0.02, 0)), throat.at(min(share + 0.02, 1))
        length = math.hypot(bx - ax, by - ay) or 1.0
        tx, ty = (bx - ax) / length, (by - ay) / length
        x, y = throat.at(share)
        near.append((x - 15 * ty * -1 * -1, y + 15 * tx))
        far.append((x + 2.5 * ty, y - 2.5 * tx))
    out = ""
    rungs = []
    for i in range(count):
        rungs.append(line(near[i], far[i]))
        if i + 1 < count:
            rungs.append(line(near[i], far[i + 1]))
    out += stroked(rungs, edge, 5.0) + stroked(rungs, lace, 3.3)
    out += "".join(disc(p, 2.7, "#e3e6ea", 'stroke="#4c4a52" stroke-width="1.1"') for p in near)
    if bow:
        x, y = far[0][0] - 3, far[0][1] + 3
        loops = [
            bezier((x, y), (x - 10, y - 15), (x - 27, y - 8), (x, y)),
            bezier((x, y), (x + 6, y - 16), (x + 25, y - 12), (x, y)),
            bezier((x, y), (x - 4, y + 9), (x - 14, y + 11), (x - 15, y + 20)),
            bezier((x, y), (x + 4, y + 8), (x + 8, y + 12), (x + 6, y + 22)),
        ]
        out += stroked(loops, edge, 4.6) + stroked(loops, lace, 3.0)
        out += disc((x, y), 3.0, lace, f'stroke="{edge}" stroke-width="0.9"')
    return out


def _tabs(throat: Curve, shares: tuple[float, ...], colour: str, reach: float) -> str:
    """Velcro: wide tabs over the throat with a stitched box at the end."""
    out = ""
    for share in shares:
        x, y = throat.at(share)
        tab = spline([(x + 5, y - 3), (x - 0.45 * reach, y + 0.36 * reach), (x - 0.92 * reach, y + 0.86 * reach)])
        out += stroked(tab, outline(colour), 17.5, 'stroke-linecap="butt"')
        out += stroked(tab, colour, 15.0, 'stroke-linecap="butt"')
        out += stroked(
            tab.part(0.5, 0.92),
            lighter(colour, 0.6) if brightness(colour) < 0.6 else darker(colour, 0.4),
            9.0,
            'stroke-linecap="butt" stroke-opacity="0.25"',
        )
        thread = lighter(colour, 0.6) if brightness(colour) < 0.6 else darker(colour, 0.45)
        out += stroked(tab.part(0.06, 0.92).moved(-4.0, -4.0), thread, 1.0, 'stroke-dasharray="2.6 2"')
        out += stroked(tab.part(0.06, 0.92).moved(4.0, 4.0), thread, 1.0, 'stroke-dasharray="2.6 2"')
    return out


def _gore(shape: Silhouette, colour: str) -> str:
    """The elastic panel of a pull-on shoe with a throat."""
    assert shape.throat is not None
    x, y = shape.side
    y = shape.throat.at(0.0)[1] + 6
    elastic = darker(colour, 0.45) if brightness(colour) > 0.25 else lighter(colour, 0.22)
    tall = 56.0 if shape.throat.at(1.0)[1] - y > 74 else 34.0
    panel = bezier((x - 17, y), (x - 14, y + tall * 0.6), (x - 9, y + tall), (x, y + tall))
    other = bezier((x, y + tall), (x + 9, y + tall), (x + 14, y + tall * 0.6), (x + 17, y))
    out = filled(joined(panel, other), elastic, f'stroke="{outline(elastic)}" stroke-width="1"')
    for k in range(-2, 3):
        out += stroked(
            line((x + 5.2 * k, y + 2), (x + 3.2 * k, y + tall * (0.94 - 0.09 * abs(k)))),
            lighter(elastic, 0.3),
            1.0,
            'stroke-opacity="0.8"',
        )
    return out


def closure(shape: Silhouette, shoe: Mapping[str, str], colour: str, accent: str) -> str:
    """The closure, as this kind of shoe wears it."""
    kind = shoe["closure"]
    throat = shape.throat
    last = shape.last
    if throat is None:
        if kind == "zip":
            x, y = shape.counter.at(0.93)
            return _zip(spline([(x + 13, y + 5), (x + 11, y + 24), (x + 12, y + 44)]), colour)
        if kind == "buckle" and shoe["strap"] in ("none", "slingback"):
            return _instep(shape, shoe, colour)
        return ""
    boot = shoe["category"] in ("boots", "rain_boots")
    if kind == "laces":
        return _laces(throat, accent, 0.12 if boot else 0.06, 0.95, True)
    if kind == "velcro":
        return _tabs(throat, (0.28, 0.8), accent, 30)
    if kind == "slip-on":
        return _gore(shape, colour) if not boot or shoe["category"] == "boots" else _pulls(shape, accent)
    if kind == "zip":
        top = shape.pieces[0].points[0]
        start = throat.at(0.0)
        if not boot:
            trail = throat.part(0.05, 0.95).moved(-7, 8)
            return _zip(trail, colour)
        x = 44.0
        return _zip(
            spline([(x + 1, start[1] + 10), (x - 1, 0.5 * (start[1] + last.heel_y) - 10), (x + 3, top[1] - 28)]),
            colour,
        )
    x, y = throat.at(0.72 if boot else 0.5)
    back = shape.counter.at(0.62)
    strap = spline([(x + 2, y), (0.55 * x + 0.45 * back[0], 0.55 * y + 0.45 * back[1] + 9), (back[0] + 2, back[1] + 2)])
    spot = strap.at(0.42)
    return band(strap, accent, 11) + buckle(spot, 20, -8)


def _pulls(shape: Silhouette, accent: str) -> str:
    """Rain boots are pulled on by two loops."""
    (ax, ay), (bx, by) = shape.rims[0].start, shape.rims[0].end
    out = ""
    for x, y in ((ax + 12, ay + 3), (bx - 12, by + 4)):
        loop = bezier((x - 6, y + 14), (x - 9, y - 20), (x + 9, y - 20), (x + 6, y + 14))
        out += stroked(loop, outline(accent), 7.2) + stroked(loop, accent, 5.0)
    return out


def _instep(shape: Silhouette, shoe: Mapping[str, str], colour: str) -> str:
    """A band over the instep of a low shoe, closed by a buckle."""
    last = shape.last
    if shoe["category"] == "clogs":
        x, y = shape.ridge.at(0.12)
        strap = spline([(x + 4, y - 1), (x + 4, y + 22), last.above(x - 4, 6)])
        return band(strap, darker(colour, 0.25), 13) + buckle(strap.at(0.45), 19, 90)
    x = last.ball - 34
    strap = spline([last.above(x - 4, 16), last.above(x + 2, 40), last.above(x + 12, 58), last.above(x + 24, 62)])
    return band(strap, colour, 12) + buckle(strap.at(0.34), 18, -72)
