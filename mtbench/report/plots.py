"""The few kinds of plot there are: lines with bands, dots with intervals, bars by group, points against time.

Values come as shares and are drawn in per cent. A colour and a shape stand for the same result everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from mtbench.evaluation.leak_picture import HATCHES
from mtbench.evaluation.pictures import FAINT, MARKERS, PALETTE
from mtbench.report.blocks import Panel
from mtbench.report.shape import is_interval, is_number
from mtbench.report.svg import HEIGHT, Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INTERVAL = " interval"
DASHES = {"": "-", "dashed": (0, (4, 2)), "dotted": (0, (1, 1.6))}
LETTERS = 22

Point: TypeAlias = tuple[float, float, float]
"""A value, and the ends of its interval, in per cent; the value thrice where it has none."""


@dataclass(frozen=True)
class Line:
    """Points of one result by their place on the axis."""

    name: str
    number: int
    points: Mapping[int, Point]
    dash: str = ""
    band: bool = True


@dataclass(frozen=True)
class Dot:
    """One value in a row of dots; ``look`` is full or hollow."""

    number: int
    point: Point
    full: bool = True


def point(row: Mapping[str, Any], name: str, scale: float = 100.0) -> Point | None:
    """What a row of a study says of a measure; None where it says nothing."""
    value, interval = row.get(name), row.get(name + INTERVAL)
    if not is_number(value):
        return None
    low, high = interval if is_interval(interval) else (value, value)
    return scale * value, scale * low, scale * high


def short(name: str) -> str:
    """A name that fits beside a plot."""
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


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

    def draw(axes: Axes) -> None:
        for line in drawn:
            places = sorted(line.points)
            values, low, high = zip(*(line.points[place] for place in places), strict=True)
            look: dict[str, Any] = {"color": PALETTE[line.number], "clip_on": False}
            main = line.dash == ""
            axes.plot(
                places,
                values,
                linestyle=DASHES[line.dash],
                marker=MARKERS[line.number],
                linewidth=1.8 if main else 1.2,
                markersize=5.5 if main else 3,
                zorder=3 if main else 2.5,
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
    canvas: Canvas, title: str, drawn: Sequence[Line], ticks: Sequence[str], *, limits: tuple[float, float] | None = None
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


def dots(
    canvas: Canvas, title: str, rows: Sequence[tuple[str, Sequence[Dot]]], *, zero: bool = True, limits: Any = None
) -> Panel:
    """A row for each name, with one dot or several and their intervals, the first row at the top."""

    def draw(axes: Axes) -> None:
        for place, (_, found) in enumerate(rows):
            step = 0.5 / max(1, len(found))
            for order, dot in enumerate(found):
                height = place + (order - (len(found) - 1) / 2) * step
                value, low, high = dot.point
                color = PALETTE[dot.number]
                axes.hlines(height, low, high, color=color, linewidth=1.6, zorder=2)
                axes.plot(
                    [value],
                    [height],
                    color=color,
                    marker=MARKERS[dot.number],
                    markerfacecolor=color if dot.full else "white",
                    zorder=3,
                    clip_on=False,
                )
        axes.set_yticks(range(len(rows)), [short(name) for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        if limits:
            axes.set_xlim(*limits)
        elif zero:
            low = min((d.point[1] for _, f in rows for d in f), default=0)
            axes.axvline(0, color="#555555", linewidth=0.9, zorder=1)
            if low >= 0:
                axes.set_xlim(left=0)

    said = "; ".join(f"{name} {', '.join(_told(dot.point) for dot in found)}" for name, found in rows)
    height = min(9.0, max(1.35, 0.62 + 0.2 * sum(max(1.2, len(found)) for _, found in rows)))
    return canvas.panel(title, f"{title}. {said}", draw, height=height)


def scatter(canvas: Canvas, title: str, drawn: Sequence[tuple[str, int, float, Point]], label: str) -> Panel:
    """Points over a logarithmic axis; each is a name, a number, a time and a value."""

    def draw(axes: Axes) -> None:
        for _, number, time, (value, low, high) in drawn:
            axes.vlines(time, low, high, color=PALETTE[number], linewidth=1.4)
            axes.plot([time], [value], color=PALETTE[number], marker=MARKERS[number], markersize=7, zorder=3)
        axes.set_xscale("log")
        times = [time for _, _, time, _ in drawn]
        axes.set_xlim(min(times) / 2, max(times) * 2)
        axes.set_xlabel(label)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
        axes.set_ylim(bottom=0)
        axes.grid(color=FAINT)

    said = "; ".join(f"{name} {value[0]:.1f} at {time:.3g} ms" for name, _, time, value in drawn)
    return canvas.panel(title, f"{title}. {said}", draw, height=HEIGHT + 0.3)


def limits_of(groups: Sequence[Sequence[Line]], *, zero: bool = True) -> tuple[float, float]:
    """The same ends of the axis for panels that are to be compared."""
    every = [value for group in groups for line in group for p in line.points.values() for value in p]
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


def _told(point: Point) -> str:
    value, low, high = point
    return f"{value:.1f}" + (f" ({low:.1f} to {high:.1f})" if (low, high) != (value, value) else "")


def _way(line: Line) -> str:
    return ", ".join(f"{line.points[place][0]:.1f}" for place in sorted(line.points))
