"""What the templates show of a board. Every value is text or a number; nothing here is markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mtbench.core.text import points
from mtbench.leaderboard.board import Board
from mtbench.leaderboard.description import Description
from mtbench.leaderboard.recompute import HEADLINE
from mtbench.leaderboard.rules import MARKS
from mtbench.leaderboard.standings import Placed, Row, Table

DASH = "\N{EN DASH}"
NONE = DASH


@dataclass(frozen=True)
class Cell:
    """A value of a row.

    Attributes:
        text: what is read.
        small: below it, such as an interval.
        sort: what a column is sorted by; None comes last either way.
        hint: what it means, where that is not plain.
    """

    text: str = NONE
    small: str = ""
    sort: float | str | None = None
    hint: str = ""


@dataclass(frozen=True)
class Column:
    """A column of the standings."""

    key: str
    label: str
    hint: str = ""
    number: bool = True


@dataclass(frozen=True)
class Line:
    """A row of the standings.

    Attributes:
        anchor: its permalink on the page.
        leading: no system of its table is told to be better.
        bar: where value and interval lie on the table's common axis, 0..100, for the small drawing.
        search: what the text filter reads.
    """

    anchor: str
    name: str
    href: str
    title: str
    authors: str
    placed: Placed
    leading: bool
    training: str
    variant_of: str
    bar: tuple[float, float, float]
    cells: Mapping[str, Cell]
    search: str


@dataclass(frozen=True)
class Grid:
    """The standings of one proxy."""

    proxy: str
    columns: Sequence[Column]
    lines: Sequence[Line]

    @property
    def leading(self) -> int:
        """How many no other is told to be better than."""
        return sum(line.leading for line in self.lines)


def percent(value: float) -> str:
    """A share as 12.3."""
    return points(value)


def span(interval: Sequence[float]) -> str:
    """An interval of shares."""
    return f"{percent(interval[0])}{DASH}{percent(interval[1])}"


def measured(part: Mapping[str, Any] | None, measure: str) -> Cell:
    """A measure with its interval, from ``scores.json`` or a part of it; empty where there is none."""
    if not part or measure not in part["measures"]:
        return Cell()
    interval = part.get("intervals", {}).get(measure)
    value = part["measures"][measure]
    return Cell(percent(value), span(interval) if interval else "", value)


def over_seeds(row: Row) -> Cell:
    """The headline over all seeds: one recomputed, the others as stated."""
    values = [seed.measures[HEADLINE] for seed in row.description.seeds if HEADLINE in seed.measures]
    if not values:
        return Cell()
    every = [row.mean, *values]
    mean = fmean(every)
    hint = "Mean over the seeds; below, how many, the least and the most. All but the first are stated, not recomputed."
    return Cell(percent(mean), f"{len(every)}: {span((min(every), max(every)))}", mean, hint)


def short_count(value: int | None) -> Cell:
    """Parameters, short: 1.2 M."""
    if value is None:
        return Cell()
    for size, unit in ((1_000_000_000, " B"), (1_000_000, " M"), (1_000, " k")):
        if value >= size:
            return Cell(f"{value / size:.3g}{unit}", "", float(value), f"{value:,}")
    return Cell(str(value), "", float(value))


def grid(table: Table, board: Board, *, first: bool) -> Grid:
    """The rows of a table for a page; ``first``: their permalinks name the system alone."""
    rows = [_cells(placed.row, board) for placed in table.rows]
    every = _columns(board)
    columns = [column for column in every if any(cells[column.key].sort is not None for cells in rows)]
    ends = [placed.row.scores["intervals"][HEADLINE][1] for placed in table.rows]
    most = max([*ends, 1e-9])
    lines = []
    for placed, cells in zip(table.rows, rows, strict=True):
        row, told = placed.row, placed.row.description
        low, high = row.scores["intervals"][HEADLINE]
        lines.append(
            Line(
                anchor=f"system-{row.name}" if first else f"system-{row.name}@{table.proxy}",
                name=row.name,
                href=f"{row.name}.html",
                title=told.title,
                authors=", ".join(told.authors),
                placed=placed,
                leading=placed.best == 1,
                training=row.contamination,
                variant_of=told.variant_of,
                bar=(100 * low / most, 100 * row.mean / most, 100 * high / most),
                cells=cells,
                search=" ".join([row.name, told.title, *told.authors, told.features, told.proxy]).lower(),
            )
        )
    return Grid(table.proxy, columns, lines)


def _columns(board: Board) -> list[Column]:
    return [
        *(
            Column(name, "Mean" if name == HEADLINE else name, _MEASURES.get(name, "Recall at this cut-off"))
            for name in board.measures
        ),
        Column("clean", "Clean", "Mean over the transactions of which train and dev hold no pair"),
        Column("leaked", "Leaked", "Mean over the transactions of which train or dev hold a pair"),
        Column("excluded", "No refs", "Mean when the images already shown in the dialogue are left out of the ranking"),
        Column(
            "seeds", "Seeds", "Mean over seeds; all but the first are stated by the authors and were not recomputed"
        ),
        Column("parameters", "Param.", "Trained parameters, as stated"),
        Column("milliseconds", "ms", "Milliseconds for each transaction on the hardware stated, as stated"),
        Column("training", "Training", "What its training data means for the scores", False),
        Column("date", "Date", "Of the submission", False),
    ]


_MEASURES = {HEADLINE: "Mean of R@5 and R@8, the headline"}


def _cells(row: Row, board: Board) -> dict[str, Cell]:
    told: Description = row.description
    label, why = MARKS[row.contamination]
    excluded = row.scores["own_references_excluded"].get(HEADLINE)
    return {
        **{name: measured(row.scores, name) for name in board.measures},
        "clean": measured(row.scores.get("clean"), HEADLINE),
        "leaked": measured(row.scores.get("leaked"), HEADLINE),
        "excluded": Cell() if excluded is None else Cell(percent(excluded), "", excluded),
        "seeds": over_seeds(row),
        "parameters": short_count(told.parameters),
        "milliseconds": Cell()
        if told.milliseconds is None
        else Cell(f"{told.milliseconds:.3g}", "", told.milliseconds),
        "training": Cell(label, "", row.contamination, why),
        "date": Cell(told.date, "", told.date),
    }
