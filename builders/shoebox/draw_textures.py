"""Repeating tiles: the structure of each material and each printed pattern."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from .draw_curves import disc
from .draw_palette import brightness, darker, lighter


def _tile(name: str, size: float, content: str, tall: float = 0.0) -> str:
    return (
        f'<pattern id="{name}" width="{size:.1f}" height="{tall or size:.1f}" patternUnits="userSpaceOnUse">'
        f"{content}</pattern>"
    )


@cache
def _nap(light: bool) -> str:
    """Suede: short strokes in all directions, as a brushed hide has (one path per tone: far cheaper)."""
    rng = np.random.default_rng(11)
    strokes = ["", ""]
    for i in range(230):
        x, y = rng.uniform(0, 64, 2)
        angle = rng.normal(0.9, 0.5)
        length = rng.uniform(2.6, 5.4)
        strokes[i % 2] += f"M{x:.1f} {y:.1f}l{length * math.cos(angle):.1f} {length * math.sin(angle):.1f}"
    dark, bright = (0.15, 0.5) if light else (0.27, 0.2)
    out = f'<path d="{strokes[0]}" stroke="#2a1a14" stroke-width="1.4" stroke-opacity="{dark}"/>'
    out += f'<path d="{strokes[1]}" stroke="#ffffff" stroke-width="1.4" stroke-opacity="{bright}"/>'
    return _tile("texture", 64, out)


def _diamond(x: float, y: float, s: float, waist: float) -> str:
    w = s * waist
    return (
        f"M{x:.1f} {y - s:.1f}l{w:.1f} {s - w:.1f} {s - w:.1f} {w:.1f} {w - s:.1f} {w:.1f} "
        f"{-w:.1f} {s - w:.1f} "
        f"{-w:.1f} {w - s:.1f} {w - s:.1f} {-w:.1f} {s - w:.1f} {-w:.1f}Z"
    )


@cache
def _sparkle() -> str:
    """Glitter: many flecks, some in full flash."""
    rng = np.random.default_rng(7)
    tones = (("#ffffff", 0.9), ("#ffffff", 0.45), ("#140d1c", 0.4), ("#ffe9b0", 0.8), ("#cfe6ff", 0.75))
    flecks = [""] * len(tones)
    for i in range(190):
        x, y = rng.uniform(2, 58, 2)
        flecks[i % 5] += _diamond(float(x), float(y), float(rng.uniform(0.8, 1.9)), 0.5)
    for _ in range(10):
        x, y = rng.uniform(5, 55, 2)
        flecks[0] += _diamond(float(x), float(y), float(rng.uniform(2.6, 4.2)), 0.25)
    out = "".join(
        f'<path d="{d}" fill="{tone}" fill-opacity="{strength}"/>'
        for d, (tone, strength) in zip(flecks, tones, strict=True)
    )
    return _tile("texture", 60, out)


@cache
def _weave() -> str:
    """Canvas: over-and-under threads."""
    out = ""
    for x, y in ((0, 0), (3.2, 3.2)):
        out += f'<rect x="{x}" y="{y}" width="3.2" height="3.2" fill="#000000" fill-opacity="0.2"/>'
        out += f'<rect x="{x}" y="{3.2 - y}" width="3.2" height="3.2" fill="#ffffff" fill-opacity="0.17"/>'
    return _tile("texture", 6.4, out)


@cache
def _mesh() -> str:
    """Mesh: rows of open cells with a lit lower lip."""
    out = ""
    for x, y in ((2.5, 2.5), (7.5, 7.0)):
        out += f'<ellipse cx="{x}" cy="{y + 0.7}" rx="2.0" ry="2.2" fill="#ffffff" fill-opacity="0.5"/>'
        out += f'<ellipse cx="{x}" cy="{y}" rx="2.0" ry="2.1" fill="#15101a" fill-opacity="0.55"/>'
    return _tile("texture", 10, out, tall=9)


@cache
def _net(colour: str) -> str:
    """Lace: scalloped rings with small blossoms over a sheer ground."""
    thread = "#ffffff" if brightness(colour) < 0.78 else darker(colour, 0.34)
    out = ""
    for x, y in ((8.0, 8.0), (24.0, 8.0), (0.0, 22.0), (16.0, 22.0), (32.0, 22.0)):
        out += disc((x, y), 7, "none", f'stroke="{thread}" stroke-width="1.2" stroke-opacity="0.75"')
        for k in range(5):
            a = 2 * math.pi * k / 5
            out += disc((x + 3 * math.cos(a), y + 3 * math.sin(a)), 1.8, thread, 'fill-opacity="0.8"')
    bars = "M0 15L32 15M0 29L32 29M16 0L16 14"
    out += f'<path d="{bars}" stroke="{thread}" stroke-width="0.8" stroke-opacity="0.6"/>'
    return _tile("texture", 32, out, tall=29)


def texture_tile(material: str, colour: str) -> str:
    if material == "suede":
        return _nap(brightness(colour) > 0.7)
    if material == "glitter":
        return _sparkle()
    if material == "canvas":
        return _weave()
    if material == "mesh":
        return _mesh()
    if material == "lace":
        return _net(colour)
    return ""


def _blossom(x: float, y: float, r: float, petal: str, heart: str) -> str:
    out = ""
    for k in range(5):
        a = 2 * math.pi * k / 5 - 1.3
        out += disc((x + r * math.cos(a), y + r * math.sin(a)), 0.78 * r, petal)
    return out + disc((x, y), 0.62 * r, heart)


def _leopard(colour: str, accent: str) -> str:
    rng = np.random.default_rng(5)
    dark = darker(accent, 0.72) if brightness(colour) > 0.3 else lighter(accent, 0.45)
    out = ""
    for x, y in (
        (8, 8),
        (25, 5),
        (40, 11),
        (15, 23),
        (32, 24),
        (4, 36),
        (22, 39),
        (40, 37),
        (48, 24),
        (-4, 22),
    ):
        turn = rng.uniform(0, 180)
        out += (
            f'<g transform="translate({x} {y}) rotate({turn:.0f})">'
            f'<ellipse rx="5.4" ry="3.8" fill="{accent}" stroke="{dark}" stroke-width="2.6" '
            'stroke-dasharray="9 3.5 6 4"/></g>'
        )
    return _tile("print", 52, out, tall=46)


def pattern_tile(pattern: str, colour: str, accent: str) -> str:
    """The definition of a printed pattern, in the accent colour."""
    if pattern == "dots":
        return _tile("print", 21, disc((5.5, 5.5), 4.3, accent) + disc((16, 16), 4.3, accent))
    if pattern == "checks":
        bands = f'<rect width="10" height="20" fill="{accent}" fill-opacity="0.62"/>'
        bands += f'<rect width="20" height="10" fill="{accent}" fill-opacity="0.62"/>'
        return _tile("print", 20, bands)
    if pattern == "floral":
        leaf = "#4f8a4c" if brightness(colour) > 0.25 else "#7fb77a"
        heart = "#f7d25a" if accent != "#f6cd3a" else "#a5542b"
        out = f'<path d="M18 12q6 -6 10 -1q-5 4 -10 1ZM6 30q-6 4 -4 9q5 -3 4 -9Z" fill="{leaf}"/>'
        out += _blossom(11, 12, 5.2, accent, heart) + _blossom(31, 31, 5.2, accent, heart)
        out += _blossom(34, 8, 2.8, accent, heart) + _blossom(12, 35, 2.8, accent, heart)
        return _tile("print", 42, out)
    if pattern == "animal":
        return _leopard(colour, accent)
    return ""
