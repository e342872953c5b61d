"""A submission on disk: a folder of three files, written by `submit` and trusted by nobody.

```
BOARD/submissions/NAME/
  submission.toml   the description, and which revision of the benchmark it is about
  run.parquet       the ranking, in the strict form of `mtbench.leaderboard.run_file`
  scores.json       what the run scores, recomputed by whoever verifies
```
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.files import atomic_folder, file_sha256
from mtbench.leaderboard.board import Board
from mtbench.leaderboard.description import Description, described
from mtbench.leaderboard.limits import MOST_BRACKETS, check_name, nesting, read_plain, read_toml
from mtbench.leaderboard.recompute import Recomputed
from mtbench.leaderboard.run_file import Run, write_run_file

FILES = ("run.parquet", "scores.json", "submission.toml")
MOST_JSON = 1 << 20
SCHEMA = 1


@dataclass(frozen=True)
class Submission:
    """What lies in a submission's folder.

    Attributes:
        folder: its name is that of the submission.
        description: by its authors.
        about: ``board``, ``version``, ``revision``, ``run_sha256``: what it says it was scored on.
        stated: ``scores.json``.
    """

    folder: Path
    description: Description
    about: Mapping[str, Any]
    stated: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.name

    @property
    def run(self) -> Path:
        """Its ranking."""
        return self.folder / "run.parquet"


def folders(board: Board) -> list[Path]:
    """Everything that lies where submissions belong, by name."""
    return sorted(board.submissions.iterdir()) if board.submissions.is_dir() else []


def read_submission(folder: Path, board: Board) -> Submission:
    """The words and stated scores of a submission; its run is read by `read_run_file`.

    Raises:
        MtbenchError: other files than the three, links, a description or scores that are not as they must be; all
            problems at once.
    """
    problems = Problems(folder)
    if folder.is_symlink() or not folder.is_dir():
        raise MtbenchError(f"{folder} is a link or no folder; a submission is a folder of three files")
    try:
        check_name(folder.name, "a submission")
    except MtbenchError as error:
        problems.add("name", str(error))
    for path in sorted(folder.iterdir()):
        if path.name not in FILES or path.is_symlink() or not path.is_file():
            problems.add(ascii(path.name)[:80], f"only the files {', '.join(FILES)} may lie here, and no links")
    for name in FILES:
        if not (folder / name).exists():
            problems.add(name, "is missing")
    problems.raise_if_any()
    tables = read_toml(folder / "submission.toml")
    about = tables.pop("about", None)
    if not isinstance(about, dict):
        about = {}
        problems.add("about", "is missing; mtbench submit writes it")
    description, wrong = described(tables)
    for text in wrong:
        where, _, what = text.partition(": ")
        problems.add(where, what)
    if description is not None and description.name != folder.name:
        problems.add("name", f"is {description.name}, but the folder is {folder.name}")
    stated = _scores(folder / "scores.json", problems)
    problems.raise_if_any()
    assert description is not None  # or a problem was raised
    return Submission(folder, description, about, stated)


def _scores(path: Path, problems: Problems) -> dict[str, Any]:
    try:
        text = read_plain(path, MOST_JSON).decode("utf-8")
        if nesting(text) > MOST_BRACKETS:
            raise ValueError(f"more than {MOST_BRACKETS} brackets within each other")
        found = json.loads(text, parse_constant=_no_constant)
        if not isinstance(found, dict):
            raise ValueError("must be an object")
        return found
    except (ValueError, RecursionError) as error:
        problems.add(path.name, f"is no JSON that can be read: {str(error)[:100]}")
    except MtbenchError as error:
        problems.add(path.name, str(error))
    return {}


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number that JSON has")


def write_submission(folder: Path, board: Board, description: Description, run: Run, found: Recomputed) -> None:
    """Write the folder, whole or not at all; never over another.

    Raises:
        MtbenchError: there is a submission of that name, which is never edited in place.
    """
    import tomli_w

    if folder.exists():
        raise MtbenchError(f"{folder} exists, and a submission is never edited in place; give it another name")
    with atomic_folder(folder) as temporary:
        write_run_file(temporary / "run.parquet", run, board)
        about = {
            **{"schema": SCHEMA, "board": board.name, "version": board.version},
            **{"revision": board.benchmark["revision"], "run_sha256": file_sha256(temporary / "run.parquet")},
        }
        text = tomli_w.dumps({**description.to_toml(), "about": about}, multiline_strings=False)
        (temporary / "submission.toml").write_text(text, encoding="utf-8")
        (temporary / "scores.json").write_text(scores_text(found.scores()), encoding="utf-8")


def scores_text(scores: Mapping[str, Any]) -> str:
    """Scores as JSON, a line for each of its parts: short lists are easier to compare than long columns."""
    rows = [f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in scores.items()]
    return "{\n" + ",\n".join(rows) + "\n}\n"
