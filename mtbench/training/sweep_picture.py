"""The picture of a sweep: the score over the swept options, and over what it costs.

On the left the mean with its interval against the first option, a line for each value of the others (Table 5 of
FashionNTM); on the right against the milliseconds that a transaction takes (its Figure 8).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.pictures import MARKERS, PALETTE, new_figure, picture_bytes, style
from mtbench.features.needs import need
from mtbench.training.grid import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = len(PALETTE)
"""So many lines are drawn, those with the best points: more are not told apart."""

APART = 0.045
"""Lines stand so far beside each other, as a share of the smallest step, so that their intervals can be seen."""

Row = Mapping[str, Any]


def picture_lacks() -> str:
    """Why no picture can be drawn; empty where one can."""
    try:
        need("matplotlib", extra="report")
    except MtbenchError as error:
        return f"no picture: {error}"
    return ""


def draw_sweep(record: Row, suffixes: Sequence[str] = (".png", ".svg")) -> dict[str, bytes]:
    """The picture, as bytes by suffix; the same bytes from the same record.

    Args:
        record: of `mtbench.training.sweep.sweep`.
        suffixes: ``.png``, ``.svg``.

    Raises:
        MtbenchError: no combination has a score; matplotlib is not installed.
    """
    lines = _lines(record)
    if not lines:
        raise MtbenchError("no training of this sweep was finished, and so there is nothing to draw")
    shown = sorted(sorted(lines, key=lambda name: -max(row["mean"] for row in lines[name]))[:LINES], key=[*lines].index)
    first = next(iter(record["over"]))
    with style():
        figure, axes = new_figure(2, height=4.1)
        figure.suptitle(_title(record), x=0.01, ha="left", fontsize=9, color="#666666")
        places, ticks = scale(record["over"][first])
        for number, name in enumerate(shown):
            look = {"color": PALETTE[number], "marker": MARKERS[number]}
            shift = (number - (len(shown) - 1) / 2) * APART
            _scores(axes[0], lines[name], first, places, shift, look, name)
            _costs(axes[1], lines[name], first, places, look)
        axes[0].set_xticks(list(ticks), list(ticks.values()))
        axes[0].set_xlabel(first)
        axes[0].set_title(f"{record['split']}, mean of R@5 and R@8, %")
        axes[1].set_title(f"The same against time; beside each point its {first}")
        axes[1].set_xlabel("ms per transaction, turn by turn, on this machine")
        axes[1].set_ylim(axes[0].get_ylim())  # else noise on the right would look larger than on the left
        axes[1].set_xlim(0, 1.08 * max(row["ms_interactive"] for name in shown for row in lines[name]))
        for plot in axes:
            plot.grid(axis="y")
            plot.tick_params(length=0)
        if len(record["over"]) > 1:
            hidden = f" (best {len(shown)} of {len(lines)})" if len(shown) < len(lines) else ""
            rest = ", ".join([*record["over"]][1:])
            figure.legend(
                *axes[0].get_legend_handles_labels(),
                title=f"{rest}{hidden}",
                loc="outside lower left",
                ncols=min(len(shown), 8 if max(map(len, shown)) < 10 else 4),
                alignment="left",
            )
        return {suffix: picture_bytes(figure, suffix) for suffix in suffixes}


def scale(values: Sequence[Any]) -> tuple[dict[str, float], dict[float, str]]:
    """Where each value stands on an axis, by its text, and the texts of the ticks.

    Numbers that at least double stand as far apart as their logarithms, other numbers as themselves; what is no number
    stands side by side. The smallest step is 1.

    >>> scale([4, 1, 2])[0]
    {'4': 2.0, '1': 0.0, '2': 1.0}
    >>> scale([10, 30, 20])[0]
    {'10': 0.0, '30': 2.0, '20': 1.0}
    >>> scale(["none", "turn"])[0]
    {'none': 0.0, 'turn': 1.0}
    """
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    at = [float(value) for value in values] if numbers else [float(number) for number in range(len(values))]
    rising = sorted(at)
    if numbers and len(at) > 1 and rising[0] > 0 and all(b >= 2 * a for a, b in pairwise(rising)):
        at = [math.log2(value) for value in at]
    rising = sorted(at)
    step = min((b - a for a, b in pairwise(rising)), default=1.0)
    places = {str(value): (place - rising[0]) / step for value, place in zip(values, at, strict=True)}
    return places, {place: text for text, place in places.items()}


def _lines(record: Row) -> dict[str, list[Row]]:
    """The rows with a score by the values of all options but the first."""
    found: dict[str, list[Row]] = {}
    rest = [*record["over"]][1:]
    for row in record["rows"]:
        if row["mean"] is not None:
            options = {name: row["options"][name] for name in rest}
            name = label(options) if len(rest) > 1 else "".join(map(str, options.values()))
            found.setdefault(name, []).append(row)
    return found


def _scores(
    axes: Axes, rows: Sequence[Row], first: str, places: Mapping[str, float], shift: float, look: Any, name: str
) -> None:
    """A line with intervals."""
    points = sorted((places[str(row["options"][first])] + shift, row) for row in rows)
    means = [100 * row["mean"] for _, row in points]
    low = [mean - 100 * row["interval"][0] for mean, (_, row) in zip(means, points, strict=True)]
    high = [100 * row["interval"][1] - mean for mean, (_, row) in zip(means, points, strict=True)]
    at = [place for place, _ in points]
    axes.errorbar(at, means, [low, high], **look, label=name, elinewidth=0.9, capsize=2.5, alpha=0.95)


def _costs(axes: Axes, rows: Sequence[Row], first: str, places: Mapping[str, float], look: Any) -> None:
    """Points in the order of the first option, each with its value of it."""
    inorder = sorted(rows, key=lambda row: places[str(row["options"][first])])
    points = [(row["ms_interactive"], 100 * row["mean"]) for row in inorder]
    axes.plot(*zip(*points, strict=True), **look, linewidth=0.8, alpha=0.95)
    for row, point in zip(inorder, points, strict=True):
        text = str(row["options"][first])
        axes.annotate(text, point, (4, 4), textcoords="offset points", fontsize=8, color=look["color"])


def _title(record: Row) -> str:
    seeds = len(record["seeds"])
    return (
        f"{record['model']} on {record['benchmark']}, {record['split']}: {record['n']:,} transactions, {seeds} "
        f"seed{'s' * (seeds > 1)}; bars: 95% intervals over clusters{' and seeds' * (seeds > 1)}"
    )
