"""The rankings that some system wrote into a file, in the place of a model: for what final rankings can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.types import Gallery, History, Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.measures import HEADLINE
from mtbench.evaluation.ranker import Asked, Query, shown_in
from mtbench.evaluation.ranking import Indices, Ranks
from mtbench.evaluation.runs import Numbers, read_run
from mtbench.evaluation.scoring import score_run
from mtbench.evaluation.study import MEASURES, NotAvailableError


class RankedFile:
    """A run, as `mtbench.evaluation.study.Rankings`.

    What is not listed counts as below everything that is; an image that is not listed is a miss, whatever the gallery
    holds. A transaction that the run does not rank is a miss.

    Args:
        path: see `mtbench.evaluation.runs` for the formats.
        benchmark, split: what it ranks.
        depth: candidates kept of each ranking.

    Attributes:
        measures: those that its rankings are long enough for.
        missing: ids of transactions that it does not rank.

    Raises:
        MtbenchError: everything that is wrong with the file, as `score_run` says it; or rankings that are too short
            for the headline.
    """

    def __init__(self, path: Path, benchmark: Benchmark, split: str, *, depth: int = 100) -> None:
        self.path = path
        self.depth = depth
        score = score_run(path, benchmark, split=split, measures=MEASURES)
        self.missing = score.missing
        self.measures = tuple(name for name in MEASURES if name not in score.not_available)
        for name in HEADLINE:
            if name in score.not_available:
                raise MtbenchError(f"{path}: {name} {score.not_available[name]}")
        transactions = benchmark.transactions(split)
        self.galleries: Mapping[str, Gallery] = {t.category: benchmark.gallery(split, t.category) for t in transactions}
        self._lists = _read(path, transactions, self.galleries)
        self._row: dict[History, int] = {}
        self._exact: dict[tuple[History, str], int] = {}
        for row, (history, t) in enumerate(zip(benchmark.histories(split), transactions, strict=True)):
            self._row.setdefault(history, row)
            self._exact.setdefault((history, t.target), row)
        self._columns = {name: {i: n for n, i in enumerate(g.image_ids)} for name, g in self.galleries.items()}

    def rank(self, queries: Sequence[Query]) -> dict[str, tuple[Indices, Ranks]]:
        """By category: which of the queries it has, and their ranks."""
        return self.ask([query.history for query in queries], [[query.target] for query in queries], depth=self.depth)

    def ask(
        self, asked: Sequence[Asked], targets: Sequence[Sequence[str]], *, depth: int = 0
    ) -> dict[str, tuple[Indices, Ranks]]:
        """The same for whole histories of the benchmark, each with any number of targets.

        Raises:
            NotAvailableError: another history, which the file does not rank.
        """
        rows: dict[str, list[int]] = {}
        queries: dict[str, list[tuple[History, Sequence[str]]]] = {}
        for row, (one, wanted) in enumerate(zip(asked, targets, strict=True)):
            if not isinstance(one, History) or one not in self._row:
                raise NotAvailableError("needs rankings of other histories, and this is a file of final rankings")
            rows.setdefault(one.category, []).append(row)
            queries.setdefault(one.category, []).append((one, wanted))
        return {name: (np.array(rows[name]), self._ranks(name, queries[name], depth)) for name in sorted(rows)}

    def _ranks(self, category: str, queries: Sequence[tuple[History, Sequence[str]]], depth: int) -> Ranks:
        column, size = self._columns[category], len(self.galleries[category])
        counts: list[tuple[int, ...]] = []
        top = np.full((len(queries), depth), -1, np.int64) if depth else None
        kept = np.full((len(queries), depth), np.nan, np.float32) if depth else None
        for row, (history, targets) in enumerate(queries):
            exact = self._exact.get((history, targets[0])) if targets else None
            columns, scores = self._lists[self._row[history] if exact is None else exact]
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
                kept[row, : len(columns[:depth])] = scores[:depth]
        greater, equal, own_greater, own_equal, all_, left = np.array(counts, dtype=np.int64).reshape(-1, 6).T
        return Ranks(greater, equal, own_greater, own_equal, all_, left, top, kept)


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
