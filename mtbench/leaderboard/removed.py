"""Submissions that were taken down: the folder goes, the name and the reason stay.

```toml
[[removed]]
name = "my-model"
date = "2026-11-22"
reason = "Trained on the test annotations, as its authors found."
```
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file
from mtbench.leaderboard.board import Board
from mtbench.leaderboard.limits import LONGEST_TEXT, check_name, odd_letters, read_toml


@dataclass(frozen=True)
class Removed:
    """One removal."""

    name: str
    date: str
    reason: str


def read_removed(board: Board) -> Mapping[str, Removed]:
    """What was removed from a board, by name.

    Raises:
        MtbenchError: ``removed.toml`` is there and is not as it must be.
    """
    path = board.folder / "removed.toml"
    if not path.exists():
        return {}
    try:
        rows = [Removed(**row) for row in read_toml(path)["removed"]]
        for row in rows:
            check_name(row.name, "a submission")
            datetime.date.fromisoformat(row.date)
            if len(row.reason.split()) < 3:
                raise ValueError(f"the reason for {row.name} must be a sentence")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MtbenchError(f"{path} is no list of removals: {error}") from error
    return {row.name: row for row in rows}


def remove(board: Board, name: str, reason: str, date: str) -> None:
    """Take a submission down, and say why.

    Raises:
        MtbenchError: there is none of that name, or the reason is no sentence.
    """
    import tomli_w

    folder = board.submissions / check_name(name, "a submission")
    if not folder.is_dir():
        raise MtbenchError(f"{folder} does not exist")
    if len(reason.split()) < 3:
        raise MtbenchError("give the reason in a sentence: it stays on the board")
    if len(reason) > LONGEST_TEXT or (odd := odd_letters(reason, lines=True)):
        raise MtbenchError(f"the reason {odd if len(reason) <= LONGEST_TEXT else 'is too long'}")
    try:
        datetime.date.fromisoformat(date)
    except ValueError as error:
        raise MtbenchError(f"{date!a} is no date such as 2026-01-31") from error
    rows = [*read_removed(board).values(), Removed(name, date, reason)]
    text = tomli_w.dumps({"removed": [asdict(row) for row in rows]})
    with atomic_file(board.folder / "removed.toml") as temporary:
        temporary.write_text(text, encoding="utf-8")
    shutil.rmtree(folder)
