"""The headline evaluator: R@5 and R@8 with ties, own references and intervals accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mtbench.core.types import Transaction
from mtbench.evaluation.measures import Floats, Positions, macro, micro, per_transaction
from mtbench.evaluation.ranker import Query, Ranker, in_order
from mtbench.evaluation.ranking import Ranks
from mtbench.evaluation.statistics import bootstrap

MEASURES = ("R@5", "R@8", "mean", "MRR", "rank", "percentile")
WITH_INTERVAL = ("R@5", "R@8", "mean", "MRR")

ByCategory = dict[str, tuple[npt.NDArray[np.int64], Ranks]]


class Recall:
    """R@5, R@8, their mean, MRR and median rank: macro and micro, per category and turns, with intervals."""

    def run(
        self, ranker: Ranker, transactions: Sequence[Transaction], *, joiner: str, seed: int = 0
    ) -> tuple[dict[str, Any], dict[str, Floats], ByCategory]:
        """Rank every transaction and measure.

        Returns:
            the aggregates for the result record, the values per transaction, and the ranks by category.
        """
        ranks = ranker.rank([Query(t.history(joiner=joiner), t.target) for t in transactions])
        positions = in_order(ranks, len(transactions))
        values = per_transaction(positions, MEASURES)
        return (
            summary(positions, in_order(ranks, len(transactions), excluded=True), transactions, seed=seed),
            values,
            ranks,
        )


def summary(
    positions: Positions, excluded: Positions, transactions: Sequence[Transaction], *, seed: int
) -> dict[str, Any]:
    """Every aggregate of one ranking. Shares in 0..1; ``rank`` is the median rank.

    ``measures`` is the headline: macro over categories, expected over ties, own references kept.
    """
    categories = [transaction.category for transaction in transactions]
    values = per_transaction(positions, MEASURES)
    clusters = [f"{t.category}\t{t.target}" for t in transactions]
    columns = np.column_stack([values[name] for name in WITH_INTERVAL])
    found = bootstrap(columns, clusters, groups=categories, seed=seed)
    return {
        "n": len(transactions),
        "measures": _macro(values, categories),
        "intervals": {
            name: [float(low), float(high)]
            for name, low, high in zip(WITH_INTERVAL, found.low, found.high, strict=True)
        },
        "interval_method": {
            "kind": "percentile bootstrap over final targets, within categories",
            "level": found.level,
            "clusters": found.n_clusters,
            "seed": seed,
        },
        "micro": {name: micro(name, row) for name, row in values.items()},
        "own_references_excluded": _macro(per_transaction(excluded, MEASURES), categories),
        "ties_optimistic": _macro(per_transaction(positions.optimistic(), MEASURES), categories),
        "ties_pessimistic": _macro(per_transaction(positions.pessimistic(), MEASURES), categories),
        "by_category": _groups(values, categories),
        "by_turns": _groups(values, [str(len(transaction.turns)) for transaction in transactions]),
    }


def _macro(values: Mapping[str, Floats], categories: Sequence[str]) -> dict[str, float]:
    return {name: macro(name, row, categories) for name, row in values.items()}


def _groups(values: Mapping[str, Floats], labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``{label: {"n", "measures"}}``: transactions pooled within each label."""
    keys = np.asarray(labels, dtype=object)
    return {
        label: {
            "n": int((keys == label).sum()),
            "measures": {name: micro(name, row[keys == label]) for name, row in values.items()},
        }
        for label in sorted(set(labels))
    }
