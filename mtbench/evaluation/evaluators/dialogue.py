"""What the evaluators of dialogues have in common: parts of a history, rows that share their draws, parts of a study.

>>> single(history, 1)            # turn 2 by itself
>>> unseen(["b", "a", "c"], {"b"})
'a'
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from mtbench.core.types import History
from mtbench.evaluation.cells import INTERVAL, cell
from mtbench.evaluation.measures import Floats
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.study import Study

T = TypeVar("T")
Line = tuple[Mapping[str, Any], Mapping[str, Floats]]
"""Labels of a row, and its measures: one value for each transaction of the row."""

AVERAGES = (
    "Rows over all transactions are macro averages over categories, as the headline is; rows of one number of turns "
    "pool the categories."
)
UNSEEN = (
    "The model's own choice is its best image that the dialogue has not shown yet; of equal scores the first in the "
    "gallery."
)


class Once(Generic[T]):
    """What was measured for a whole study, looked up again for each of its parts.

    Args:
        measure: is given the whole.
    """

    def __init__(self, measure: Callable[[Study], T]) -> None:
        self._measure = measure
        self._last: tuple[Study, T] | None = None

    def __call__(self, study: Study) -> T:
        if self._last is None or self._last[0] is not study.whole:
            self._last = (study.whole, self._measure(study.whole))
        return self._last[1]


def places(study: Study) -> Indices:
    """Where each transaction of a part stands in the whole, int64 (n,)."""
    if study.whole is study:
        return np.arange(len(study))
    row = {t.transaction_id: i for i, t in enumerate(study.whole.transactions)}
    return np.array([row[t.transaction_id] for t in study.transactions], dtype=np.int64)


def by_length(study: Study, *, least: int = 1) -> list[tuple[int, Indices]]:
    """Numbers of turns from ``least`` on, ascending, each with its transactions."""
    return [(n, np.flatnonzero(study.turns == n)) for n in sorted(set(study.turns.tolist())) if n >= least]


def first(history: History, turns: int) -> History:
    """The same history with only its first ``turns`` turns."""
    return History(history.category, history.references[:turns], history.feedback[:turns])


def single(history: History, turn: int) -> History:
    """One turn of a history by itself, counted from 0."""
    return History(history.category, history.references[turn : turn + 1], history.feedback[turn : turn + 1])


def unseen(head: Iterable[str], shown: Collection[str]) -> str:
    """The best image that was not shown yet; the best of all where a small gallery has no other."""
    images = list(head)
    return next((image for image in images if image not in shown), images[0])


def lines(study: Study, found: Sequence[Line], rows: Indices, *, pooled: bool = False) -> list[dict[str, Any]]:
    """Rows of a table about the same transactions.

    They are what `cell` gives for one after the other, with the samples of the bootstrap drawn once for all of them.

    Args:
        study: as in `cell`.
        found: labels and values of each row.
        rows, pooled: as in `cell`, for every row. No rows without transactions.
    """
    if not len(rows) or not found:
        return []
    columns = {(i, name): column for i, (_, values) in enumerate(found) for name, column in values.items()}
    one = cell(study, {f"{i} {name}": column for (i, name), column in columns.items()}, rows, pooled=pooled)
    table: list[dict[str, Any]] = [{**labels, "n": one["n"], "targets": one["targets"]} for labels, _ in found]
    for i, name in columns:
        key = f"{i} {name}"
        table[i] |= {name: one[key], name + INTERVAL: one[key + INTERVAL]}
    return table


def headline(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What a row says of some of its measures, with n, for a reader who wants one number."""
    keys = ["n", "targets", *(key for name in names for key in (name, name + INTERVAL))]
    return {key: row[key] for key in keys if key in row}
