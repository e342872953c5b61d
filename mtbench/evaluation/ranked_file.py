"""The rankings that some system wrote into a file, in the place of a model: for what final rankings can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.types import Gallery, History, Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.measures import HEADLINE
from mtbench.evaluation.ranker import Asked, Query, shown_in
from mtbench.evaluation.ranking import Array, Indices, Ranks
from mtbench.evaluation.runs import Numbers, read_run
from mtbench.evaluation.scoring import score_run
from mtbench.evaluation.study import MEASURES, NotAvailableError

_Wanted: TypeAlias = tuple[History, Sequence[str], int]
"""A history, the images to look for, and the number of the transaction whose list counts."""


class RankedFile:
    """A run, as `mtbench.evaluation.study.Rankings`.

    What is not listed counts as below everything that is; an image that is not listed is a miss, whatever the gallery
    holds. A transaction that the run does not rank is a miss.

    Args:
        path: see `mtbench.evaluation.runs` for the formats.
        benchmark, split: what it ranks.
        depth: candidates kept of each ranking.

    Attributes:
        measures, excluded: the measures that its rankings are long enough for, and those without images shown.
        missing: ids of transactions that it does not rank.
        cut_ties: transactions whose target ties with the last candidate of a ranking that was cut off.

    Raises:
        MtbenchError: everything that is wrong with the file, as `score_run` says it; or rankings that are too short
            for the headline.
    """

    def __init__(self, path: Path, benchmark: Benchmark, split: str, *, depth: int = 100) -> None:
        self.path = path
        self.depth = depth
        score = score_run(path, benchmark, split=split, measures=MEASURES)
        self.missing, self.cut_ties = score.missing, score.cut_ties
        self.measures = tuple(name for name in MEASURES if name not in score.not_available)
        self.excluded = tuple(name for name in MEASURES if name not in score.not_available_excluded)
        for name in HEADLINE:
            if name in score.not_available:
                raise MtbenchError(f"{path}: {name} {score.not_available[name]}")
        transactions = benchmark.transactions(split)
        self.galleries: Mapping[str, Gallery] = {t.category: benchmark.gallery(split, t.category) for t in transactions}
        self._lists = _read(path, transactions, self.galleries)
        self._row: dict[History, int] = {}
        for row, history in enumerate(benchmark.histories(split)):
            self._row.setdefault(history, row)
        self._columns = {name: {i: n for n, i in enumerate(g.image_ids)} for name, g in self.galleries.items()}

    def rank(self, queries: Sequence[Query]) -> dict[str, tuple[Indices, Ranks]]:
        """By category: which of the first transactions of the split it has, and the ranks of their targets.

        By transaction, because two with the same history may have been ranked unlike each other.
        """
        return self._by_category([(q.history, (q.target,), row) for row, q in enumerate(queries)], self.depth)

    def ask(
        self, asked: Sequence[Asked], targets: Sequence[Sequence[str]], *, depth: int = 0
    ) -> dict[str, tuple[Indices, Ranks]]:
        """The same for whole histories of the split, each with any number of targets; the first that has a history.

        Raises:
            NotAvailableError: another history, which the file does not rank.
        """
        queries = []
        for one, wanted in zip(asked, targets, strict=True):
            if not isinstance(one, History) or one not in self._row:
                raise NotAvailableError("needs rankings of other histories, and this is a file of final rankings")
            queries.append((one, wanted, self._row[one]))
        return self._by_category(queries, depth)

    def _by_category(self, queries: Sequence[_Wanted], depth: int) -> dict[str, tuple[Indices, Ranks]]:
        found = {}
        for category in sorted({history.category for history, _, _ in queries}):
            rows = [row for row, (history, _, _) in enumerate(queries) if history.category == category]
            found[category] = (np.array(rows), self._ranks(category, [queries[row] for row in rows], depth))
        return found

    def _ranks(self, category: str, queries: Sequence[_Wanted], depth: int) -> Ranks:
        column, size = self._columns[category], len(self.galleries[category])
        counts: list[tuple[int, ...]] = []
        top = np.full((len(queries), depth), -1, np.int64) if depth else None
        kept = np.full((len(queries), depth), np.nan, np.float32) if depth else None
        for row, (history, targets, listed) in enumerate(queries):
            columns, scores = self._lists[listed]
            shown = {column[image] for image in shown_in(history) if image in column}
            for target in targets:
                at = column.get(target, -1)
                others = np.array(sorted(shown - {at}), dtype=np.int64)
                rest = size - len(others)
                found = scores[columns == at]
                if not len(found):
                    counts.append((size, 0, rest, 0, size, rest))
                    continue
                own = scores[np.isin(columns, others)]
                n_above, n_beside = int((scores > found[0]).sum()), int((scores == found[0]).sum())
                above, beside = int((own > found[0]).sum()), int((own == found[0]).sum())
                counts.append((n_above, n_beside, n_above - above, n_beside - beside, size, rest))
            if top is not None and kept is not None:
                top[row, : len(columns[:depth])] = columns[:depth]
                kept[row, : len(columns[:depth])] = _as_stored(scores[:depth])
        greater, equal, own_greater, own_equal, all_, left = np.array(counts, dtype=np.int64).reshape(-1, 6).T
        return Ranks(greater, equal, own_greater, own_equal, all_, left, top, kept)


def _as_stored(scores: Numbers) -> Array:
    """Scores, best first, as float32; where that would tie them or untie them, numbers that keep the order."""
    with np.errstate(over="ignore"):
        small = np.asarray(scores, np.float32)
    steps = np.diff(scores) != 0
    if np.isfinite(small).all() and np.array_equal(steps, np.diff(small) != 0):
        return small
    return -np.cumsum(np.append(0, steps)).astype(np.float32)


def _read(
    path: Path, transactions: Sequence[Transaction], galleries: Mapping[str, Gallery]
) -> list[tuple[Indices, Numbers]]:
    """Columns of the gallery and scores of each transaction's list, best first. `score_run` has found no fault."""
    row_of = {t.transaction_id: row for row, t in enumerate(transactions)}
    column_of = {name: {i: n for n, i in enumerate(g.image_ids)} for name, g in galleries.items()}
    places = [column_of[t.category] for t in transactions]
    parts: list[tuple[Numbers, Numbers, Numbers]] = []
    for block in read_run(path, Problems(path)):
        names = np.array([row_of[name] for name in block.transactions.dictionary.to_pylist()], dtype=np.int64)
        of = names[block.transactions.indices.to_numpy()]
        columns = [places[row][image] for row, image in zip(of.tolist(), block.images.to_pylist(), strict=True)]
        parts.append((of, np.array(columns, dtype=np.int64), np.asarray(block.scores)))
    row, column, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((column, -score, row))
    row, column, score = row[order], column[order], score[order]
    ends = np.searchsorted(row, np.arange(len(transactions) + 1))
    return [(column[a:b], score[a:b]) for a, b in pairwise(ends)]
