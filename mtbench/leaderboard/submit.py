"""Submitting: a ranking and a description become a folder on a board, every score recomputed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError, Problems
from mtbench.leaderboard.board import Board
from mtbench.leaderboard.description import Description, described
from mtbench.leaderboard.limits import read_toml
from mtbench.leaderboard.recompute import Recomputed, recompute
from mtbench.leaderboard.rules import faults
from mtbench.leaderboard.run_file import Run, take_in
from mtbench.leaderboard.submission import write_submission


@dataclass(frozen=True)
class Prepared:
    """A submission that is ready to be written.

    Attributes:
        folder: where it will lie.
    """

    board: Board
    folder: Path
    description: Description
    run: Run
    found: Recomputed

    def write(self) -> None:
        """Write it.

        Raises:
            MtbenchError: the folder exists.
        """
        write_submission(self.folder, self.board, self.description, self.run, self.found)


def prepare(board: Board, run: Path, meta: Mapping[str, Any], source: object = "description") -> Prepared:
    """Check a ranking and a description, and score the one by the other.

    Args:
        board: to submit to.
        run: a file of rankings, or the folder of an evaluation result.
        meta: the description, as `Description` has it.
        source: where the description is from, for errors.

    Raises:
        MtbenchError: everything that is wrong with the description, then everything that is wrong with the ranking.
    """
    problems = Problems(source, hint="mtbench submit --example shows a description with every field.")
    description, wrong = described(meta)
    for text in wrong:
        where, _, what = text.partition(": ")
        problems.add(where, what)
    problems.raise_if_any()
    assert description is not None  # or a problem was raised
    folder = board.submissions / description.name
    if folder.exists():
        raise MtbenchError(f"{folder} exists, and a submission is never edited in place; give it another name")
    path = run / "run.parquet" if run.is_dir() else run
    kept = take_in(path, board)
    found = recompute(kept, board)
    for where, what in faults(description, found):
        problems.add(where, what)
    problems.raise_if_any()
    return Prepared(board, folder, description, kept, found)


def read_meta(path: Path) -> dict[str, Any]:
    """The description in a file.

    Raises:
        MtbenchError: it is no TOML.
    """
    if not path.is_file():
        raise MtbenchError(f"{path} does not exist; write one: mtbench submit --example > {path}")
    return read_toml(path)
