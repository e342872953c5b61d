"""Ornaments: bow, flower, studs, pom-pom and jewelled brooch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from .draw_curves import Point, bezier, disc, dotted, filled, group, joined, oval, stroked
from .draw_palette import brightness, darker, lighter, outline
from .draw_shape import Silhouette


def _bow(accent: str) -> str:
    edge = f'stroke="{outline(accent)}" stroke-width="1.3" stroke-linejoin="round"'
    tails = filled(
        joined(
            bezier((-2, 0), (-8, 8), (-12, 14), (-15, 22)),
            bezier((-15, 22), (-10, 20), (-7, 20), (-5, 24)),
            bezier((-5, 24), (-3, 14), (0, 8), (2, 0)),
        ),
        darker(accent, 0.2),
        edge,
    )
    tails += filled(
        joined(
            bezier((-1, 0), (3, 8), (6, 15), (6, 23)),
            bezier((6, 23), (9, 19), (12, 19), (16, 21)),
            bezier((16, 21), (13, 12), (8, 6), (3, 0)),
        ),
        darker(accent, 0.2),
        edge,
    )
    left = filled(
        joined(bezier((0, 0), (-8, -15), (-25, -16), (-25, -3)), bezier((-25, -3), (-25, 11), (-10, 10), (0, 0))),
        accent,
        edge,
    )
    right = filled(
        joined(bezier((0, 0), (8, -15), (25, -16), (25, -3)), bezier((25, -3), (25, 11), (10, 10), (0, 0))),
        accent,
        edge,
    )
    folds = "".join(
        stroked(bezier((s * 5, -1), (s * 10, -5), (s * 15, -6), (s * 20, -5)), darker(accent, 0.4), 1.3)
        for s in (-1, 1)
    )
    light = "".join(
        stroked(
            bezier((s * 9, -9), (s * 14, -11), (s * 19, -10), (s * 22, -6)),
            "#ffffff",
            1.8,
            'stroke-opacity="0.5"',
        )
        for s in (-1, 1)
    )
    knot = f'<rect x="-5" y="-6" width="10" height="12" rx="4" fill="{lighter(accent, 0.12)}" {edge}/>'
    return tails + left + right + folds + light + knot


def _flower(accent: str) -> str:
    edge = f'stroke="{outline(accent)}" stroke-width="1.1"'
    out = ""
    for ring, (count, reach, size, tone) in enumerate(
        ((6, 11.5, 8.2, darker(accent, 0.12)), (5, 6.0, 6.0, lighter(accent, 0.22)))
    ):
        for k in range(count):
            turn = 360 * k / count + 24 * ring
            petal = oval((0, -reach), size * 0.78, size, tone, edge)
            out += group(petal, f'transform="rotate({turn:.0f})"')
    heart = "#f6cd3a" if brightness(accent) < 0.62 or accent == "#fbfaf7" else "#b4622a"
    return out + disc((0, 0), 4.4, heart, f'stroke="{darker(heart, 0.5)}" stroke-width="1"')


@cache
def _pom(accent: str) -> str:
    """A ball of yarn ends in four tones (one path each: a path per yarn end would be slow)."""
    rng = np.random.default_rng(3)
    tones = (lighter(accent, 0.35), accent, darker(accent, 0.3), lighter(accent, 0.15))
    yarn = [""] * len(tones)
    for i in range(170):
        angle = rng.uniform(0, 2 * math.pi)
        reach = 18.5 * math.sqrt(rng.uniform(0.02, 1))
        c, s = math.cos(angle), math.sin(angle)
        yarn[i % 4] += f"M{reach * c:.1f} {reach * s:.1f}l{4 * c:.1f} {4 * s:.1f}"
    return disc((0, 1), 16, darker(accent, 0.25)) + "".join(
        f'<path d="{d}" stroke="{tone}" stroke-width="2" stroke-linecap="round"/>'
        for d, tone in zip(yarn, tones, strict=True)
    )


def _jewel(accent: str) -> str:
    """A brooch: an oval stone in the accent colour inside a ring of small brilliants."""
    out = oval((0, 0), 17.5, 13.5, "#c9a24c", 'stroke="#6b4f16" stroke-width="1.2"')
    for k in range(14):
        a = 2 * math.pi * k / 14
        out += disc((14.2 * math.cos(a), 10.4 * math.sin(a)), 2.7, "#f4f8ff", 'stroke="#8e97ab" stroke-width="0.7"')
    stone = accent if brightness(accent) > 0.2 else "#3a3550"
    out += oval((0, 0), 9.6, 6.8, stone, f'stroke="{darker(stone, 0.6)}" stroke-width="1"')
    out += filled(
        bezier((-6, -1), (-4, -6), (3, -6), (4, -4), (1, -3), (-3, -3), (-6, -1)),
        "#ffffff",
        'fill-opacity="0.8"',
    )
    return out + '<path d="M12 -14l1.4 4 4 1.4 -4 1.4 -1.4 4 -1.4 -4 -4 -1.4 4 -1.4Z" fill="#ffffff"/>'


def _studs(shape: Silhouette, shoe: Mapping[str, str]) -> str:
    """A row of pyramid studs where the upper meets the sole, and round a boot's opening."""
    category = shoe["category"]
    last = shape.last
    low = last.bed.share_at(last.toe - 26)
    high = 1.0
    if category == "clogs":
        high = last.bed.share_at(88)
    elif category == "high_heels":
        high = last.bed.share_at(last.ball - 34)
    elif shoe["strap"] == "slingback":
        high = last.bed.share_at(0.5 * (46 + last.ball) + 4)
    rows = [last.bed.part(low, high * 0.97).moved(0, -8)]
    if shape.throat is not None:
        rows.append(shape.rims[0].part(0.06, 0.94).moved(0, 13))
    return "".join(dotted(row, 6.4, 10.5, "#8d8f98", "#3c3a42", "#eef0f4") for row in rows)


def _anchor(shape: Silhouette, shoe: Mapping[str, str]) -> tuple[Point, float]:
    """Where a single ornament sits, and how large."""
    if shape.throat is None:
        x, y = shape.ridge.at(0.16)
        return (x - 1, y + 2), 0.95
    if shoe["category"] in ("boots", "rain_boots"):
        if shoe["closure"] == "zip" or (shoe["closure"] == "slip-on" and shoe["category"] == "boots"):
            x, y = shape.throat.at(0.88)  # the side of the shaft is taken
            return (x - 8, y + 7), 1.0
        return shape.side, 1.05
    return (shape.side[0] - 28, shape.side[1] - 2), 0.9


def ornament(shape: Silhouette, shoe: Mapping[str, str], accent: str) -> str:
    """The ornament, drawn last so that nothing hides it."""
    kind = shoe["ornament"]
    if kind == "none":
        return ""
    if kind == "studs":
        return _studs(shape, shoe)
    drawings: dict[str, Callable[[str], str]] = {
        "bow": _bow,
        "flower": _flower,
        "pom-pom": _pom,
        "jewel": _jewel,
    }
    drawing = drawings[kind](accent)
    (x, y), size = _anchor(shape, shoe)
    return group(drawing, f'transform="translate({x:.1f} {y:.1f}) scale({size})"')
