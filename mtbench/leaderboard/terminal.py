"""The standings of a board in a terminal: the same tables as on its page, and what papers printed well apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mtbench.core.text import points, points_range
from mtbench.leaderboard.evidence import counted, warning
from mtbench.leaderboard.recompute import HEADLINE
from mtbench.leaderboard.removed import read_removed
from mtbench.leaderboard.rules import MARKS
from mtbench.leaderboard.standings import Placed, Standings, Table


def show(standings: Standings) -> str:
    """Everything that a board ranks, as text."""
    board = standings.board
    leaked = int((~board.sealed.clean).sum())
    version = f", version {board.version}" if board.version > 1 else ""
    lines = [
        f"{board.title} ({board.name}{version})",
        f"{board.benchmark['name']}, revision {board.benchmark['revision'][:12]}, {board.benchmark['split']}: "
        + counted(len(board.sealed), board.sealed.n_clusters)
        + (f", of which train or dev holds a pair of {leaked:,}: this board leaks" if leaked else ""),
    ]
    if few := warning(board.sealed.n_clusters):
        lines.append(few)
    for table in standings.tables:
        lines += ["", f"What stands for the images: {table.proxy}", "", _table(table)]
    if not standings.rows:
        lines += ["", "No submissions yet."]
    else:
        lines += [
            "",
            "In %. rank: those that paired tests do not rule out. mean: of R@5 and R@8. Everything is recomputed from",
            "rankings, but for the mean over seeds, of which all but the first are stated.",
        ]
    if board.quoted:
        names = [name for name in board.measures if any(name in row.measures for row in board.quoted)]
        rows = [[row.system, *(points(row.measures.get(name)) for name in names), row.source] for row in board.quoted]
        lines += ["", "Quoted from papers, and not comparable with the above or with each other:"]
        lines += [f"  {why}" for why in dict.fromkeys(row.why for row in board.quoted)]
        lines += ["", _tabulate(rows, ["system", *names, "source"], {"system", "source"})]
    for one in read_removed(board).values():
        lines += ["", f"Removed {one.date}: {one.name}. {one.reason}"]
    return "\n".join(lines)


def _table(table: Table) -> str:
    columns: dict[str, Callable[[Placed], str]] = {
        "rank": lambda p: p.rank,
        "system": lambda p: p.row.description.title,
        "name": lambda p: p.row.name,
        "mean": lambda p: points(p.row.mean),
        "95% interval": lambda p: points_range(*p.row.scores["intervals"][HEADLINE]),
        "R@5": lambda p: points(p.row.scores["measures"].get("R@5")),
        "R@8": lambda p: points(p.row.scores["measures"].get("R@8")),
    }
    if any("clean" in p.row.scores for p in table.rows):
        columns |= {
            "clean": lambda p: _part(p.row.scores.get("clean")),
            "leaked": lambda p: _part(p.row.scores.get("leaked")),
        }
    columns["training"] = lambda p: MARKS[p.row.contamination].short
    if any(p.row.description.seeds for p in table.rows):
        columns["mean of seeds"] = _seeds
    rows = [[cell(placed) for cell in columns.values()] for placed in table.rows]
    return _tabulate(rows, list(columns), {"system", "name", "training"})


def _part(part: Mapping[str, Any] | None) -> str:
    return points(part["measures"][HEADLINE] if part else None)


def _seeds(placed: Placed) -> str:
    """The headline over the seed that was recomputed and those that are stated."""
    stated = [seed.measures[HEADLINE] for seed in placed.row.description.seeds if HEADLINE in seed.measures]
    if not stated:
        return "-"
    every = [placed.row.mean, *stated]
    return f"{points(sum(every) / len(every))} of {len(every)}"


def _tabulate(rows: Sequence[Sequence[str]], headers: Sequence[str], left: set[str]) -> str:
    from tabulate import tabulate

    sides = ["left" if name in left else "right" for name in headers]
    text: str = tabulate(rows, headers, colalign=sides, disable_numparse=True)
    return text
