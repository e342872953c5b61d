"""The standings of a board: rows with recomputed scores, and ranks as groups that cannot be told apart.

What stood for the images is never mixed: each proxy has a table of its own, in which the systems that read no images
(``none``) stand as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.comparison.significance import all_pairs, holm
from mtbench.evaluation.measures import Floats, Positions, per_transaction
from mtbench.leaderboard.board import PROXIES, Board
from mtbench.leaderboard.description import Description
from mtbench.leaderboard.recompute import HEADLINE, recompute
from mtbench.leaderboard.rules import contamination
from mtbench.leaderboard.run_file import read_run_file
from mtbench.leaderboard.submission import Submission, folders, read_submission

ALPHA = 0.05
READS_NOTHING = "none"


@dataclass(frozen=True)
class Row:
    """One submission on its board.

    Attributes:
        scores: ``scores.json``, which `verify` recomputes.
        contamination: what its training data means for them, see `rules.contamination`.
    """

    submission: Submission
    scores: Mapping[str, Any]
    contamination: str
    board: Board

    @property
    def name(self) -> str:
        """Of the submission."""
        return self.submission.name

    @property
    def description(self) -> Description:
        """By its authors."""
        return self.submission.description

    @property
    def mean(self) -> float:
        """The headline, a share."""
        return float(self.scores["measures"][HEADLINE])

    @cached_property
    def positions(self) -> Positions:
        """Of the targets, from the scores."""
        above, tied = (np.array(self.scores[name], np.int64) for name in ("above", "tied"))
        sizes = np.array([self.board.size(category) for category in self.board.sealed.categories], np.int64)
        return Positions(np.where(tied > 0, above, sizes), tied, sizes)

    def values(self, measure: str = HEADLINE) -> Floats:
        """A measure of each transaction, float64 (n,)."""
        return per_transaction(self.positions, [measure])[measure]

    def heads(self, first: int) -> list[list[str]]:
        """The first images of each transaction, read from the run."""
        run = read_run_file(self.submission.run, self.board)
        return [run.of(row)[:first] for row in range(len(run.ends))]


@dataclass(frozen=True)
class Placed:
    """A row with the ranks that it may have: those that the paired tests do not rule out.

    Attributes:
        best: 1 + how many systems are better by a test after Holm.
        worst: how many systems there are, less those that are worse by such a test.
        not_told_from: names of the systems that it cannot be told apart from.
    """

    row: Row
    best: int
    worst: int
    not_told_from: tuple[str, ...]

    @property
    def rank(self) -> str:
        """``2`` or ``2-5``."""
        return str(self.best) if self.best == self.worst else f"{self.best}-{self.worst}"


@dataclass(frozen=True)
class Table:
    """The systems of one proxy on one board, the best mean first."""

    proxy: str
    rows: tuple[Placed, ...]


@dataclass(frozen=True)
class Standings:
    """Everything that a board shows."""

    board: Board
    rows: tuple[Row, ...]

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """A table for each proxy that somebody used."""
        used = [proxy for proxy in PROXIES if proxy != READS_NOTHING]
        shown = [proxy for proxy in used if any(row.description.proxy == proxy for row in self.rows)]
        return tuple(
            Table(proxy, place([row for row in self.rows if row.description.proxy in (proxy, READS_NOTHING)]))
            for proxy in shown or ([READS_NOTHING] if self.rows else [])
        )


def standings(board: Board, *, recomputed: bool = True) -> Standings:
    """The rows of a board, their means and the places of their targets found again in the rankings.

    Intervals are taken as they stand: only `verify` draws them again, and keeps every other rule.

    Args:
        board: whose submissions.
        recomputed: without it everything is taken as stated, for a quick look at many boards.

    Raises:
        MtbenchError: a submission cannot be read, or states scores that its ranking does not give.
    """
    rows = []
    for folder in folders(board):
        submission = read_submission(folder, board)
        row = Row(submission, submission.stated, contamination(submission.description, board), board)
        _check(row)
        if recomputed:
            _follows(row)
        rows.append(row)
    return Standings(board, tuple(sorted(rows, key=lambda row: (-row.mean, row.name))))


def _check(row: Row) -> None:
    """What pages count on, so that a damaged file is said to be one."""
    scores, board = row.scores, row.board
    try:
        parts = [scores, *scores["by_category"].values(), *scores["by_turns"].values()]
        parts += [scores[name] for name in ("clean", "leaked") if name in scores]
        fits = len(row.positions) == len(board.sealed) and scores["known_queries"]["of"] >= 0
        for part in parts:
            for name in board.measures:
                low, high = part["intervals"][name]
                fits &= (
                    part["n"] > 0
                    and part["clusters"] > 0
                    and 0 <= low <= high <= 1
                    and 0 <= part["measures"][name] <= 1
                )
        fits &= all(0 <= scores["own_references_excluded"][name] <= 1 for name in board.measures)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        fits = False
    if not fits:
        where = row.submission.folder / "scores.json"
        raise MtbenchError(f"{where} is not what submit writes; run mtbench leaderboard verify")


def _follows(row: Row) -> None:
    """Nobody should read a mean that was typed in by hand."""
    found = recompute(read_run_file(row.submission.run, row.board), row.board)
    same = [
        np.array_equal(getattr(row.positions, name), getattr(found.positions, name)) for name in ("greater", "equal")
    ]
    if not all(same) or row.scores["measures"] != found.headline:
        where = row.submission.folder / "scores.json"
        raise MtbenchError(f"{where} states scores that its ranking does not give; run mtbench leaderboard verify")


def place(rows: Sequence[Row]) -> tuple[Placed, ...]:
    """The ranks that each row may have, by all pairs of paired randomisation tests on the headline, after Holm."""
    if len(rows) < 2:
        return tuple(Placed(row, 1, 1, ()) for row in rows)
    sealed = rows[0].board.sealed
    values = np.column_stack([row.values() for row in rows])
    p = all_pairs(values, sealed.clusters, groups=sealed.categories.astype(str))
    one, two = np.triu_indices(len(rows), 1)
    told = np.zeros(p.shape, bool)
    told[one, two] = told[two, one] = holm(p[one, two]) < ALPHA
    placed = []
    for i, row in enumerate(rows):
        better = sum(bool(told[i, j]) and rows[j].mean > row.mean for j in range(len(rows)))
        worse = sum(bool(told[i, j]) and rows[j].mean < row.mean for j in range(len(rows)))
        alike = tuple(rows[j].name for j in range(len(rows)) if j != i and not told[i, j])
        placed.append(Placed(row, 1 + better, len(rows) - worse, alike))
    return tuple(placed)
