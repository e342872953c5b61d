"""What the upper is made of: the shading, texture and printed pattern laid over its colour.

A material shows in two ways, as on a real shoe: how sharply it mirrors the light, and how its surface is
built.
"""

from __future__ import annotations

import math

from .draw_curves import Curve, bezier, group, spline, stroked
from .draw_palette import METALLIC, brightness, darker, gradient, lighter
from .draw_shape import Silhouette
from .draw_textures import pattern_tile, texture_tile

# How strongly light pools on the ridge, how dark the underside goes, and whether stitches show.
GLOSS = {
    "leather": 0.75,
    "suede": 0.0,
    "patent": 1.0,
    "canvas": 0.12,
    "mesh": 0.25,
    "glitter": 0.3,
    "satin": 0.9,
    "lace": 0.25,
    "rubber": 0.45,
}
STITCHED = ("leather", "canvas", "mesh", "suede")


def _stripes(top: float, accent: str) -> str:
    """Slanting stripes as one path; a turned tile would be many times slower to fill."""
    lean = -0.3 * top
    bars = "".join(f"M{x} 8l{lean:.0f} {top - 8:.0f}h7.6l{-lean:.0f} {8 - top:.0f}Z" for x in range(-110, 300, 17))
    return f'<path d="{bars}" fill="{accent}"/>'


def definitions(colour: str, accent: str, material: str, pattern: str, top: float, name: str) -> str:
    """Gradients and tiles used by the upper."""
    weight = 0.45 if brightness(colour) > 0.78 else 1.0
    if name in METALLIC:
        stops = [
            (0, lighter(colour, 0.55)),
            (0.25, colour),
            (0.45, lighter(colour, 0.6)),
            (0.62, darker(colour, 0.12)),
            (0.8, lighter(colour, 0.25)),
            (1, darker(colour, 0.4 * weight)),
        ]
    elif material == "satin":
        stops = [
            (0, lighter(colour, 0.3)),
            (0.3, darker(colour, 0.06)),
            (0.5, lighter(colour, 0.42)),
            (0.68, colour),
            (1, darker(colour, 0.3 * weight)),
        ]
    elif material == "patent":
        stops = [
            (0, lighter(colour, 0.12)),
            (0.45, colour),
            (0.8, darker(colour, 0.3 * weight)),
            (1, darker(colour, 0.5 * weight)),
        ]
    elif material == "suede":
        stops = [(0, lighter(colour, 0.12)), (0.6, colour), (1, darker(colour, 0.18 * weight))]
    else:
        stops = [(0, lighter(colour, 0.2)), (0.5, colour), (1, darker(colour, 0.25 * weight))]
    box = f'gradientUnits="userSpaceOnUse" x1="0" y1="{top:.0f}" x2="24" y2="-6"'
    return gradient("upper", stops, box) + texture_tile(material, colour) + pattern_tile(pattern, colour, accent)


def _soft(curve: Curve, tone: str, widths: tuple[float, ...], strength: float) -> str:
    return "".join(stroked(curve, tone, width, f'stroke-opacity="{strength:.2f}"') for width in widths)


def _gleam(curve: Curve, width: float) -> str:
    """A tapered, sharp-edged reflection along a curve."""
    trail = curve.sample(9)
    upper = [(x, y - width * math.sin(math.pi * i / 8) * 0.5) for i, (x, y) in enumerate(trail)]
    lower = [(x, y + width * math.sin(math.pi * i / 8) * 0.5) for i, (x, y) in enumerate(trail)]
    return f'<path d="{spline(upper + lower[::-1][1:]).path()}Z" fill="#ffffff" '


def _folds(shape: Silhouette, colour: str) -> str:
    """Satin: bands of sheen that fall across the upper, each beside a band of shade."""
    out = ""
    strong = 0.6 if brightness(colour) < 0.2 else 1.0
    for share in (0.2, 0.5, 0.68, 0.88):
        x, y = shape.last.bed.at(share)
        fold = bezier((x - 18, y + 6), (x - 2, y - 12), (x - 10, y - 36), (x + 20, y - 70))
        out += _soft(fold, "#ffffff", (22, 14, 8, 3), 0.12 * strong)
        out += _soft(fold.moved(19, 2), "#0d0812", (14, 7), 0.06)
    return out


def dressing(shape: Silhouette, material: str, pattern: str, colour: str, accent: str) -> str:
    """Everything inside the outline of the upper: print, texture, shade and light."""
    area = f'x="-40" y="{shape.top - 60:.0f}" width="360" height="{80 - shape.top:.0f}"'
    out = []
    if pattern == "stripes":
        out.append(_stripes(shape.top - 60, accent))
    elif pattern != "plain":
        out.append(f'<rect {area} fill="url(#print)"/>')
    if material in ("suede", "glitter", "canvas", "mesh", "lace"):
        out.append(f'<rect {area} fill="url(#texture)"/>')
    gloss = GLOSS[material]
    depth = (0.05 if material in ("suede", "canvas") else 0.075) * (0.5 if brightness(colour) > 0.78 else 1.0)
    out.append(_soft(shape.last.bed, "#0d0812", (44, 29, 16, 7), 1.2 * depth))
    out.append(_soft(shape.counter, "#0d0812", (14, 6), 1.4 * depth))
    ridge = shape.ridge.part(0.05, 0.82)
    if material == "suede":
        out.append(_soft(ridge, "#ffffff", (12, 6), 0.1))
        return "".join(out)
    light = 1.25 if brightness(colour) < 0.25 else 1.0
    if gloss > 0:
        out.append(_soft(ridge.moved(-4, 10), "#ffffff", (16, 10, 5), 0.15 * gloss * light))
        out.append(_soft(shape.counter.part(0.25, 0.95).moved(14, 2), "#ffffff", (12, 6), 0.15 * gloss * light))
        if shape.throat:
            out.append(_soft(shape.throat.part(0.1, 0.8).moved(-22, 6), "#ffffff", (13, 6), 0.1 * gloss * light))
    if material == "satin":
        out.append(_folds(shape, colour))
    if material == "patent":
        out.append(_gleam(shape.ridge.part(0.08, 0.62).moved(-5, 10), 8.0) + 'fill-opacity="0.92"/>')
        out.append(_gleam(shape.ridge.part(0.7, 0.88).moved(-6, 9), 5.5) + 'fill-opacity="0.9"/>')
        back = shape.counter.part(0.3, 0.92).moved(11, 2)
        out.append(stroked(back, "#ffffff", 4.2, 'stroke-opacity="0.85"'))
        bed = shape.last.bed.part(0.08, 0.62).moved(0, -9)
        out.append(stroked(bed, "#ffffff", 3.0, 'stroke-opacity="0.28"'))
        if shape.throat:
            shaft = shape.throat.part(0.04, 0.5).moved(-17, 8)
            out.append(stroked(shaft, "#ffffff", 5.0, 'stroke-opacity="0.8"'))
    return "".join(out)


def seams(shape: Silhouette, material: str, colour: str) -> str:
    """Stitching, where the material is one that shows it."""
    if material not in STITCHED:
        return ""
    thread = lighter(colour, 0.55) if brightness(colour) < 0.6 else darker(colour, 0.35)
    dashes = 'stroke-dasharray="3.4 2.6" stroke-opacity="0.85"'
    return group("".join(stroked(seam, thread, 1.2, dashes) for seam in shape.seams), "")
