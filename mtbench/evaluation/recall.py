"""The headline evaluator: R@5 and R@8 with ties, own references and intervals accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtbench.evaluation.measures import Floats, macro, micro, per_transaction
from mtbench.evaluation.statistics import bootstrap
from mtbench.evaluation.study import Study

WITH_INTERVAL = ("R@5", "R@8", "mean", "MRR")


class Recall:
    """R@5, R@8, their mean, MRR and median rank: macro and micro, per category and turns, with intervals."""

    def run(self, study: Study) -> dict[str, Any]:
        """Every aggregate of the ranking. Shares in 0..1; ``rank`` is the median rank.

        ``measures`` is the headline: macro over categories, expected over ties, own references kept.
        """
        categories, positions, measures = study.categories, study.positions, study.measures
        values = per_transaction(positions, measures)
        with_interval = [name for name in WITH_INTERVAL if name in measures]
        columns = np.column_stack([values[name] for name in with_interval])
        found = bootstrap(columns, study.clusters, groups=categories, seed=study.seed)
        return {
            "n": len(study.transactions),
            "measures": _macro(values, categories),
            "intervals": {
                name: [float(low), float(high)]
                for name, low, high in zip(with_interval, found.low, found.high, strict=True)
            },
            "interval_method": {
                "kind": "percentile bootstrap over clusters (final targets, or designed blocks), within categories",
                "level": found.level,
                "clusters": found.n_clusters,
                "seed": study.seed,
            },
            "micro": {name: _finite(micro(name, row)) for name, row in values.items()},
            "own_references_excluded": _macro(per_transaction(study.excluded, study.excluded_measures), categories),
            "ties_optimistic": _macro(per_transaction(positions.optimistic(), measures), categories),
            "ties_pessimistic": _macro(per_transaction(positions.pessimistic(), measures), categories),
            "by_category": _groups(values, categories),
            "by_turns": _groups(values, [str(n) for n in study.turns]),
        }


def _macro(values: Mapping[str, Floats], categories: Sequence[str]) -> dict[str, float | None]:
    return {name: _finite(macro(name, row, categories)) for name, row in values.items()}


def _finite(value: float) -> float | None:
    """JSON has no infinity, which is the median rank where most targets are not ranked."""
    return value if np.isfinite(value) else None


def _groups(values: Mapping[str, Floats], labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``{label: {"n", "measures"}}``: transactions pooled within each label."""
    keys = np.asarray(labels, dtype=object)
    return {
        label: {
            "n": int((keys == label).sum()),
            "measures": {name: _finite(micro(name, row[keys == label])) for name, row in values.items()},
        }
        for label in sorted(set(labels))
    }
