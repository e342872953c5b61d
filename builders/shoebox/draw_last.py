"""The last: the foot form a shoe is built on, and the toe in its shape.

Coordinates are the shoe's own: the back of the heel is x = 0, the toe points to larger x, the ground is y = 0
and up is negative.  A curve called `bed` is the line the foot stands on, from the toe back to the heel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .draw_curves import Curve, Point, bezier, joined, spline

LIFT = {"flat": 0.0, "low": 22.0, "mid": 42.0, "high": 63.0, "very high": 86.0}
TREAD = {"thin": 4.0, "thick": 13.0, "platform": 26.0}
CHUNKY = {"athletic_shoes": 9.0, "sneakers": 8.0, "rain_boots": 6.0, "clogs": 14.0, "boots": 3.0}
SEAT = 46.0


@dataclass(frozen=True)
class Last:
    """The foot form: how high the heel is lifted, how thick the sole is, where ball and toe are."""

    lift: float
    tread: float
    ball: float
    toe: float
    bed: Curve
    toe_kind: str

    @property
    def heel_y(self) -> float:
        return -self.tread - self.lift

    def above(self, x: float, height: float) -> Point:
        """The point a height above the foot bed."""
        return x, self.bed.y_at(x) - height


def make_last(shoe: Mapping[str, str]) -> Last:
    """Place heel, ball and toe: a lifted heel shortens the foot seen from the side."""
    lift = LIFT[shoe["heel height"]]
    tread = TREAD[shoe["sole"]] + CHUNKY.get(shoe["category"], 0.0)
    ball = math.sqrt(160.0**2 - lift**2)
    kind = shoe["toe"]
    toe = ball + {"round": 76.0, "pointed": 100.0, "square": 72.0, "open": 78.0}[kind]
    spring = 5.0
    drop = 0.17 * lift
    seat = (SEAT, -tread - lift + drop)
    span = ball - SEAT
    reach = 0.3 * span
    bed = joined(
        bezier((toe - 5, -tread - spring), (toe - 26, -tread - 1), (ball + 34, -tread), (ball, -tread)),
        bezier((ball, -tread), (ball - 0.42 * span, -tread), (SEAT + reach, seat[1] + reach * drop / SEAT), seat),
        bezier(seat, (SEAT * 0.6, seat[1] - drop * 0.4), (12, -tread - lift + 1), (0, -tread - lift)),
    )
    return Last(lift, tread, ball, toe, bed, kind)


def toe_line(last: Last, start: Point, bulk: float = 1.0) -> Curve:
    """From the throat over the vamp to the front end of the bed, in the shape the toe asks for."""
    x0, y0 = start
    bottom = last.bed.start
    width = last.toe - x0
    height = bottom[1] - y0

    def at(share: float, level: float) -> Point:
        return x0 + share * width, bottom[1] - level * height

    if last.toe_kind == "pointed":
        return joined(
            spline([start, at(0.28, 0.76), at(0.58, 0.45), at(0.84, 0.2), at(0.985, 0.075)]),
            bezier(at(0.985, 0.075), at(1.005, 0.05), at(0.99, 0.0), bottom),
        )
    if last.toe_kind == "square":
        return joined(
            spline([start, at(0.3, 0.86), at(0.62, 0.7), at(0.9, 0.59)]),
            bezier(at(0.9, 0.59), at(0.97, 0.57), at(1.0, 0.53), at(1.0, 0.46)),
            bezier(at(1.0, 0.46), at(1.0, 0.25), at(1.0, 0.05), bottom),
        )
    lift = 0.04 * bulk
    return joined(
        spline(
            [
                start,
                at(0.3, 0.86 + lift),
                at(0.6, 0.68 + 2 * lift),
                at(0.85, 0.43 + 2 * lift),
                at(0.985, 0.19),
            ]
        ),
        bezier(at(0.985, 0.19), at(1.01, 0.09), at(0.99, 0.0), bottom),
    )


@dataclass(frozen=True)
class Front:
    """The front half of an upper: its ridge from throat to tip, where it meets the bed, and any toe hole."""

    ridge: Curve
    bed_from: float
    holes: tuple[Curve, ...]


def front_of(last: Last, start: Point, bulk: float = 1.0) -> Front:
    """The toe, closed or cut open."""
    ridge = toe_line(last, start, bulk)
    if last.toe_kind != "open":
        return Front(ridge, 0.0, ())
    cut_x = last.toe - 31
    share = ridge.share_at(cut_x)
    edge_top = ridge.at(share)
    low_x = last.toe - 24
    edge_low = (low_x, last.bed.y_at(low_x))
    edge = bezier(edge_top, (edge_top[0] + 2, edge_top[1] + 8), (low_x - 13, edge_low[1] - 8), (low_x - 5, edge_low[1]))
    far = bezier(
        edge_top,
        (edge_top[0] + 11, edge_top[1] + 3),
        (low_x + 10, edge_low[1] - 12),
        (low_x + 5, edge_low[1]),
    )
    hole = joined(edge.reversed(), far)
    return Front(joined(ridge.part(0.0, share), edge), last.bed.share_at(low_x - 5), (hole,))
