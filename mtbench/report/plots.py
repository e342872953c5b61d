"""The few kinds of plot there are: lines with bands, and bars by group.

Values come as shares and are drawn in per cent. A colour and a shape stand for the same result everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mtbench.evaluation.leak_picture import HATCHES
from mtbench.evaluation.pictures import MARKERS, PALETTE
from mtbench.report.blocks import Panel
from mtbench.report.shape import is_interval, is_number
from mtbench.report.svg import Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INTERVAL = " interval"
DASHES = {"": "-", "dashed": (0, (4, 2)), "dotted": (0, (1, 1.6))}

Point: TypeAlias = tuple[float, float, float]
"""A value, and the ends of its interval, in per cent; the value thrice where it has none."""


@dataclass(frozen=True)
class Line:
    """Points of one result by their place on the axis; those in ``few`` carry no claim, and are hollow."""

    name: str
    number: int
    points: Mapping[int, Point]
    dash: str = ""
    band: bool = True
    few: frozenset[int] = frozenset()


def point(row: Mapping[str, Any], name: str, scale: float = 100.0) -> Point | None:
    """What a row of a study says of a measure; None where it says nothing."""
    value, interval = row.get(name), row.get(name + INTERVAL)
    if not is_number(value):
        return None
    low, high = interval if is_interval(interval) else (value, value)
    return scale * value, scale * low, scale * high


def lines(
    canvas: Canvas,
    title: str,
    drawn: Sequence[Line],
    ticks: Sequence[str],
    *,
    limits: tuple[float, float] | None = None,
    alt: str = "",
) -> Panel:
    """Lines with bands over a few places; ``ticks`` names them."""

    numbers = sorted({line.number for line in drawn})
    step = 0.02 * max(1, len(ticks) - 1)  # so that equal points stand beside each other

    def draw(axes: Axes) -> None:
        for line in drawn:
            every = sorted(line.points)
            shift = (numbers.index(line.number) - (len(numbers) - 1) / 2) * step
            places = [place + shift for place in every]
            values, low, high = zip(*(line.points[place] for place in every), strict=True)
            look: dict[str, Any] = {"color": PALETTE[line.number], "clip_on": False}
            main = line.dash == ""
            axes.plot(
                places,
                values,
                linestyle=DASHES[line.dash],
                marker=MARKERS[line.number],
                markevery=[at for at, place in enumerate(every) if place not in line.few],
                linewidth=1.8 if main else 1.2,
                markersize=5.5 if main else 3,
                zorder=3 if main else 2.5,
                **look,
            )
            hollow = [place for place in every if place in line.few and main]
            if hollow:
                axes.plot(
                    [place + shift for place in hollow],
                    [line.points[place][0] for place in hollow],
                    linestyle="",
                    marker=MARKERS[line.number],
                    markerfacecolor="white",
                    zorder=3.2,
                    **look,
                )
            if line.band and len(places) > 1:
                axes.fill_between(places, low, high, color=PALETTE[line.number], alpha=0.13, linewidth=0)
            elif line.band:
                axes.vlines(places, low, high, color=PALETTE[line.number], linewidth=1.2)
        _places(axes, ticks)
        _height(axes, limits)

    said = "; ".join(f"{line.name} {_way(line)}" for line in drawn if line.dash == "")
    return canvas.panel(title, f"{title}. {alt}{said}", draw)


def bars(
    canvas: Canvas,
    title: str,
    drawn: Sequence[Line],
    ticks: Sequence[str],
    *,
    limits: tuple[float, float] | None = None,
) -> Panel:
    """Bars side by side at each place, with intervals; below zero hangs down."""
    width = 0.8 / max(1, len(drawn))

    def draw(axes: Axes) -> None:
        for order, line in enumerate(drawn):
            places = [place + (order - (len(drawn) - 1) / 2) * width for place in sorted(line.points)]
            values, low, high = zip(*(line.points[place] for place in sorted(line.points)), strict=True)
            axes.bar(
                places,
                values,
                width * 0.9,
                color=PALETTE[line.number],
                hatch=HATCHES[line.number % len(HATCHES)],
                edgecolor="white",
                linewidth=0,
            )
            axes.vlines(places, low, high, color="#333333", linewidth=1)
        axes.axhline(0, color="#555555", linewidth=0.9)
        axes.set_xlim(-0.5, len(ticks) - 0.5)
        _places(axes, ticks)
        _height(axes, limits)

    return canvas.panel(title, f"{title}. " + "; ".join(f"{line.name} {_way(line)}" for line in drawn), draw)


def limits_of(groups: Sequence[Sequence[Line]], *, zero: bool = True) -> tuple[float, float]:
    """The same ends of the axis for panels that are to be compared.

    All values are within. Intervals of few transactions may reach beyond, where there are others.
    """
    every_line = [line for group in groups for line in group]
    sure = [p for line in every_line for at, p in line.points.items() if at not in line.few]
    values = [p[0] for line in every_line for p in line.points.values()]
    every = [*values, *(end for p in sure or [p for line in every_line for p in line.points.values()] for end in p)]
    low, high = min([*every, 0.0] if zero else every), max([*every, 0.0] if zero else every)
    room = max(0.06 * (high - low), 0.5)
    return (low - room if low < 0 or not zero else 0.0), high + room


def _height(axes: Axes, limits: tuple[float, float] | None) -> None:
    axes.grid(axis="y")
    if limits:
        axes.set_ylim(*limits)


def _places(axes: Axes, ticks: Sequence[str]) -> None:
    axes.set_xticks(range(len(ticks)), list(ticks))
    axes.tick_params(axis="x", length=0)
    if len(ticks) == 1:
        axes.set_xlim(-0.5, 0.5)


def told(point: Point) -> str:
    """A value and its interval in words."""
    value, low, high = point
    return f"{value:.1f}" + (f" ({low:.1f} to {high:.1f})" if (low, high) != (value, value) else "")


def _way(line: Line) -> str:
    return ", ".join(f"{line.points[place][0]:.1f}" for place in sorted(line.points))
