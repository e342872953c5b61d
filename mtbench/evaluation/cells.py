"""Rows of a table of results: some transactions, and the mean of each measure over them with its interval.

>>> cell(study, {"R@5": hits}, turns=3, last=1)
{'turns': 3, 'last': 1, 'n': 483, 'clusters': 471, 'R@5': 0.093, 'R@5 interval': [0.069, 0.119]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from mtbench.evaluation.measures import HEADLINE, Floats, Positions, per_transaction
from mtbench.evaluation.ranking import Indices
from mtbench.evaluation.statistics import bootstrap
from mtbench.evaluation.study import Study

INTERVAL = " interval"
"""Ends the name of an interval beside its measure."""

AVERAGES = (
    "Rows over all transactions are macro averages over categories, as the headline is; rows of one number of turns "
    "pool the categories."
)
"""What a reader of rows by number of turns must know."""

Labelled: TypeAlias = tuple[Mapping[str, Any], Mapping[str, Floats]]
"""What a row is about, and by measure one value for each of its transactions, float64 (r,)."""


def cell(
    study: Study, values: Mapping[str, Floats], rows: Indices | None = None, *, pooled: bool = False, **labels: Any
) -> dict[str, Any]:
    """Labels, n, clusters (final targets), and for each measure its mean and 95% interval.

    Args:
        study: says which transactions share a final target, and so are one piece of evidence.
        values: by measure, one value for each of ``rows``, float64 (r,). Differences between two paired values
            are measures like any other.
        rows: transactions of the study, int64 (r,); all of them by default. One may occur more than once.
        pooled: plain mean over transactions; macro over categories by default, as the headline is.
        labels: what the row is about; come first.
    """
    return next(iter(cells(study, [(labels, values)], rows, pooled=pooled)), {**labels, "n": 0, "clusters": 0})


def cells(
    study: Study, found: Sequence[Labelled], rows: Indices | None = None, *, pooled: bool = False
) -> list[dict[str, Any]]:
    """Several rows about the same transactions; none where there are no transactions.

    They are what `cell` gives one by one. Almost all of its time goes into drawing the samples of the bootstrap, and
    here they are drawn once.

    Args:
        study, rows, pooled: as for `cell`.
        found: labels and values of each row.
    """
    chosen = np.arange(len(study)) if rows is None else np.asarray(rows)
    if not len(chosen) or not found:
        return []
    clusters = np.asarray(study.clusters, dtype=object)[chosen]
    groups = None if pooled else np.asarray(study.categories, dtype=object)[chosen]
    columns = [np.asarray(column, dtype=np.float64) for _, values in found for column in values.values()]
    drawn = bootstrap(np.column_stack(columns), clusters, groups=groups, seed=study.seed)
    measured = iter(zip(drawn.estimate.tolist(), drawn.low.tolist(), drawn.high.tolist(), strict=True))
    table = []
    for labels, values in found:
        row = {**labels, "n": len(set(chosen.tolist())), "clusters": drawn.n_clusters}
        for name in values:
            mean, low, high = next(measured)
            row |= {name: mean, name + INTERVAL: [low, high]}
        table.append(row)
    return table


def excerpt(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What a row says of some of its measures, with n, for a reader who wants one number."""
    keys = ["n", "clusters", *(key for name in names for key in (name, name + INTERVAL))]
    return {key: row[key] for key in keys if key in row}


def hits(positions: Positions) -> dict[str, Floats]:
    """R@5, R@8 and their mean for each transaction."""
    return per_transaction(positions, HEADLINE)
