"""Draw a shoe: compose the parts into one SVG picture, render it, and lay pictures out on a sheet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import lru_cache

import resvg_py
from PIL import Image

from .draw_curves import bezier, dotted, filled, joined, line, oval, stroked
from .draw_details import closure
from .draw_ornaments import ornament
from .draw_palette import BACKDROPS, HEX, LINING, RUBBER, darker, gradient, lighter, outline
from .draw_shape import Silhouette, build
from .draw_sole import under
from .draw_straps import straps
from .draw_surface import definitions, dressing, seams

WIDE, HIGH = 400.0, 300.0
ROUND = 'stroke-linecap="round" stroke-linejoin="round"'


def _svg(content: str, width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {WIDE:.0f} {HIGH:.0f}">{content}</svg>'
    )


def _render(text: str, width: int, height: int) -> Image.Image:
    data = resvg_py.svg_to_bytes(svg_string=text, width=width, height=height, skip_system_fonts=True)
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGBA")


def _room(scene: int) -> str:
    """A soft studio background."""
    backdrop = BACKDROPS[scene % len(BACKDROPS)]
    return (
        '<defs><radialGradient id="room" gradientUnits="userSpaceOnUse" cx="200" cy="120" r="290">'
        f'<stop offset="0" stop-color="{lighter(backdrop, 0.62)}"/>'
        f'<stop offset="0.6" stop-color="{lighter(backdrop, 0.1)}"/>'
        f'<stop offset="1" stop-color="{darker(backdrop, 0.1)}"/></radialGradient></defs>'
        '<rect x="-400" y="-300" width="1200" height="900" fill="url(#room)"/>'
    )


@lru_cache(maxsize=16)
def _backdrop(scene: int, width: int, height: int) -> Image.Image:
    """The background alone: the same few serve every picture, and filling one is a third of the work."""
    return _render(_svg(_room(scene), width, height), width, height)


def _shadow(left: float, right: float, ground: float) -> str:
    """The shadow on the ground, and the darker line where the shoe touches it."""
    middle, reach = 0.5 * (left + right), 0.5 * (right - left)
    return (
        '<defs><radialGradient id="shade"><stop offset="0" stop-color="#1d1822" stop-opacity="0.5"/>'
        '<stop offset="0.55" stop-color="#1d1822" stop-opacity="0.24"/>'
        '<stop offset="1" stop-color="#1d1822" stop-opacity="0"/></radialGradient></defs>'
        + oval((middle + 4, ground + 3), reach * 1.12, 15, "url(#shade)")
        + oval((middle + 2, ground), reach * 0.98, 6, "url(#shade)")
    )


def _linings(shape: Silhouette, category: str) -> str:
    lining = LINING if category not in ("athletic_shoes", "sneakers") else "#e4e6ea"
    tint = gradient("inside", [(0, darker(lining, 0.1)), (1, darker(lining, 0.45))])
    edge = f'stroke="{darker(lining, 0.6)}" stroke-width="1.1" stroke-linejoin="round"'
    out = [f"<defs>{tint}</defs>"]
    bed = shape.last.bed
    if category in ("high_heels", "clogs") or shape.sling or shape.last.toe_kind == "open":
        insole = bed.part(0.02, 1.0).moved(0, -2)
        out.append(stroked(insole, darker(lining, 0.6), 6.4) + stroked(insole, lighter(lining, 0.25), 4.4))
    out += [filled(piece, "url(#inside)", edge) for piece in shape.linings]
    return "".join(out)


def _panels(shape: Silhouette, shoe: Mapping[str, str], colour: str, accent: str) -> str:
    """Pieces sewn onto the upper that tell one kind of shoe from another."""
    category = shoe["category"]
    last = shape.last
    out = []
    if category in ("sneakers", "athletic_shoes"):
        cap, foxing = shape.panels
        tone = RUBBER if category == "sneakers" else accent
        toe = joined(
            cap.reversed(),
            shape.ridge.part(0.42, 1.0).moved(3, -1),
            line(last.bed.start, last.above(cap.end[0], 0)),
        )
        if category == "athletic_shoes":
            low = [last.above(cap.end[0] - 16, 0), last.above(cap.end[0] + 4, 17)]
            edge = joined(
                bezier(low[0], (low[0][0] + 4, low[0][1] - 10), (low[1][0] - 4, low[1][1]), low[1]),
                bezier(
                    low[1],
                    (low[1][0] + 16, low[1][1] - 2),
                    (last.toe - 16, low[1][1] - 6),
                    (last.toe + 4, low[1][1] - 14),
                ),
            )
            toe = joined(edge, line((last.toe + 4, low[1][1] - 14), (last.toe + 6, -last.tread)), last.bed)
        out.append(filled(toe, tone, f'stroke="{outline(tone)}" stroke-width="1.1"'))
        heel = joined(foxing, line((-20.0, foxing.end[1]), (-20.0, last.heel_y), last.above(50, 0)))
        out.append(filled(heel, accent, f'stroke="{outline(accent)}" stroke-width="1.1"'))
        if category == "athletic_shoes":
            wave = joined(
                bezier(
                    last.above(58, 12),
                    last.above(92, 16),
                    last.above(112, 34),
                    last.above(last.ball - 20, 62),
                ),
                line(last.above(last.ball - 20, 62), last.above(last.ball - 6, 56)),
                bezier(last.above(last.ball - 6, 56), last.above(130, 24), last.above(100, 2), last.above(58, 12)),
            )
            out.append(filled(wave, accent, f'stroke="{outline(accent)}" stroke-width="1"'))
    elif category == "rain_boots":
        band = last.bed.moved(0, -7)
        out.append(stroked(band, darker(colour, 0.4), 1.6, 'stroke-opacity="0.6"'))
        cap, foxing = shape.panels
        out.append(stroked(cap, darker(colour, 0.45), 1.5, 'stroke-opacity="0.7"'))
    elif category == "boots":
        for panel in shape.panels:
            out.append(stroked(panel.moved(1.5, 1.5), darker(colour, 0.45), 1.6, 'stroke-opacity="0.6"'))
    return "".join(out)


def _trim(shape: Silhouette, shoe: Mapping[str, str], accent: str) -> str:
    """The accent-coloured binding along the opening; pearls on a wedding shoe."""
    category = shoe["category"]
    width = {"boots": 6.5, "rain_boots": 10.0, "sneakers": 6.0, "athletic_shoes": 8.0, "clogs": 6.0}.get(category, 4.6)
    out = ""
    for rim in shape.rims:
        out += stroked(rim, outline(accent), width + 1.8) + stroked(rim, accent, width)
        out += stroked(rim.moved(0, -0.2 * width), "#ffffff", 0.25 * width, 'stroke-opacity="0.35"')
        if category == "wedding_shoes":
            out += dotted(rim.moved(0, 2), 6.4, 8.6, "#ddd8cd", "#a09a90", "#ffffff")
    return out


def _frame(shape: Silhouette, shoe: Mapping[str, str]) -> tuple[float, float, float]:
    """Scale and offset that set the shoe comfortably in the picture."""
    top = shape.top - (8 if shoe["strap"] in ("none", "slingback") else 44)
    top = min(top, shape.vamp[1] - 22)
    left, right = -10.0, shape.last.toe + 4
    scale = min(340 / (right - left), 244 / -top, 1.42)
    ground = 0.5 * HIGH + 0.5 * scale * -top + 4
    return scale, 0.5 * WIDE - 0.5 * scale * (left + right), min(ground, 281.0)


def _shoe(shoe: Mapping[str, str]) -> str:
    """The shoe and its shadow, without background."""
    colour, accent = HEX[shoe["colour"]], HEX[shoe["accent"]]
    shape = build(shoe)
    scale, x, y = _frame(shape, shoe)
    clip = "".join(f'<path d="{piece.path()}Z"/>' for piece in shape.pieces)
    defs = definitions(colour, accent, shoe["material"], shoe["pattern"], shape.top, shoe["colour"])
    behind, front = straps(shape, shoe, colour, accent)
    edge = f'stroke="{outline(colour)}" stroke-width="1.7" stroke-linejoin="round"'
    body = [
        f'<defs>{defs}<clipPath id="cut">{clip}</clipPath></defs>',
        behind,
        under(shape.last, shoe, accent),
        _linings(shape, shoe["category"]),
    ]
    if shape.tongue is not None:
        body.append(filled(shape.tongue, darker(colour, 0.15), edge))
    body += [filled(piece, "url(#upper)") for piece in shape.pieces]
    inside = dressing(shape, shoe["material"], shoe["pattern"], colour, accent) + _panels(shape, shoe, colour, accent)
    body.append(f'<g clip-path="url(#cut)">{inside}{seams(shape, shoe["material"], colour)}</g>')
    contour = f'fill="none" stroke="{outline(colour)}" stroke-width="1.5" stroke-linejoin="round"'
    body += [f'<path d="{piece.path()}Z" {contour}/>' for piece in shape.pieces]
    body.append(_trim(shape, shoe, accent))
    body.append(closure(shape, shoe, colour, accent))
    body.append(front)
    body.append(ornament(shape, shoe, accent))
    shadow = _shadow(x, x + scale * shape.last.toe, y)
    return f'{shadow}<g transform="translate({x:.2f} {y:.2f}) scale({scale:.4f})" {ROUND}>{"".join(body)}</g>'


def svg(attributes: Mapping[str, str], *, width: int, height: int, scene: int = 0) -> str:
    """The whole picture as SVG text; `scene` varies the background, which no attribute names."""
    return _svg(_room(scene) + _shoe(attributes), width, height)


def draw(attributes: Mapping[str, str], *, width: int, height: int, scene: int = 0) -> Image.Image:
    """The whole picture, rendered."""
    shoe = _render(_svg(_shoe(attributes), width, height), width, height)
    return Image.alpha_composite(_backdrop(scene % len(BACKDROPS), width, height), shoe).convert("RGB")


def contact_sheet(images: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures side by side on white, `columns` to a row."""
    if not images or columns < 1:
        raise ValueError("A contact sheet needs at least one image and one column.")
    margin = 6
    wide, high = max(i.width for i in images), max(i.height for i in images)
    rows = -(-len(images) // columns)
    size = (columns * (wide + margin) + margin, rows * (high + margin) + margin)
    sheet = Image.new("RGB", size, "white")
    for n, image in enumerate(images):
        row, column = divmod(n, columns)
        sheet.paste(image, (margin + column * (wide + margin), margin + row * (high + margin)))
    return sheet
