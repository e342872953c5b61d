"""Submitting: a ranking and a description become a folder on a board, every score recomputed on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.leaderboard.board import Board
from mtbench.leaderboard.description import FIELDS, REQUIRED, Description, described
from mtbench.leaderboard.limits import read_toml
from mtbench.leaderboard.recompute import Recomputed, recompute
from mtbench.leaderboard.removed import read_removed
from mtbench.leaderboard.rules import faults
from mtbench.leaderboard.run_file import Run, read_run_file, take_in
from mtbench.leaderboard.similar import alike, heads_of, undeclared
from mtbench.leaderboard.standings import Row
from mtbench.leaderboard.submission import folders, write_submission


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
        MtbenchError: everything that is wrong with the description and with the ranking.
    """
    description, wrong = described(meta)
    problems = Problems(source, hint="mtbench submit --example shows a description with every field.")
    for text in wrong:
        where, _, what = text.partition(": ")
        problems.add(where, what)
    draft = description or _draft(meta, wrong)
    folder = board.submissions / draft.name
    if folder.exists():
        problems.add("name", f"{folder} exists, and a submission is never edited in place; give it another name")
    elif draft.name in read_removed(board):
        problems.add("name", f"a submission {draft.name} was removed from this board; give it another name")
    texts = []
    try:
        kept = take_in(run / "run.parquet" if run.is_dir() else run, board)
        found = recompute(kept, board)
        for where, what in faults(draft, found):
            problems.add(where, what)
    except MtbenchError as error:
        texts.append(str(error))
    try:
        problems.raise_if_any()
    except MtbenchError as error:
        texts.insert(0, str(error))
    if texts:
        raise MtbenchError("\n".join(texts))
    assert description is not None  # or a problem was raised
    return Prepared(board, folder, description, kept, found)


def _draft(meta: Mapping[str, Any], wrong: Sequence[str]) -> Description:
    """What is right of a description, the rest made up, so that its claims can be checked all the same."""
    bad = {text.partition(":")[0] for text in wrong}
    good = {name: value for name, value in meta.items() if name in FIELDS and name not in bad}
    made_up = {name: FIELDS[name][2] for name in REQUIRED} | {"title": "-", "authors": ["-"], "summary": "-"}
    draft, _ = described({**made_up, **good})
    assert draft is not None
    return draft


def check_copies(prepared: Prepared, rows: Sequence[Row]) -> None:
    """Refuse a run that nearly repeats one of some rows, unless the description says so, as `verify` would.

    Raises:
        MtbenchError: it repeats one, or is said to be a variant of a submission that the board never had.
    """
    own, board = prepared.description, prepared.board
    if own.variant_of and not ((board.submissions / own.variant_of).is_dir() or own.variant_of in read_removed(board)):
        raise unknown("submission to be a variant of", own.variant_of, [path.name for path in folders(board)])
    heads = {row.name: heads_of(read_run_file(row.submission.run, board)) for row in rows}
    variants = {row.name: row.description.variant_of for row in rows}
    close = alike({**heads, own.name: heads_of(prepared.run)})
    for one, two, share in undeclared(close, {**variants, own.name: own.variant_of}):
        if own.name in (one, two):
            other = two if one == own.name else one
            raise MtbenchError(
                f"{share:.1%} of its first ten images are those of {other}, which stands on {board.name}. If it is "
                f'a variant of that, say so in the description: variant_of = "{other}"'
            )


def read_meta(path: Path) -> dict[str, Any]:
    """The description in a file.

    Raises:
        MtbenchError: it is no TOML.
    """
    if not path.is_file():
        raise MtbenchError(f"{path} does not exist; write one: mtbench submit --example > {path}")
    return read_toml(path)
