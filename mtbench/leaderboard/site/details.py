"""Smaller tables of the pages: what a board quotes, and what a submission says and scores in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtbench.leaderboard.board import Board
from mtbench.leaderboard.description import Description
from mtbench.leaderboard.rules import declared
from mtbench.leaderboard.site.views import NONE, percent
from mtbench.leaderboard.standings import Row


@dataclass(frozen=True)
class QuotedRows:
    """Numbers that papers printed; ``reason`` is why they cannot be compared, where it is one for all of them."""

    rows: Sequence[Mapping[str, Any]]
    reason: str


def quoted(board: Board) -> QuotedRows:
    """What a board quotes."""
    reasons = {row.why for row in board.quoted}
    rows = [
        {
            **{"system": row.system, "source": row.source, "proxy": row.proxy, "why": row.why},
            "values": [percent(row.measures[name]) if name in row.measures else NONE for name in board.measures],
        }
        for row in board.quoted
    ]
    return QuotedRows(rows, reasons.pop() if len(reasons) == 1 and len(rows) > 1 else "")


def parts_of(row: Row) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Parts of the transactions with scores of their own: a heading, a name, scores."""
    scores = row.scores
    parts: list[tuple[str, str, Mapping[str, Any]]] = [("", "All, macro over categories", scores)]
    parts += [("Category", name, part) for name, part in scores["by_category"].items()]
    parts += [("Turns", name, part) for name, part in scores["by_turns"].items()]
    parts += [("Leaks", name, scores[name]) for name in ("clean", "leaked") if name in scores]
    return parts


def training_of(told: Description, board: Board) -> list[tuple[str, str, str]]:
    """Each data set that a submission learned from: its name, what its authors say, what the board counted."""
    rows = []
    for data, leaks, audit in declared(told, board):
        count = f"pairs of {audit.leaks:,} of {audit.of:,} transactions" if audit else "nobody counted"
        rows.append((data, _SAID[leaks], count))
    return rows


_SAID = {
    "none": "no leaks",
    "dropped": "what leaks was left out",
    "allowed": "what leaks was kept",
    "unknown": "not looked at",
}
