"""What several evaluators need: rows from one bootstrap, what a whole study and its parts share, how long lists are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from mtbench.evaluation.cells import cell
from mtbench.evaluation.measures import Floats
from mtbench.evaluation.study import Study

_BETWEEN = "\t"

T = TypeVar("T")


class ForWhole(Generic[T]):
    """Makes something for a whole study once, and remembers it for the parts that are studied next."""

    def __init__(self, make: Callable[[Study], T]) -> None:
        self._make = make
        self._made: tuple[Study, T] | None = None

    def __call__(self, study: Study) -> T:
        """What was made for the whole that the study is, or is a part of."""
        if self._made is None or self._made[0] is not study.whole:
            self._made = (study.whole, self._make(study.whole))
        return self._made[1]


def rows_of_whole(study: Study) -> npt.NDArray[np.int64]:
    """Which transactions of the whole study are those of this one, int64 (n,)."""
    row = {t.transaction_id: n for n, t in enumerate(study.whole.transactions)}
    return np.array([row[t.transaction_id] for t in study.transactions], dtype=np.int64)


def rows_beside(
    study: Study,
    values: Mapping[str, Mapping[str, Floats]],
    key: str,
    rows: npt.NDArray[np.int64] | None = None,
    *,
    pooled: bool = False,
    **labels: Any,
) -> list[dict[str, Any]]:
    """One row for each entry of ``values``, all about the same transactions.

    The rows are those that `cell` would give one by one. Almost all of its time goes into drawing the samples, and
    here they are drawn once.

    Args:
        study, rows, pooled, labels: as for `cell`.
        values: by the label of the row, its measures.
        key: the column that the label goes to.
    """
    flat = {f"{label}{_BETWEEN}{name}": v for label, columns in values.items() for name, v in columns.items()}
    found = cell(study, flat, rows, pooled=pooled)
    shared = {name: found.pop(name) for name in ("n", "targets")}
    return [
        {
            key: label,
            **labels,
            **shared,
            **{name.split(_BETWEEN)[1]: v for name, v in found.items() if name.startswith(f"{label}{_BETWEEN}")},
        }
        for label in values
    ]


def cutoffs(study: Study, wanted: Sequence[int]) -> tuple[list[int], list[str]]:
    """The cut-offs that all rankings are long enough for, and a note about the others.

    Only the rankings of a file can be too short. One that lists nothing is a miss at any cut-off.
    """
    whole = study.whole
    heads = whole.heads_of(whole.histories, max(wanted))
    sizes = [len(whole.ranker.galleries[category]) for category in whole.categories]
    enough = [
        k for k in wanted if all(not head or len(head) >= min(k, n) for head, n in zip(heads, sizes, strict=True))
    ]
    short = [str(k) for k in wanted if k not in enough]
    return enough, [f"Not told at {' and '.join(short)}: the rankings of the file are shorter."] if short else []
