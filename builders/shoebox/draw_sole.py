"""What is under the foot: outsole, platform, and the heel in its shape."""

from __future__ import annotations

from collections.abc import Mapping

from .draw_curves import Curve, bezier, filled, joined, line, spline, stroked
from .draw_last import Last
from .draw_palette import RUBBER, WOOD, darker, gradient, lighter, outline

DARK_SOLE = "#4a3a33"


def _forefoot(last: Last) -> Curve:
    """The sole of a lifted shoe: full thickness under the ball, a thin shank under the arch."""
    shank = last.bed.part(last.bed.share_at(last.ball - 30), last.bed.share_at(40)).moved(0, 4)
    below = joined(
        bezier(
            (last.toe - 2, -last.tread - 6),
            (last.toe - 2, -0.5 * last.tread - 5),
            (last.toe - 14, -3),
            (last.toe - 42, 0),
        ),
        line((last.toe - 42, 0.0), (last.ball - 2, 0.0)),
        bezier((last.ball - 2, 0.0), (last.ball - 16, 0.0), (last.ball - 22, shank.start[1] * 0.8), shank.start),
        shank,
    )
    return joined(last.bed.part(0, last.bed.share_at(40)).reversed(), below)


def _slab(last: Last, sport: bool) -> Curve:
    """The sole of a flat shoe, down to the ground from heel to toe."""
    back = -8.0 if sport else -3.0
    bottom = joined(
        bezier(
            (last.toe - 1, -last.tread - 5),
            (last.toe + 2, -0.4 * last.tread - 4),
            (last.toe - 12, 0),
            (last.toe - 40, 0),
        ),
        line((last.toe - 40, 0.0), (10.0, 0.0)),
        bezier((10.0, 0.0), (back + 2, 0.0), (back - 1, -0.4 * last.tread), (back + 1, last.heel_y - 1)),
    )
    return joined(last.bed.reversed(), bottom)


def _heel(last: Last, kind: str, wide: float) -> Curve:
    """The outline of the heel block, closed along the bed."""
    y = last.heel_y
    tall = -y
    inner = 50.0 + wide
    back = (-2.0, y - 1)
    attach = (inner, last.bed.y_at(inner) + 3)
    if kind == "stiletto":
        foot, attach = 11.0 + 0.03 * last.lift, (40.0, last.bed.y_at(40) + 3)
        return joined(
            bezier(back, (4, y + 0.2 * tall), (foot - 1, y + 0.42 * tall), (foot, 0)),
            line((foot, 0), (foot + 6, 0)),
            bezier((foot + 6, 0), (foot + 6, -0.5 * tall), (foot + 8, attach[1] + 0.1 * tall), attach),
            line(attach, (2, y)),
        )
    if kind == "cone":
        return joined(
            bezier(back, (0, y + 0.3 * tall), (8, y + 0.7 * tall), (12, 0)),
            line((12, 0), (33, 0)),
            bezier((33, 0), (37, -0.4 * tall), (47, attach[1] + 0.2 * tall), attach),
            line(attach, (2, y)),
        )
    return joined(
        bezier(back, (-2, y + 0.3 * tall), (2, y + 0.8 * tall), (3, 0)),
        line((3, 0), (43.0 + wide, 0)),
        bezier((43.0 + wide, 0), (43 + wide, -0.4 * tall), (45 + wide, attach[1] + 0.12 * tall), attach),
        line(attach, (2, y)),
    )


def _shade(name: str, colour: str) -> str:
    return gradient(
        name,
        [(0, darker(colour, 0.22)), (0.3, lighter(colour, 0.22)), (0.62, colour), (1, darker(colour, 0.32))],
        'x1="0" y1="0" x2="1" y2="0.12"',
    )


def under(last: Last, shoe: Mapping[str, str], accent: str) -> str:
    """Sole and heel, drawn before the upper."""
    category = shoe["category"]
    sport = category in ("sneakers", "athletic_shoes")
    out = []
    if category == "clogs":
        sole, heel = WOOD, WOOD
    elif sport:
        sole, heel = RUBBER, RUBBER
    elif category == "rain_boots":
        sole, heel = accent, accent
    else:
        sole, heel = (DARK_SOLE if shoe["sole"] == "thin" else accent), accent
    out.append(
        "<defs>"
        + _shade("heel", heel)
        + gradient("sole", [(0, lighter(sole, 0.16)), (0.5, sole), (1, darker(sole, 0.28))])
        + "</defs>"
    )
    edge = f'stroke="{outline(sole)}" stroke-width="1.4" stroke-linejoin="round"'
    if shoe["heel shape"] == "wedge":
        edge = f'stroke="{outline(heel)}" stroke-width="1.4" stroke-linejoin="round"'
        block = _slab(last, False)
        out.append(filled(block, "url(#heel)", edge))
        out.append(_heel_details(last, shoe, block, heel))
    elif last.lift:
        wide = 10.0 if category in ("clogs", "rain_boots", "boots") and shoe["heel shape"] == "block" else 0.0
        block = _heel(last, shoe["heel shape"], wide)
        rim = f'stroke="{outline(heel)}" stroke-width="1.4" stroke-linejoin="round"'
        out.append(filled(block, "url(#heel)", rim))
        out.append(filled(_forefoot(last), "url(#sole)", edge))
        out.append(_heel_details(last, shoe, block, heel))
    else:
        out.append(filled(_slab(last, sport), "url(#sole)", edge))
    out.append(_sole_details(last, shoe, accent))
    return "".join(out)


def _heel_details(last: Last, shoe: Mapping[str, str], block: Curve, colour: str) -> str:
    kind = shoe["heel shape"]
    if kind == "wedge":
        lines = []
        steps = max(2, round(-last.heel_y / 11))
        for i in range(1, steps):
            y = last.heel_y * i / steps
            trail = [p for p in last.bed.sample(60) if p[1] <= y + 1]
            if trail and shoe["category"] not in ("sneakers", "rain_boots"):
                lines.append(stroked(line((1.0, y), (trail[0][0] - 3, y)), darker(colour, 0.3), 1.0, 'opacity="0.7"'))
        return "".join(lines)
    left = {"stiletto": 11.0 + 0.03 * last.lift, "cone": 12.0}.get(kind, 3.0)
    right = {"stiletto": left + 6, "cone": 33.0}.get(kind, max(p[0] for p in block.points if p[1] > -0.5))
    return filled(line((left - 0.6, -4.0), (right + 0.4, -4.0), (right, 0.0), (left, 0.0)), "#2a2528")


def _sole_details(last: Last, shoe: Mapping[str, str], accent: str) -> str:
    category = shoe["category"]
    out = []
    tread = last.tread
    flat_from = 6.0 if not last.lift or shoe["heel shape"] == "wedge" else last.ball - 6
    if category in ("sneakers", "athletic_shoes"):
        inset = (
            last.bed.part(0.02, 1.0).moved(0, 0.42 * tread)
            if not last.lift
            else last.bed.part(0.02, 0.5).moved(0, 0.42 * tread)
        )
        out.append(stroked(inset, accent, 2.2 + 0.1 * tread, 'stroke-linecap="butt"'))
        bottom = line((flat_from + 2, -1.6), (last.toe - 38, -1.6))
        out.append(stroked(bottom, accent if category == "athletic_shoes" else "#b98a5c", 3.4))
    elif category in ("rain_boots", "boots") and tread > 10:
        bottom = line((flat_from, -1.4), (last.toe - 40, -1.4))
        out.append(stroked(bottom, "#1f1c22", 4.0, 'stroke-dasharray="8 3.4" opacity="0.75" stroke-linecap="butt"'))
    elif category == "clogs":
        for k in range(1, 3):
            grain = line(
                (flat_from, -tread * k / 3),
                (0.5 * (flat_from + last.toe), -tread * k / 3 - 1),
                (last.toe - 40, -tread * k / 3),
            )
            out.append(stroked(grain, darker(WOOD, 0.3), 1.0, 'opacity="0.55"'))
        out.append(stroked(line((flat_from, -1.2), (last.toe - 38, -1.2)), "#5a3d2a", 2.6))
    elif tread > 8:
        welt = spline([(last.toe - 8, -tread + 1), (last.ball + 20, -tread + 4.5), (last.ball - 12, -tread + 5)])
        out.append(stroked(welt, lighter(accent, 0.45), 1.3, 'opacity="0.8"'))
        out.append(stroked(line((flat_from, -1.0), (last.toe - 40, -1.0)), "#2a2528", 2.0))
    return "".join(out)
