"""What an evaluator gets: a model in front of its galleries, the transactions, and everything ranked once.

>>> study.positions                                                     # the headline: whole histories
>>> study.positions_of([history.last(1) for history in study.histories], study.targets)
>>> study.heads_of([study.histories[0]], 10)                            # the first ten images

Whatever was ranked for one evaluator is not ranked again for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Gallery, History, Transaction
from mtbench.core.types import Protocol as Rules
from mtbench.data.benchmark import Benchmark
from mtbench.data.truth import Truth
from mtbench.evaluation.measures import Positions
from mtbench.evaluation.ranker import Asked, Query, Ranker, category_of, in_order
from mtbench.evaluation.ranking import Indices, Ranks

MEASURES = ("R@5", "R@8", "mean", "MRR", "rank", "percentile")
"""What is kept for each transaction."""

_AT_ONCE = 1 << 15
"""Histories ranked at once, which bounds the lists held."""

T = TypeVar("T")


class NotAvailableError(MtbenchError):
    """An evaluator cannot be run on this model or this benchmark; the message says why."""


class Rankings(Protocol):
    """What a study ranks with: a `Ranker`, or the rankings that some system wrote into a file."""

    @property
    def galleries(self) -> Mapping[str, Gallery]:
        """The candidates by category."""
        ...

    def rank(self, queries: Sequence[Query]) -> dict[str, tuple[Indices, Ranks]]:
        """By category: which of the queries it has, and their ranks in its gallery."""
        ...

    def ask(
        self, asked: Sequence[Asked], targets: Sequence[Sequence[str]], *, depth: int = 0
    ) -> dict[str, tuple[Indices, Ranks]]:
        """The same for any histories, each with any number of targets."""
        ...


class Study:
    """One model on one part of a benchmark.

    Args:
        ranker: ranks the galleries for any histories.
        benchmark: what is studied.
        split: the part of it.
        transactions: those of the part, or the first of them.
        seed: for whatever an evaluator draws.
        measures: those that can be told; the rankings of a file may be too short for some.
        excluded_measures: the same without the images already shown; ``measures`` by default.

    Attributes:
        whole: the study that this one is a part of, or itself.
        rows: which transactions of the whole these are, int64 (n,).
    """

    def __init__(
        self,
        ranker: Rankings,
        benchmark: Benchmark,
        split: str,
        transactions: Sequence[Transaction],
        *,
        seed: int = 0,
        measures: Sequence[str] = MEASURES,
        excluded_measures: Sequence[str] | None = None,
    ) -> None:
        self.ranker = ranker
        self.benchmark = benchmark
        self.split = split
        self.transactions = transactions
        self.seed = seed
        self.measures = tuple(measures)
        self.excluded_measures = self.measures if excluded_measures is None else tuple(excluded_measures)
        self.whole = self
        self.rows: Indices = np.arange(len(transactions))
        self._positions: dict[tuple[Asked, str], tuple[int, int, int]] = {}
        self._heads: dict[Asked, Indices] = {}
        self._found: dict[Callable[[Study], Any], Any] = {}

    def __len__(self) -> int:
        return len(self.transactions)

    @property
    def protocol(self) -> Rules:
        """Of the benchmark."""
        return self.benchmark.protocol

    @cached_property
    def histories(self) -> list[History]:
        """The whole history of each transaction."""
        return [t.history(joiner=self.protocol.joiner) for t in self.transactions]

    @cached_property
    def targets(self) -> list[str]:
        """The final target of each transaction."""
        return [t.target for t in self.transactions]

    @cached_property
    def categories(self) -> list[str]:
        """The category of each transaction."""
        return [t.category for t in self.transactions]

    @cached_property
    def turns(self) -> Indices:
        """The number of turns of each transaction, int64 (n,)."""
        return np.array([len(t.turns) for t in self.transactions], dtype=np.int64)

    @cached_property
    def clusters(self) -> list[str]:
        """What the bootstrap draws, of each transaction."""
        return clusters_of(self.benchmark, self.transactions)

    @cached_property
    def ranks(self) -> dict[str, tuple[Indices, Ranks]]:
        """By category: which transactions it has, and the ranks of their targets. Ranked once, on first use."""
        queries = [Query(history, target) for history, target in zip(self.histories, self.targets, strict=True)]
        found = self.ranker.rank(queries)
        for rows, ranks in found.values():
            asked = [self.histories[row] for row in rows]
            self._keep(asked, [[self.targets[row]] for row in rows], ranks)
        return found

    @cached_property
    def positions(self) -> Positions:
        """Where each target stands among all candidates (the headline)."""
        return in_order(self.ranks, len(self.transactions))

    @cached_property
    def excluded(self) -> Positions:
        """The same, without the images already shown in the transaction."""
        return in_order(self.ranks, len(self.transactions), excluded=True)

    @property
    def model(self) -> Any:
        """The model itself, for what only it can tell, such as its speed."""
        if not isinstance(self.ranker, Ranker):
            raise NotAvailableError("needs a model, and this is a file of final rankings")
        return self.ranker.model

    @property
    def truth(self) -> Truth:
        """What is known for certain about the benchmark."""
        if self.benchmark.truth is None:
            raise NotAvailableError(f"needs true attributes, which {self.benchmark.name} does not have")
        return self.benchmark.truth

    def positions_of(self, asked: Sequence[Asked], targets: Sequence[str], *, depth: int = 0) -> Positions:
        """Where each target stands for the history beside it, own references kept.

        Args:
            asked: n histories; several histories in a tuple are one query (see `ranker.Asked`).
            targets: n images. One that the gallery does not have is a miss.
            depth: of the lists to keep beside, for whoever asks for `heads_of` the same histories next.
        """
        self._ask(asked, [[target] for target in targets], depth)
        found = [self._positions[key] for key in zip(asked, targets, strict=True)]
        return Positions(*np.array(found, dtype=np.int64).reshape(-1, 3).T)

    def heads_of(self, asked: Sequence[Asked], depth: int) -> list[list[str]]:
        """The first ``depth`` images for each of n histories, best first; equal scores in the order of the gallery."""
        self._ask(asked, [()] * len(asked), depth)
        names = {category: g.image_ids for category, g in self.ranker.galleries.items()}
        return [[names[category_of(one)][i] for i in self._heads[one][:depth].tolist()] for one in asked]

    def part(self, rows: Sequence[int] | Indices) -> Study:
        """The study of some transactions only; what was ranked for the whole is not ranked again."""
        indices = np.asarray(rows, dtype=np.int64)
        part = Study(
            self.ranker,
            self.benchmark,
            self.split,
            [self.transactions[row] for row in indices],
            seed=self.seed,
            measures=self.measures,
            excluded_measures=self.excluded_measures,
        )
        part.whole, part.rows = self.whole, self.rows[indices]
        part._positions, part._heads = self._positions, self._heads
        part.positions, part.excluded = self.positions.take(indices), self.excluded.take(indices)
        return part

    def once(self, measure: Callable[[Study], T]) -> T:
        """What ``measure`` finds for the whole study: measured on first use, then looked up for each part.

        So a part costs next to nothing, and what is drawn at random is drawn once: a part sees the same.
        """
        if measure not in self.whole._found:
            self.whole._found[measure] = measure(self.whole)
        found: T = self.whole._found[measure]
        return found

    def by_turns(self, *, least: int = 1) -> list[tuple[int, Indices]]:
        """Numbers of turns from ``least`` on, ascending, each with the transactions that have it."""
        return [(n, np.flatnonzero(self.turns == n)) for n in sorted(set(self.turns.tolist())) if n >= least]

    def _ask(self, asked: Sequence[Asked], targets: Sequence[Sequence[str]], depth: int) -> None:
        """Rank what was not ranked before."""
        if self.whole is self:
            _ = self.ranks  # the headline first, and by itself: its scores depend on no other evaluator
        missing: dict[Asked, dict[str, None]] = {}
        for one, wanted in zip(asked, targets, strict=True):
            lacking = [target for target in wanted if (one, target) not in self._positions]
            full = min(depth, len(self.ranker.galleries[category_of(one)]))
            if lacking or len(self._heads.get(one, ())) < full:
                missing.setdefault(one, {}).update(dict.fromkeys(lacking))
        todo, wanted_of = list(missing), [list(wanted) for wanted in missing.values()]
        for start in range(0, len(todo), _AT_ONCE):
            some, answers = todo[start : start + _AT_ONCE], wanted_of[start : start + _AT_ONCE]
            for rows, ranks in self.ranker.ask(some, answers, depth=depth).values():
                self._keep([some[row] for row in rows], [answers[row] for row in rows], ranks)

    def _keep(self, asked: Sequence[Asked], targets: Sequence[Sequence[str]], ranks: Ranks) -> None:
        keys = [(one, target) for one, wanted in zip(asked, targets, strict=True) for target in wanted]
        rows = np.stack([ranks.greater, ranks.equal, ranks.candidates], axis=1).tolist()
        for key, row in zip(keys, rows, strict=True):
            self._positions.setdefault(key, tuple(row))
        if ranks.top is not None:
            for one, top in zip(asked, ranks.top, strict=True):
                found = top[top >= 0].astype(np.int32)
                if len(found) > len(self._heads.setdefault(one, found)):
                    self._heads[one] = found


class Evaluator(Protocol):
    """A named study. No base class is needed.

    What the command line and the report show of it are its ``rows``: a list of flat dictionaries, made by
    `mtbench.evaluation.cells.cell`. The evaluation runs it for all transactions, and for the clean and the leaked
    ones where a split leaks, unless the class says ``parts = False``.
    """

    def run(self, study: Study) -> dict[str, Any]:
        """What was found, as JSON: with n, and an interval for every claim.

        Raises:
            NotAvailableError: this model or this benchmark does not have what it needs.
        """
        ...


def clusters_of(benchmark: Benchmark, transactions: Sequence[Transaction]) -> list[str]:
    """What the bootstrap draws: transactions with one final target are one piece of evidence.

    Dialogues that were designed in blocks share their last turn, so that a block is one piece of evidence.
    """
    dialogues = benchmark.truth.dialogues if benchmark.truth else {}
    blocks = [dialogues[t.transaction_id].block if dialogues else None for t in transactions]
    return [f"{t.category}\t{block or t.target}" for t, block in zip(transactions, blocks, strict=True)]
