"""Silhouettes: the outline each kind of shoe has on its last, and the lines details are placed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .draw_curves import Curve, Point, bezier, joined, line, spline
from .draw_last import SEAT, Last, front_of, make_last

SHAFT = {"ankle": 100.0, "calf": 142.0, "knee": 196.0}


@dataclass(frozen=True)
class Silhouette:
    """Outlines of the upper, and the lines and anchors details are placed on."""

    last: Last
    pieces: tuple[Curve, ...]
    linings: tuple[Curve, ...]
    rims: tuple[Curve, ...]
    seams: tuple[Curve, ...]
    vamp: Point
    ridge: Curve
    counter: Curve
    throat: Curve | None = None
    tongue: Curve | None = None
    side: Point = (0.0, 0.0)
    sling: Point | None = None
    panels: tuple[Curve, ...] = field(default=())
    top: float = 0.0


def _court(last: Last, shoe: Mapping[str, str]) -> Silhouette:
    """A court shoe: one piece with an opening for the foot; the category sets how deep it is cut."""
    forward, height, waist = {
        "pumps": (-2.0, 52.0, 31.0),
        "flats": (14.0, 43.0, 28.0),
        "stiletto": (18.0, 42.0, 21.0),
    }.get(shoe["category"], (6.0, 47.0, 27.0))
    vamp = (last.ball + forward, -last.tread - height)
    front = front_of(last, vamp)
    back_top = (4 + 0.05 * last.lift, last.heel_y - 56)
    back = spline([(0.0, last.heel_y), (-5, last.heel_y - 15), (-4, last.heel_y - 36), back_top])
    middle = 0.5 * (SEAT + last.ball)
    rim = spline(
        [
            back_top,
            last.above(28, 49),
            last.above(middle - 4, waist + 2),
            last.above(last.ball - 24, waist + 2),
            vamp,
        ]
    )
    far = spline(
        [
            back_top,
            last.above(36, 55),
            last.above(middle + 4, waist + 17),
            last.above(last.ball - 12, waist + 13),
            vamp,
        ]
    )
    lining = joined(rim, far.reversed())
    bed = last.bed.part(front.bed_from, 1.0) if front.bed_from else last.bed
    toe_seam = front.ridge.at(0.45)
    cap = bezier(
        toe_seam,
        (toe_seam[0] - 10, toe_seam[1] + 12),
        (toe_seam[0] - 12, -last.tread - 14),
        (toe_seam[0] - 6, last.bed.y_at(toe_seam[0] - 6)),
    )
    if shoe["strap"] != "slingback":
        quarter = bezier(last.above(62, 39), last.above(66, 28), last.above(60, 12), last.above(52, 0))
        return Silhouette(
            last,
            (joined(back, rim, front.ridge, bed),),
            (lining, *front.holes),
            (rim,),
            (quarter, rim.moved(0, 6)),
            vamp,
            front.ridge,
            back,
            side=last.above(30, 26),
            top=back_top[1],
            panels=(cap,),
        )
    cut = middle - 14
    share = rim.share_at(cut)
    corner = rim.at(share)
    edge = bezier(last.above(cut + 18, 0), last.above(cut + 10, 8), last.above(cut + 2, 20), corner)
    open_rim = rim.part(share, 1.0)
    bed = last.bed.part(front.bed_from, last.bed.share_at(cut + 18))
    lining = joined(open_rim, far.part(far.share_at(cut + 12), 1.0).reversed())
    return Silhouette(
        last,
        (joined(edge, open_rim, front.ridge, bed),),
        (lining, *front.holes),
        (joined(edge, open_rim),),
        (edge.moved(6, 0).part(0.1, 0.8),),
        vamp,
        front.ridge,
        back,
        side=last.above(cut + 24, 22),
        sling=corner,
        top=back_top[1],
        panels=(cap,),
    )


def _sandal(last: Last, shoe: Mapping[str, str]) -> Silhouette:
    """An open-waisted evening shoe: a toe piece and, unless slung, a separate heel counter."""
    vamp = (last.ball + 4, -last.tread - 50)
    front = front_of(last, vamp)
    foot = last.ball - 40
    edge = bezier(last.above(foot, 0), last.above(foot + 6, 22), (last.ball - 16, -last.tread - 40), vamp)
    bed = last.bed.part(front.bed_from, last.bed.share_at(foot))
    far = bezier(last.above(foot + 20, 4), last.above(foot + 20, 30), (last.ball - 8, -last.tread - 56), vamp)
    linings = [joined(edge, far.reversed()), *front.holes]
    back_top = (4 + 0.05 * last.lift, last.heel_y - 58)
    back = spline([(0.0, last.heel_y), (-5, last.heel_y - 15), (-4, last.heel_y - 36), back_top])
    pieces = [joined(edge, front.ridge, bed)]
    rims = [edge]
    seams = [edge.moved(7, 2).part(0.1, 0.85)]
    sling: Point | None = edge.at(0.6)
    if shoe["strap"] != "slingback":
        sling = None
        rim = spline([back_top, last.above(24, 55), last.above(42, 34), last.above(60, 0)])
        far_rim = spline([back_top, last.above(34, 58), last.above(52, 36), last.above(66, 0)])
        pieces.append(joined(back, rim, last.bed.part(last.bed.share_at(60), 1.0)))
        linings.append(joined(rim, far_rim.reversed()))
        rims.append(rim)
        seams.append(rim.moved(-6, 5).part(0.1, 0.85))
    return Silhouette(
        last,
        tuple(pieces),
        tuple(linings),
        tuple(rims),
        tuple(seams),
        vamp,
        front.ridge,
        back,
        side=last.above(22, 26),
        sling=sling,
        top=back_top[1],
    )


def _clog(last: Last, shoe: Mapping[str, str]) -> Silhouette:
    """A backless clog with a high vamp on a wooden sole."""
    foot = 84.0
    top = last.above(foot + 14, 70)
    front = front_of(last, top, 2.2)
    edge = spline([last.above(foot - 2, 0), last.above(foot - 5, 26), last.above(foot + 1, 52), top])
    far = spline([last.above(foot - 2, 0), last.above(foot - 18, 26), last.above(foot - 12, 60), top])
    bed = last.bed.part(front.bed_from, last.bed.share_at(foot - 2))
    back_top = (2.0, last.heel_y - 50)
    back = line((0.0, last.heel_y), back_top)
    welt = last.bed.part(max(front.bed_from, 0.03), last.bed.share_at(foot)).moved(0, -6)
    return Silhouette(
        last,
        (joined(edge, front.ridge, bed),),
        (joined(edge, far.reversed()), *front.holes),
        (edge,),
        (edge.moved(7, 2), welt),
        front.ridge.at(0.25),
        front.ridge,
        back,
        side=last.above(foot + 26, 34),
        sling=edge.at(0.66) if shoe["strap"] == "slingback" else None,
        top=top[1] - 6,
    )


def _sneaker(last: Last, shoe: Mapping[str, str]) -> Silhouette:
    """A sports shoe: padded collar, tongue, throat for the closure; low or ankle-high."""
    high = shoe["shaft"] == "ankle"
    sport = shoe["category"] == "athletic_shoes"
    collar = 116.0 if high else (70.0 if sport else 62.0)
    back_top = (-3.0 if sport else 2.0, last.heel_y - collar)
    back = spline(
        [
            (0.0, last.heel_y),
            (-7, last.heel_y - 16),
            (-2, last.heel_y - 42),
            (1, last.heel_y - 0.8 * collar),
            back_top,
        ]
    )
    corner = (86.0, last.heel_y - collar - 4) if high else last.above(84, 86)
    dip = (42.0, last.heel_y - collar + 9) if high else (38.0, last.heel_y - collar + 15)
    rim = spline([back_top, (14.0, back_top[1] + 4), dip, (66.0, 0.6 * corner[1] + 0.4 * dip[1]), corner])
    end = (last.ball + 2, -last.tread - 53)
    bend = last.above(104, 74) if high else (0.5 * (corner[0] + end[0]), 0.5 * (corner[1] + end[1]) - 1)
    throat = spline([corner, (92.0, corner[1] + 26), bend, end]) if high else spline([corner, bend, end])
    front = front_of(last, end, 1.8 if sport else 2.4)
    head = [
        (corner[0] - 9, corner[1] + 10),
        (corner[0] - 8, corner[1] - 15),
        (corner[0] + 4, corner[1] - 22),
        (corner[0] + 13, corner[1] - 9),
        throat.moved(5, -3).at(0.2),
    ]
    tongue = joined(spline(head), throat.part(0.2, 1.0).moved(5, -3), throat.reversed())
    far = spline([back_top, (22.0, back_top[1] - 4), (50.0, dip[1] - 11), (70.0, corner[1] - 1), corner])
    foxing = bezier(last.above(50, 0), last.above(46, 22), last.above(30, 38), (0.0, last.heel_y - 48))
    cap = front.ridge.at(0.42)
    toe_cap = bezier(
        cap,
        (cap[0] - 6, cap[1] + 12),
        (cap[0] - 6, -last.tread - 12),
        (cap[0] + 2, last.bed.y_at(cap[0] + 2)),
    )
    return Silhouette(
        last,
        (joined(back, rim, throat, front.ridge, last.bed),),
        (joined(rim, far.reversed()),),
        (rim,),
        (throat.moved(-9, 9), foxing),
        end,
        front.ridge,
        back,
        throat=throat,
        tongue=tongue,
        side=last.above(64, 34),
        top=min(corner[1] - 20, back_top[1]),
        panels=(toe_cap, foxing),
    )


def _boot(last: Last, shoe: Mapping[str, str]) -> Silhouette:
    """A boot: the shaft rises from the heel to ankle, calf or knee."""
    rain = shoe["category"] == "rain_boots"
    height = SHAFT[shoe["shaft"]] + (10.0 if rain else 0.0)
    y = last.heel_y
    wide = 6.0 if rain else 0.0
    spread = {"ankle": 0.0, "calf": 8.0, "knee": 15.0}[shoe["shaft"]]
    back_top = (2.0 - spread - 0.5 * wide, y - height)
    front_top = (82.0 + 0.5 * spread + wide, y - height - 4)
    steps = [(0.0, y), (-5.0, y - 15), (-2.0, y - 40), (5.0 - wide, y - 72)]
    back = spline([*steps, back_top]) if height < 115 else spline([*steps, (2.0 - 0.6 * spread, y - 112), back_top])
    end = (last.ball + 2, -last.tread - 56)
    ankle = (81.0 + wide, y - 84)
    instep = (0.55 * ankle[0] + 0.45 * end[0] - 2, 0.42 * ankle[1] + 0.58 * end[1] + 4)
    throat = (
        spline([front_top, ankle, instep, end])
        if height < 115
        else spline([front_top, (83.0 + wide + 0.2 * spread, y - 118), ankle, instep, end])
    )
    front = front_of(last, end, 2.0)
    middle = 0.5 * (back_top[0] + front_top[0])
    rim = spline([back_top, (middle, back_top[1] + 5), front_top])
    far = spline([back_top, (middle, back_top[1] - 11), front_top])
    cap = front.ridge.at(0.2)
    vamp_seam = bezier(
        cap,
        (cap[0] - 26, cap[1] + 6),
        (cap[0] - 42, -last.tread - 24),
        (last.ball - 50, last.bed.y_at(last.ball - 50)),
    )
    foxing = bezier(last.above(54, 0), last.above(50, 24), last.above(36, 46), (-2.0, y - 50))
    return Silhouette(
        last,
        (joined(back, rim, throat, front.ridge, last.bed),),
        (joined(rim, far.reversed()),),
        (rim,),
        (vamp_seam, foxing),
        end,
        front.ridge,
        back,
        throat=throat,
        side=(middle + 8, back_top[1] + 34),
        top=back_top[1] - 10,
        panels=(vamp_seam, foxing),
    )


def build(shoe: Mapping[str, str]) -> Silhouette:
    """The silhouette of a shoe."""
    last = make_last(shoe)
    category = shoe["category"]
    if category in ("boots", "rain_boots"):
        return _boot(last, shoe)
    if category in ("sneakers", "athletic_shoes"):
        return _sneaker(last, shoe)
    if category == "clogs":
        return _clog(last, shoe)
    if category == "high_heels":
        return _sandal(last, shoe)
    return _court(last, shoe)
