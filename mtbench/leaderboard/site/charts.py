"""The drawings of a board: what a column of numbers does not show. Eight systems at most; the table has the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtbench.evaluation.pictures import FAINT, MARKERS, PALETTE
from mtbench.leaderboard.recompute import HEADLINE
from mtbench.leaderboard.site.tint import AXIS, tinted
from mtbench.leaderboard.standings import Row, Table
from mtbench.report.svg import SHAPES, Canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = len(PALETTE)
_WORDS: dict[str, Any] = {"color": "#888888", "fontsize": 8}


@dataclass(frozen=True)
class Key:
    """What a colour and shape stand for: its number in the palette, and the path of the shape."""

    title: str
    number: int
    shape: str


@dataclass(frozen=True)
class Charts:
    """Drawings of one table with their common key."""

    keys: Sequence[Key]
    panels: Sequence[Any]
    left_out: int


def charts(table: Table, canvas: Canvas) -> Charts:
    """All drawings that a table has numbers for."""
    rows = [placed.row for placed in table.rows[:MOST]]
    keys = [Key(row.description.title, i, SHAPES[MARKERS[i]]) for i, row in enumerate(rows)]
    every = [_by_turns(rows, canvas), _leaks(rows, canvas), _history(rows, canvas), _time(rows, canvas)]
    return Charts(keys, [panel for panel in every if panel is not None], len(table.rows) - len(rows))


def _by_turns(rows: Sequence[Row], canvas: Canvas) -> Any | None:
    """The headline by the number of turns, with intervals, each system a little to the side."""
    lengths = sorted({n for row in rows for n in row.scores["by_turns"]}, key=int)
    if len(lengths) < 2:
        return None
    parts = {n: next(row.scores["by_turns"][n] for row in rows if n in row.scores["by_turns"]) for n in lengths}

    def draw(axes: Axes) -> None:
        step = 0.62 / max(1, len(rows))
        for i, row in enumerate(rows):
            points = [(at, row.scores["by_turns"][n]) for at, n in enumerate(lengths) if n in row.scores["by_turns"]]
            places = [at + (i - (len(rows) - 1) / 2) * step for at, _ in points]
            for place, (_, part) in zip(places, points, strict=True):
                axes.vlines(place, *(100 * end for end in part["intervals"][HEADLINE]), color=PALETTE[i], linewidth=1.2)
            values = [100 * part["measures"][HEADLINE] for _, part in points]
            axes.plot(places, values, color=PALETTE[i], marker=MARKERS[i], markersize=4.5, linewidth=0.6)
        axes.set_xticks(range(len(lengths)), [_counted(n, parts[n]) for n in lengths])
        axes.tick_params(axis="x", length=0)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")

    told = _told(rows, lambda row: [f"{n} turns {_percent(p)}" for n, p in row.scores["by_turns"].items()])
    return _panel(canvas, "Mean by number of turns, with 95% intervals", told, draw)


def _counted(turns: str, part: Any) -> str:
    """A label below the axis."""
    return f"{turns} turns\nn = {part['n']:,}\n{part['clusters']:,} clusters"


def _leaks(rows: Sequence[Row], canvas: Canvas) -> Any | None:
    """What a system scores where it could have memorised, against where it could not."""
    shown = [(i, row) for i, row in enumerate(rows) if "clean" in row.scores and "leaked" in row.scores]
    if not shown:
        return None

    def draw(axes: Axes) -> None:
        most = 1.0
        for i, row in shown:
            (x, *xs), (y, *ys) = (_ends(row.scores[part]) for part in ("clean", "leaked"))
            axes.plot(xs, [y, y], color=PALETTE[i], linewidth=1)
            axes.plot([x, x], ys, color=PALETTE[i], linewidth=1)
            axes.plot([x], [y], color=PALETTE[i], marker=MARKERS[i], linestyle="", markersize=6)
            most = max(most, *xs, *ys)
        most *= 1.05
        axes.plot([0, most], [0, most], color=AXIS, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate("no gap", (most * 0.98, most * 0.9), ha="right", va="top", **_WORDS)
        axes.set(xlim=(0, most), ylim=(0, most), xlabel="mean, clean transactions", ylabel="mean, leaked")
        axes.grid(color=FAINT)

    told = _told(
        [row for _, row in shown],
        lambda row: [f"{part} {_percent(row.scores[part])}" for part in ("clean", "leaked")],
    )
    return _panel(canvas, "Memorisation: clean against leaked", told, draw)


def _history(rows: Sequence[Row], canvas: Canvas) -> Any | None:
    """What is left when only the last turns are shown, as the authors state it."""
    shown = [(i, row) for i, row in enumerate(rows) if row.description.history]
    if not shown:
        return None

    def draw(axes: Axes) -> None:
        places: set[int] = set()
        for i, row in shown:
            points = sorted((int(k), 100 * value) for k, value in row.description.history.items())
            axes.plot(*zip(*points, strict=True), color=PALETTE[i], marker=MARKERS[i], markersize=5, linewidth=1.4)
            places.update(k for k, _ in points)
        axes.set_xticks(sorted(places))
        axes.set(xlabel="last turns shown")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")

    told = _told(
        [row for _, row in shown],
        lambda row: [f"{k} turns {100 * v:.1f}" for k, v in sorted(row.description.history.items())],
    )
    return _panel(canvas, "Mean by how much history is shown (stated)", told, draw)


def _time(rows: Sequence[Row], canvas: Canvas) -> Any | None:
    """Score against time, with the front of those that nobody beats in both."""
    timed = [(i, row, row.description.milliseconds) for i, row in enumerate(rows)]
    shown = [(i, row, ms) for i, row, ms in timed if ms]
    if len(shown) < 2:
        return None
    front, best = [], -1.0
    for ms, mean in sorted(((ms, row.mean) for _, row, ms in shown), key=lambda one: (one[0], -one[1])):
        if mean > best:
            front.append((ms, 100 * mean))
            best = mean

    def draw(axes: Axes) -> None:
        axes.plot(*zip(*front, strict=True), color=AXIS, linewidth=1, linestyle=(0, (4, 3)), drawstyle="steps-post")
        for i, row, ms in shown:
            low, high = (100 * end for end in row.scores["intervals"][HEADLINE])
            axes.vlines(ms, low, high, color=PALETTE[i], linewidth=1)
            axes.plot([ms], [100 * row.mean], color=PALETTE[i], marker=MARKERS[i], linestyle="", markersize=6)
        if max(ms for _, _, ms in shown) > 5 * min(ms for _, _, ms in shown):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.set(xlabel="milliseconds for a transaction (stated)", ylabel="mean")
        axes.set_ylim(bottom=0)
        axes.grid()

    said = _told(
        [row for _, row, _ in shown], lambda row: [f"{100 * row.mean:.1f} in {row.description.milliseconds:g} ms"]
    )
    return _panel(canvas, "Mean against time; dashed, the Pareto front", said, draw)


def _panel(canvas: Canvas, title: str, told: str, draw: Callable[[Axes], None]) -> Any:
    panel = canvas.panel(title, f"{title}. {told}", draw, height=3.0)
    return tinted(str(panel.svg))


def _told(rows: Sequence[Row], of: Callable[[Row], list[str]]) -> str:
    """The numbers of a drawing in words, for who does not see it."""
    return "; ".join(f"{row.description.title}: {', '.join(of(row))}" for row in rows)


def _percent(part: Any) -> str:
    return f"{100 * part['measures'][HEADLINE]:.1f}"


def _ends(part: Any) -> tuple[float, float, float]:
    low, high = part["intervals"][HEADLINE]
    return 100 * part["measures"][HEADLINE], 100 * low, 100 * high
