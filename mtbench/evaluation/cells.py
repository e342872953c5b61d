"""One row of a table of results: some transactions, and the mean of each measure over them with its interval.

>>> cell(study, {"R@5": hits}, turns=3, last=1)
{'turns': 3, 'last': 1, 'n': 483, 'targets': 471, 'R@5': 0.093, 'R@5 interval': [0.069, 0.119]}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mtbench.evaluation.measures import Floats, Positions, per_transaction
from mtbench.evaluation.statistics import bootstrap
from mtbench.evaluation.study import Study

HITS = ("R@5", "R@8", "mean")
INTERVAL = " interval"
"""Ends the name of an interval beside its measure."""


def cell(
    study: Study,
    values: Mapping[str, Floats],
    rows: npt.NDArray[np.int64] | None = None,
    *,
    pooled: bool = False,
    **labels: Any,
) -> dict[str, Any]:
    """Labels, n, final targets, and for each measure its mean and 95% interval.

    Args:
        study: says which transactions share a final target, and so are one piece of evidence.
        values: by measure, one value for each of ``rows``, float64 (r,). Differences between two paired values
            are measures like any other.
        rows: transactions of the study, int64 (r,); all of them by default. One may occur more than once.
        pooled: plain mean over transactions; macro over categories by default, as the headline is.
        labels: what the row is about; come first.
    """
    chosen = np.arange(len(study)) if rows is None else np.asarray(rows)
    if not len(chosen):
        return {**labels, "n": 0, "targets": 0}
    clusters = np.asarray(study.clusters, dtype=object)[chosen]
    groups = None if pooled else np.asarray(study.categories, dtype=object)[chosen]
    table = np.column_stack([np.asarray(column, dtype=np.float64) for column in values.values()])
    found = bootstrap(table, clusters, groups=groups, seed=study.seed)
    measured: dict[str, Any] = {}
    for name, mean, low, high in zip(values, found.estimate, found.low, found.high, strict=True):
        measured |= {name: float(mean), name + INTERVAL: [float(low), float(high)]}
    return {**labels, "n": len(set(chosen.tolist())), "targets": found.n_clusters, **measured}


def hits(positions: Positions) -> dict[str, Floats]:
    """R@5, R@8 and their mean for each transaction."""
    return per_transaction(positions, HITS)
