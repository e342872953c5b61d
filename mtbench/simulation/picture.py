"""The picture of simulated dialogues: the rank percentile of the target after each turn (Guo et al., Figure 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.pictures import MARKERS, PALETTE, new_figure, style, write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Any]

DASHES = ("-", "--", "-.", ":")
"""Beyond the colours the lines are told apart by these."""

SIDE_BY_SIDE = 5
"""So many users have a plot each."""


def draw(records: Sequence[Record], path: Path) -> None:
    """Draw a line with a 95% band for each record, a plot for each user; the same bytes from the same records.

    Args:
        records: of `mtbench.simulation.simulate.simulate`, on one benchmark.
        path: ends in ``.svg`` or ``.png``.

    Raises:
        MtbenchError: no record, records of several benchmarks, another suffix, or no matplotlib.
    """
    if not records:
        raise MtbenchError("there is no simulation to draw")
    about = {(record["benchmark"], record["revision"], record["split"]) for record in records}
    if len(about) > 1:
        raise MtbenchError("these simulations are of different benchmarks, and share no picture")
    first = records[0]
    users = list(dict.fromkeys(record["simulator"]["name"] for record in records))
    plots = [[user] for user in users] if len(users) <= SIDE_BY_SIDE else [users]
    parts = [[record for record in records if record["simulator"]["name"] in some] for some in plots]
    looks = list(dict.fromkeys(name for part in parts for name in labels(part)))
    with style():
        figure, every = new_figure(len(parts), height=4.2)
        for axes, part, some in zip(every, parts, plots, strict=True):
            for record, name in zip(part, labels(part), strict=True):
                _line(axes, record, name, looks.index(name))
            axes.set_xticks(range(1, max(len(record["rows"]) for record in part) + 1))
            axes.set_xlabel("turn")
            axes.set_title(_short(some[0]) if len(plots) > 1 else "Rank percentile of the target after each turn, %")
            axes.grid(axis="y")
            axes.axhline(50, color="#666666", linewidth=0.8, linestyle=":")  # chance
            axes.tick_params(length=0)
        low, high = zip(*(axes.get_ylim() for axes in every), strict=True)
        for axes in every:  # else a small difference in one plot would look like a large one in another
            axes.set_ylim(min(low), max(high))
        figure.suptitle(
            f"{first['benchmark']}, {first['split']}: {_counted(records)}; bands: 95% intervals; dotted: chance"
            + ("; rank percentile of the target, %" if len(plots) > 1 else ""),
            **{"x": 0.01, "ha": "left", "fontsize": 9, "color": "#666666"},
        )
        lines = {name: line for axes in every for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(lines.values(), lines.keys(), loc="outside lower left", ncols=min(len(lines), 6))
        write_picture(figure, path)


def labels(records: Sequence[Record]) -> list[str]:
    """A name for each line: the model, and the user where there are several."""
    users = {record["simulator"]["name"] for record in records}
    names = [_short(r["model"]) + (f", {_short(r['simulator']['name'])}" if len(users) > 1 else "") for r in records]
    return [f"{name} #{names[:n].count(name) + 1}" if names.count(name) > 1 else name for n, name in enumerate(names)]


def _short(name: str) -> str:
    """``Curt`` of ``curt.py:Curt``."""
    return name.rpartition(":")[2]


def _line(axes: Axes, record: Record, name: str, number: int) -> None:
    turns = [row["turn"] for row in record["rows"]]
    colour = PALETTE[number % len(PALETTE)]
    marker, dashes = MARKERS[number % len(MARKERS)], DASHES[number // len(PALETTE) % len(DASHES)]
    means = [100 * row["percentile"] for row in record["rows"]]
    axes.plot(turns, means, color=colour, label=name, marker=marker, linestyle=dashes)
    bands = [row["percentile interval"] for row in record["rows"]]
    if None not in bands[0]:
        low, high = ([100 * band[end] for band in bands] for end in (0, 1))
        axes.fill_between(turns, low, high, color=colour, alpha=0.15, linewidth=0)


def _counted(records: Sequence[Record]) -> str:
    numbers = sorted({record["n"] for record in records})
    return " or ".join(f"{n:,}" for n in numbers) + " dialogues"
