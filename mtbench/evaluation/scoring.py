"""Score the run of any system, from a file in any format of `mtbench.evaluation.runs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.measures import (
    HEADLINE,
    Floats,
    Positions,
    by_category,
    cutoff,
    macro,
    micro,
    per_transaction,
)
from mtbench.evaluation.runs import Integers
from mtbench.evaluation.tally import count


@dataclass(frozen=True)
class RunScore:
    """What a run scores: per transaction first, aggregates from that.

    Attributes:
        transactions: those scored, in the order of the benchmark.
        positions: of their targets among all candidates; those of missing transactions are misses.
        excluded: the same without the images already shown in the transaction.
        measures: the names asked for.
        missing: ids of transactions that the run does not rank.
        not_available: measure -> why the rankings are too short for it; the same for ``excluded`` in
            ``not_available_excluded``.
        cut_ties: transactions whose target ties with the last candidate of a ranking that was cut off.
    """

    transactions: tuple[Transaction, ...]
    positions: Positions
    excluded: Positions
    measures: tuple[str, ...]
    missing: tuple[str, ...]
    not_available: Mapping[str, str]
    not_available_excluded: Mapping[str, str]
    cut_ties: int

    def values(self) -> dict[str, Floats]:
        """Each available measure per transaction, in the order of ``transactions``."""
        return per_transaction(self.positions, [name for name in self.measures if name not in self.not_available])

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``mtbench score --json``: shares in 0..1, ``measures`` as macro averages."""
        categories: Any = np.array([transaction.category for transaction in self.transactions], dtype=object)
        values = self.values()
        left = [name for name in self.measures if name not in self.not_available_excluded]
        parts = {name: by_category(name, row, categories) for name, row in values.items()}
        return {
            "n": len(self.transactions),
            "missing": len(self.missing),
            "measures": {name: _finite(macro(name, row, categories)) for name, row in values.items()},
            "micro": {name: _finite(micro(name, row)) for name, row in values.items()},
            "by_category": {
                category: {
                    "n": int((categories == category).sum()),
                    "measures": {name: _finite(part[category]) for name, part in parts.items()},
                }
                for category in sorted(set(categories))
            },
            "own_references_excluded": {
                "measures": {
                    name: _finite(macro(name, row, categories))
                    for name, row in per_transaction(self.excluded, left).items()
                },
                "not_available": dict(self.not_available_excluded),
            },
            "not_available": dict(self.not_available),
            "missing_transactions": list(self.missing),
            "cut_ties": self.cut_ties,
        }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None  # JSON has no infinity, the rank of a target not ranked


def score_run(
    path: Path,
    benchmark: Benchmark,
    *,
    split: str = "test",
    category: str | None = None,
    measures: Sequence[str] = HEADLINE,
) -> RunScore:
    """Score a run against a benchmark.

    Kept per transaction are a few counts: candidates above the target, tied with it, and listed at all. A tie
    group inside a ranking gives expected values. Where a ranking is cut off inside the target's group, only
    the listed part of the group counts: right on average if the cut was blind to the target; ``cut_ties``
    says how often it happened. R@K needs K candidates of every transaction that is ranked, or its whole
    gallery; MRR, rank and percentile need whole galleries.

    A file whose transactions each stand together is read in bounded memory; any other is read a second time
    and held as numbers (20 bytes per row, 28 of a text file). The ids of the last few benchmarks are kept as
    numbers: of many runs of one benchmark, all but the first are scored sooner.

    Args:
        path: see `mtbench.evaluation.runs` for the formats.
        benchmark, split: what it ranks. Transactions that it does not rank count as misses and are listed.
        category: score this category alone; rows of others are read over.
        measures: as in `measures.per_transaction`.

    Raises:
        MtbenchError: all at once: ids that do not exist, images outside a transaction's gallery, an image
            twice, numbers that are not finite, ranks that contradict scores; or nothing is ranked at all.
    """
    for name in measures:
        cutoff(name)
    if category is not None:
        benchmark.gallery(split, category)
    tally = count(path, benchmark, split, category)
    rows = np.flatnonzero(tally.scope)
    transactions = tuple(compress(tally.index.transactions, tally.scope))
    names = [t.transaction_id for t in transactions]
    listed, own_listed = tally.listed[rows], tally.own_listed[rows]
    if not listed.any():
        raise MtbenchError(f"{path} ranks none of the {len(rows)} transactions of {split}")
    kept = Positions(tally.greater[rows], tally.equal[rows], tally.index.full[rows])
    own = Positions(tally.own_greater[rows], tally.own_equal[rows], tally.own_full[rows])
    excluded = Positions(kept.greater - own.greater, kept.equal - own.equal, kept.candidates - own.candidates)
    return RunScore(
        transactions,
        kept,
        excluded,
        tuple(measures),
        tuple(compress(names, listed == 0)),
        _too_short(measures, names, listed, kept.candidates, listed > 0),
        _too_short(measures, names, listed - own_listed, excluded.candidates, listed > 0),
        tally.cut_ties,
    )


def _too_short(
    measures: Sequence[str],
    names: Sequence[str],
    listed: Integers,
    full: Integers,
    present: npt.NDArray[np.bool_],
) -> dict[str, str]:
    """Measure -> why it is not available: a ranking ends before its cut-off and its gallery."""
    reasons: dict[str, str] = {}
    for name in measures:
        k = cutoff(name)
        short = np.flatnonzero(present & (listed < (full if k is None else np.minimum(full, k))))
        if len(short):
            i = short[np.argmin(listed[short])]
            needs = "whole galleries" if k is None else f"{k} candidates"
            reasons[name] = (
                f"needs {needs}, but {len(short):,} of {present.sum():,} rankings are shorter; "
                f"that of {names[i]} has {listed[i]:,} of {full[i]:,}"
            )
    return reasons
