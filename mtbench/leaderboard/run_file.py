"""The run of a submission: one strict form, small, and cheap to refuse.

``run.parquet`` has the columns ``transaction_id, image_id, rank, score``, the transactions in the order of the board,
each with ranks 1, 2, 3 ... The score is a step: 0 for the best, one lower wherever the system's score was lower, so
that ties stay ties and nothing else is told. Any run that `mtbench.evaluation.runs` reads is brought into this form.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.files import atomic_file
from mtbench.evaluation.runs import read_run
from mtbench.leaderboard.board import DEEPEST, MEASURES, Board
from mtbench.leaderboard.limits import odd_letters
from mtbench.leaderboard.table_file import read_table

MOST_BYTES = 4 << 20
"""Of a file; 2,400 transactions with 50 candidates each take 250 kB."""
LONGEST_ID = 200

_SCHEMA = pa.schema(
    [
        pa.field("transaction_id", pa.string(), nullable=False),
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
    ]
)

Strings = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Run:
    """The rankings of all transactions of a board, in its order.

    Attributes:
        images: the candidates of all transactions one after the other, best first, (N,) of str.
        steps: of each candidate, int64 (N,): 0 for the best of a transaction, one lower where the score was lower.
        ends: where the candidates of each transaction end, int64 (n,).
    """

    images: Strings
    steps: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where the candidates of each transaction begin, int64 (n,)."""
        return np.append(0, self.ends[:-1])

    @property
    def depths(self) -> npt.NDArray[np.int64]:
        """How many candidates each transaction has, int64 (n,)."""
        return self.ends - self.starts

    def of(self, row: int) -> list[str]:
        """The candidates of one transaction, best first."""
        found: list[str] = self.images[self.starts[row] : self.ends[row]].tolist()
        return found


def take_in(path: Path, board: Board) -> Run:
    """The run of any system, in any format of `mtbench.evaluation.runs`, cut to what a board keeps.

    Raises:
        MtbenchError: everything that is wrong with it: transactions that the board does not have or that are missing,
            too few candidates, one twice, ranks that contradict scores.
    """
    problems = Problems(path)
    index = {name: row for row, name in enumerate(board.sealed.ids)}
    lists: list[list[tuple[str, float, float]]] = [[] for _ in index]
    strange: dict[str, int] = {}
    for rows in read_run(path, problems):
        names, images = rows.transactions.to_pylist(), rows.images.to_pylist()
        for name, image, rank, score, line in zip(
            names, images, rows.ranks.tolist(), rows.scores.tolist(), rows.lines.tolist(), strict=True
        ):
            at = index.get(name)
            if at is None:
                strange.setdefault(str(name), line)
            elif np.isfinite(rank) and np.isfinite(score):
                lists[at].append((image, score, rank))
    some = ", ".join(f"{_told(name)[1:-1]} (line {line:,})" for name, line in list(strange.items())[:3])
    if strange and not any(lists):
        problems.add(
            "transactions", f"none of them is on the board {board.name}, which has {board.sealed.ids[0]}: {some}"
        )
        problems.raise_if_any()
    if strange and board.benchmark["part"] == "all":
        problems.add(f"{len(strange):,} transactions", f"not on the board {board.name}: {some}")
    ids, against = board.sealed.ids, []
    for row, listed in enumerate(lists):
        listed.sort(key=lambda one: (-one[1], one[2]))
        if wrong := next((b for a, b in pairwise(listed) if _against(a, b)), None):
            against.append(f"{ids[row]}: rank {wrong[2]:g} has score {wrong[1]:g}")
    if against:
        more = f" and {len(against) - 3:,} more" if len(against) > 3 else ""
        problems.add(
            f"{len(against):,} rankings have ranks that contradict the scores",
            f"{'; '.join(against[:3])}{more}. A higher score needs a lower rank; without scores, write -rank",
        )
    elif [len({one[k] for listed in lists for one in listed}) > 1 for k in (1, 2)] == [False, True]:
        problems.add("scores", "are all the same, and scores decide, whatever the ranks: without scores, write -rank")
    made = _run([[(image, score) for image, score, _ in listed] for listed in lists], board.depth)
    check_shape(made, board, problems)
    problems.raise_if_any()
    return made


def _against(a: tuple[str, float, float], b: tuple[str, float, float]) -> bool:
    return b[2] < a[2] or (b[2] == a[2] and b[1] != a[1])


def _run(lists: list[list[tuple[str, float]]], depth: int) -> Run:
    """The first ``depth`` of each list, and the rest of a tie group that began where measures still look.

    After such a group stands one candidate more, which tells that the group is whole.
    """
    reads = max(int(name[2:]) for name in MEASURES if name.startswith("R@"))
    images: list[str] = []
    steps: list[int] = []
    ends: list[int] = []
    for listed in lists:
        step, begins = 0, 0
        for place, (image, score) in enumerate(listed):
            whole = False
            if place and score < listed[place - 1][1]:
                whole = place >= depth and begins < reads
                step, begins = step - 1, place
            if place >= depth and not whole and (begins >= reads or place >= DEEPEST * 10):
                break
            images.append(image)
            steps.append(step)
            if whole:
                break
        ends.append(len(images))
    return Run(np.array(images, dtype=object), np.array(steps, np.int64), np.array(ends, np.int64))


def check_shape(run: Run, board: Board, problems: Problems) -> None:
    """Note what a run lacks or has too much: transactions, candidates, and candidates outside the gallery."""
    sealed, lacking, short, outside = board.sealed, [], [], []
    seals = {category: board.sealer.of("gallery", category) for category in sealed.galleries}
    known: dict[tuple[str, str], bool] = {}
    for row, (start, end) in enumerate(zip(run.starts.tolist(), run.ends.tolist(), strict=True)):
        name, category, listed = sealed.ids[row], sealed.categories[row], run.images[start:end].tolist()
        if not listed:
            lacking.append(name)
            continue
        if len(listed) < min(board.depth, board.size(category)):
            short.append(f"{name} has {len(listed)}")
        if len(set(listed)) < len(listed):
            twice = next(a for a, b in pairwise(sorted(listed)) if a == b)
            problems.add(name, f"image {_told(twice)} a second time")
        for image in listed:
            key = (category, image)
            if key not in known:
                known[key] = not odd_letters(image) and seals[category](image) in sealed.galleries[category]
            if not known[key]:
                outside.append(f"{_told(image)} for {name}")
    for rows, what in (
        (lacking, "transactions have no ranking"),
        (short, f"rankings have fewer than {board.depth} candidates"),
        (outside, "candidates are not in the gallery of their transaction"),
    ):
        if rows:
            more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
            problems.add(f"{len(rows):,} {what}", f"{', '.join(rows[:3])}{more}")


def _told(image: str) -> str:
    """An id of a stranger, short and safe to print."""
    return ascii(image)[:60]


def write_run_file(path: Path, run: Run, board: Board) -> None:
    """Write a run in its strict form; the same run, the same bytes with the same pyarrow."""
    depths = run.depths
    table = pa.table(
        [
            np.repeat(board.sealed.ids, depths),
            run.images,
            (np.arange(len(run.images)) - np.repeat(run.starts, depths) + 1).astype(np.int32),
            run.steps.astype(np.float32),
        ],
        schema=_SCHEMA,
    )
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=15)


def read_run_file(path: Path, board: Board) -> Run:
    """A run in its strict form, from a stranger: nothing is read before its size and columns are as they must be.

    Raises:
        MtbenchError: it is not in that form, or too large; everything that is wrong with its rankings at once.
    """
    return _strict(read_table(path, _SCHEMA, MOST_BYTES), path, board)


def _strict(table: Any, path: Path, board: Board) -> Run:
    problems, sealed = Problems(path), board.sealed
    longest = max(pc.max(pc.binary_length(table.column(i))).as_py() or 0 for i in (0, 1))
    if longest > LONGEST_ID:
        raise MtbenchError(f"{path} has an id of {longest:,} bytes; at most {LONGEST_ID}")
    names, images = (np.array(table.column(i).to_pylist(), dtype=object) for i in (0, 1))
    ranks, scores = table.column("rank").to_numpy(), table.column("score").to_numpy()
    starts = np.flatnonzero(np.append(True, names[1:] != names[:-1])[: len(names)])
    ends = np.append(starts[1:], len(names)).astype(np.int64)
    order = names[starts].tolist()
    if order != sealed.ids.tolist():
        _about_order(order, sealed.ids.tolist(), problems)
        problems.raise_if_any()
    depths = ends - starts
    steps = np.where(np.isfinite(scores), scores, 0.5).astype(np.float64)
    first = np.zeros(len(steps), bool)
    first[starts] = True
    falls = np.append(0.0, np.diff(steps))
    if not np.array_equal(ranks, np.arange(len(ranks)) - np.repeat(starts, depths) + 1):
        problems.add("rank", "must count 1, 2, 3 ... within each transaction")
    if not (np.isfinite(scores).all() and (steps[first] == 0).all() and np.isin(falls[~first], (0.0, -1.0)).all()):
        problems.add("score", "must be 0 for the best of each transaction and go down by 0 or 1; submit writes it so")
    if (depths > DEEPEST * 10).any():
        problems.add("depth", f"a ranking of {int(depths.max()):,} candidates; at most {DEEPEST * 10:,}")
    problems.raise_if_any()
    run = Run(images, steps.astype(np.int64), ends)
    check_shape(run, board, problems)
    problems.raise_if_any()
    return run


def _about_order(found: list[str], wanted: list[str], problems: Problems) -> None:
    lacking, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    for rows, what in ((lacking, "transactions have no ranking"), (extra, "transactions are not on the board")):
        if rows:
            more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
            problems.add(f"{len(rows):,} {what}", ", ".join(_told(name) for name in rows[:3]) + more)
    if not len(problems):
        problems.add("transactions", "are not in the order of the board, or one stands in two places")
