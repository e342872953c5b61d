"""Measures of one target per transaction, as expected values over ties: no luck of a tie-break is in them.

A target that g candidates beat, and that is one of e candidates with its very score, stands at any of the
positions g + 1 .. g + e with the same probability. Every measure is its mean over those positions.

>>> positions = Positions(np.array([0, 4, 9]), np.array([1, 3, 1]), np.array([10, 10, 10]))
>>> per_transaction(positions, ["R@5", "rank"])
{'R@5': array([1.        , 0.33333333, 0.        ]), 'rank': array([ 1.,  6., 10.])}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError, unknown

Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]

HEADLINE = ("R@5", "R@8", "mean")
"""What published work on multi-turn retrieval reports."""

_RECALL = re.compile(r"R@([1-9][0-9]*)")


@dataclass(frozen=True)
class Positions:
    """Where each target stands among its candidates. Three int64 arrays of one length, a row per transaction.

    Attributes:
        greater: candidates with a score strictly above the target's.
        equal: candidates with exactly the target's score, the target included: 1 where nothing ties with it,
            and 0 where it was not ranked at all. Such a miss has rank infinity, and 0 in every other measure.
        candidates: how many were ranked against each other, the target included.
    """

    greater: Counts
    equal: Counts
    candidates: Counts

    def __len__(self) -> int:
        return len(self.greater)

    def take(self, rows: npt.NDArray[np.int64]) -> Positions:
        """The positions of some transactions only."""
        return Positions(self.greater[rows], self.equal[rows], self.candidates[rows])

    def optimistic(self) -> Positions:
        """Every tie goes the target's way: rank g + 1."""
        return Positions(self.greater, np.minimum(self.equal, 1), self.candidates)

    def pessimistic(self) -> Positions:
        """Every tie goes against the target: rank g + e."""
        last = self.greater + np.maximum(self.equal - 1, 0)
        return Positions(last, np.minimum(self.equal, 1), self.candidates)


def recall(positions: Positions, k: int) -> Floats:
    """R@K = clip((K - g) / e, 0, 1): the share of tie permutations that put the target within the first K.

    This is Success@K, or hit rate. Naming trap: trec_eval's ``recall_K`` is the fraction of *all relevant
    items* that are within K; the two are equal only with one target per query, as here.
    """
    hits = np.clip(k - positions.greater, 0, positions.equal)
    return _ratio(hits, positions.equal, missing=0.0)


def mean_recall(positions: Positions) -> Floats:
    """(R@5 + R@8) / 2, the column "mean" of FashionNTM's tables. Naming trap: mean over K, not over rows."""
    return (recall(positions, 5) + recall(positions, 8)) / 2


def reciprocal_rank(positions: Positions) -> Floats:
    """RR = (1/e) sum of 1/r over r = g + 1 .. g + e, which is (H(g + e) - H(g)) / e. Its mean is MRR.

    Naming trap: not 1 / (expected rank), which is smaller as soon as there is a tie (Jensen). No cut-off:
    on a list of the first 100 it would be MRR@100.
    """
    from scipy.special import digamma  # late: pages that only rank start sooner

    g, e = positions.greater, positions.equal
    harmonic = _ratio(digamma(g + e + 1.0) - digamma(g + 1.0), e, missing=0.0)
    # Without a tie the difference of two near digammas loses digits: 1e-9 of the value at rank 1,000,000.
    return np.where(e == 1, 1.0 / (g + 1.0), harmonic)


def rank(positions: Positions) -> Floats:
    """Expected rank g + (e + 1) / 2, from 1; infinity for a target not ranked. Aggregated by the median.

    Naming trap: with a tie it need not be a whole number, and it is no position of any one list.
    """
    return np.where(positions.equal > 0, positions.greater + (positions.equal + 1) / 2, np.inf)


def percentile(positions: Positions) -> Floats:
    """Rank percentile 1 - (rank - 1) / (G - 1): 1 at the top, 0 at the bottom (Guo et al., the reward).

    Naming trap: the share of the *other* candidates that the target beats, hence G - 1. With G = 1 it is 1.
    """
    missed = positions.equal == 0
    beaten_by = np.where(missed, 0.0, positions.greater + (positions.equal - 1) / 2)
    return np.where(missed, 0.0, 1.0 - _ratio(beaten_by, positions.candidates - 1, missing=0.0))


MEASURES: dict[str, Callable[[Positions], Floats]] = {
    "MRR": reciprocal_rank,
    "mean": mean_recall,
    "percentile": percentile,
    "rank": rank,
}
"""Measures by name; beside them, ``R@K`` with any K from 1."""


def cutoff(name: str) -> int | None:
    """How many candidates of a ranking the measure reads; None where it reads them all.

    Raises:
        MtbenchError: there is no such measure.
    """
    if found := _RECALL.fullmatch(name):
        return int(found[1])
    if name not in MEASURES:
        raise unknown("measure", name, [*MEASURES, "R@5", "R@8"], hint="R@K takes any K from 1.")
    return 8 if name == "mean" else None


def per_transaction(positions: Positions, measures: Sequence[str] = HEADLINE) -> dict[str, Floats]:
    """The value of each measure for each transaction, float64 (n,): first these, and aggregates from them.

    Args:
        positions: of n transactions. For the optimistic or pessimistic variant of a measure give
            ``positions.optimistic()`` or ``positions.pessimistic()``.
        measures: names: ``R@5``, ``R@8``, ``R@K`` with any K, ``mean``, ``MRR``, ``rank``, ``percentile``.

    Raises:
        MtbenchError: there is no such measure.
    """
    values = {}
    for name in measures:
        if name in MEASURES:
            values[name] = MEASURES[name](positions)
        else:
            k = cutoff(name)
            assert k is not None  # cutoff knows every name outside MEASURES as R@K, or raised
            values[name] = recall(positions, k)
    return values


def micro(name: str, values: Floats) -> float:
    """Mean over transactions; the median for ``rank``.

    Raises:
        MtbenchError: there is nothing to average.
    """
    if not len(values):
        raise MtbenchError(f"{name}: no transactions to average over")
    return float(np.median(values) if name == "rank" else np.mean(values))


def macro(name: str, values: Floats, categories: Sequence[str]) -> float:
    """Unweighted mean over categories of what `micro` gives for each: "overall" in the tables of the field.

    Naming trap: not the macro average of classification; equal to `micro` only for categories of one size.
    """
    found = by_category(name, values, categories)
    if not found:
        raise MtbenchError(f"{name}: no transactions to average over")
    return float(np.mean(list(found.values())))


def by_category(name: str, values: Floats, categories: Sequence[str]) -> dict[str, float]:
    """What `micro` gives for each category, sorted by name. ``categories`` has one entry per value."""
    labels = np.asarray(categories, dtype=object)
    return {str(category): micro(name, values[labels == category]) for category in sorted(set(categories))}


def _ratio(above: npt.NDArray[np.generic], below: Counts, *, missing: float) -> Floats:
    """above / below, and ``missing`` where below is 0."""
    out = np.full(below.shape, missing, dtype=np.float64)
    np.divide(above, below, out=out, where=below > 0)
    return out
