"""Scores by number of turns, and the share of leaks beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.leak_picture import FEW, SHOWN, leak_bars
from mtbench.evaluation.statistics import bootstrap
from mtbench.report.blocks import Items, Panels, Section, Table
from mtbench.report.gather import Gathered, Row, by_turns
from mtbench.report.headline import TITLES
from mtbench.report.plots import Line, Point, limits_of, lines
from mtbench.report.svg import Canvas
from mtbench.report.tables import NONE, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


GREYS = ("#3d3d3d", "#6e6e6e", "#9a9a9a", "#c4c4c4")
"""Of the kinds of leak: colours are for results."""


def turns_section(found: Gathered, canvas: Canvas) -> Section:
    """Scores by number of turns, and the share of leaks beside."""
    first = found.first
    turns = [str(n) for n in sorted(set(found.results[0].values.turns.tolist()))]
    for result in found.results:
        if set(result.record["by_turns"]) != set(turns):
            raise MtbenchError(
                f"{result.folder}: result.json and transactions.parquet disagree on the numbers of turns; remove the "
                "folder and evaluate again"
            )
    ticks = [f"{n} turns\nn = {part['n']:,}" for n, part in by_turns(first)]
    few = frozenset(at for at, (_, part) in enumerate(by_turns(first)) if part["n"] < FEW)
    measured = _bootstrapped(found, turns)
    shown = {
        measure: [
            Line(name, number, {at: measured[measure][at][number] for at in range(len(turns))}, few=few)
            for number, name in enumerate(found.names[: found.drawn])
        ]
        for measure in ("mean", "R@5")
    }
    limits = limits_of([*shown.values()])
    panels = [lines(canvas, TITLES[name], of, ticks, limits=limits) for name, of in shown.items()]
    leaks = first.get("leakage")
    if leaks and any(row[kind] for row in leaks["by_turns"].values() for kind in SHOWN):
        order = sorted(leaks["by_turns"], key=int)

        def draw(axes: Axes) -> None:
            leak_bars(axes, leaks["by_turns"], order, GREYS)
            axes.set_xticks(range(len(order)), [f"{n} turns" for n in order])
            axes.tick_params(length=0)
            axes.grid(axis="y")

        said = "; ".join(
            f"{n} turns: " + ", ".join(f"{label} {_share(leaks['by_turns'][n], kind)}" for kind, label in SHOWN.items())
            for n in order
        )
        panels.append(canvas.panel("Leaks: seen in train or dev, %", f"Leaks, in per cent. {said}", draw))
    notes = ["Categories are pooled here; bands: 95% intervals, bootstrap over clusters."]
    if few:
        notes.append(f"Hollow: fewer than {FEW} transactions, which carry no claim; bands may reach beyond the plot.")
    if leaks and len(panels) == 2:
        notes.append("No transaction shares a pair, a final target or an image with train or dev.")
    if leaks and any(row["edge"] for row in leaks["by_turns"].values()):
        notes.append("Where leaks rise with the number of turns, a score that rises with it is no use of history yet.")
    table = Table(
        "By number of turns: R@5 / R@8 / mean, %",
        ["result", *(f"{n} turns" for n in turns)],
        [
            [
                name,
                *(
                    " / ".join(percent(record["by_turns"][n]["measures"][m]) for m in ("R@5", "R@8", "mean"))
                    if n in record["by_turns"]
                    else NONE
                    for n in turns
                ),
            ]
            for name, record in zip(found.names, found.records, strict=True)
        ]
        + (
            [
                [
                    "any-edge leaks",
                    *(_share(leaks["by_turns"][n], "edge") if n in leaks["by_turns"] else NONE for n in turns),
                ]
            ]
            if leaks
            else []
        ),
        [False, *(True for _ in turns)],
        folded=True,
    )
    return Section("turns", "By number of turns", [Panels(panels, found.keys), table, Items(notes)])


def _bootstrapped(found: Gathered, turns: list[str]) -> dict[str, list[list[Point]]]:
    """By measure, number of turns and result: mean and interval, categories pooled, in per cent."""
    values, n = found.results[0].values, found.drawn
    made: dict[str, list[list[Point]]] = {"mean": [], "R@5": []}
    for number in turns:
        rows = np.flatnonzero(values.turns == int(number))
        columns = [r.values.measures[name][rows] for name in made for r in found.results[:n]]
        some = bootstrap(np.column_stack(columns), values.clusters[rows], seed=found.first["seed"])
        points = (100 * np.column_stack([some.estimate, some.low, some.high])).tolist()
        for place, name in enumerate(made):
            made[name].append([(a, b, c) for a, b, c in points[place * n : (place + 1) * n]])
    return made


def _share(row: Row, kind: str) -> str:
    return f"{100 * row[kind] / max(1, row['transactions']):.0f}%"
