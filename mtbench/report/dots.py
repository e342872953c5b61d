"""Dots with intervals under each other, and points against time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtbench.evaluation.pictures import FAINT, MARKERS, PALETTE
from mtbench.report.blocks import Panel
from mtbench.report.gather import cut
from mtbench.report.plots import Point, told
from mtbench.report.svg import HEIGHT, Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LETTERS = 22


@dataclass(frozen=True)
class Dot:
    """One value in a row of dots; ``look`` is full or hollow."""

    number: int
    point: Point
    full: bool = True


def short(name: str) -> str:
    """A name that fits beside a plot."""
    return cut(name, LETTERS)


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
        axes.tick_params(axis="y", length=0, pad=7)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        if limits:
            axes.set_xlim(*limits)
            axes.axvline(0, color="#999999", linewidth=0.8, zorder=1)
        elif zero:
            low = min((d.point[1] for _, f in rows for d in f), default=0)
            axes.axvline(0, color="#555555", linewidth=0.9, zorder=1)
            if low >= 0:
                axes.set_xlim(left=0)

    said = "; ".join(f"{name} {', '.join(told(dot.point) for dot in found)}" for name, found in rows)
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
