"""Colours: how each colour word looks, and how it darkens and lightens."""

from __future__ import annotations

from functools import cache

HEX = {
    "black": "#2b2a30",
    "white": "#fbfaf7",
    "cream": "#f0dfb8",
    "grey": "#858b94",
    "brown": "#744a30",
    "tan": "#cf9f6b",
    "red": "#d2232f",
    "burgundy": "#74162f",
    "pink": "#f18fb3",
    "orange": "#f07f28",
    "yellow": "#f6cd3a",
    "green": "#3f9350",
    "turquoise": "#35b8b4",
    "blue": "#3279d0",
    "navy": "#26356f",
    "purple": "#7f4bab",
    "gold": "#d3a43c",
    "silver": "#bcc2cc",
}
METALLIC = ("gold", "silver")
LINING = "#e9d9c2"
RUBBER = "#f4f1ea"
WOOD = "#c99a66"
BACKDROPS = ("#dfe7ee", "#efe6dc", "#e2ece3", "#f0e1e3", "#e6e3f0", "#e6e8ea")


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@cache
def mix(colour: str, other: str, share: float) -> str:
    """`share` of the other colour stirred into the first."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def darker(colour: str, share: float) -> str:
    """Shade: towards a warm near-black, which looks less dirty than towards pure black."""
    return mix(colour, "#17121c", share)


def lighter(colour: str, share: float) -> str:
    """Light: towards white."""
    return mix(colour, "#ffffff", share)


def brightness(colour: str) -> float:
    """Perceived lightness from 0 to 1."""
    red, green, blue = _channels(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def outline(colour: str) -> str:
    """The contour that keeps a shape readable: darker, except around near-black."""
    return lighter(colour, 0.1) if brightness(colour) < 0.12 else darker(colour, 0.55)


def gradient(name: str, stops: list[tuple[float, str]], box: str = 'x1="0" y1="0" x2="0" y2="1"') -> str:
    """A linear gradient definition."""
    inner = "".join(f'<stop offset="{at:.2f}" stop-color="{colour}"/>' for at, colour in stops)
    return f'<linearGradient id="{name}" {box}>{inner}</linearGradient>'
