r"""AP@K, recall@K and Success@K with several relevant images, expected over ties in closed form.

McSherry and Najork (ECIR 2008, "Computing Information Retrieval Performance Measures Efficiently in the Presence of
Tied Scores") take the mean over all orders of equal scores, as `mtbench.evaluation.measures` does for one target.
Candidates of one score are a class: g candidates stand above it, it has e members, r of them relevant, and b relevant
ones stand above it. Its members take the positions g + 1 .. g + e in any order with the same probability.

* The member at position p is relevant with probability r / e. Given that, each of the p - g - 1 members before it is
  relevant with probability (r - 1) / (e - 1). The precision at p and the relevance at p are hence expected to give

      E[P(p) rel(p)] = r / e * (b + 1 + (p - g - 1) (r - 1) / (e - 1)) / p

  and AP@K is the sum over all classes and positions p <= K, divided by min(R, K) with R relevant images in all (CIRCO).
* Of the r relevant members, r * clip(K - g, 0, e) / e are expected within the first K: recall@K is their sum over the
  classes, divided by R.
* The first class that has a relevant member decides on Success@K. With m = clip(K - g, 0, e) of its positions within
  the first K, none of them is relevant with the hypergeometric probability C(e - r, m) / C(e, m).

An image that was not ranked (``equal`` 0) is never found, and is one of the R all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import gammaln

from mtbench.evaluation.measures import Counts, Floats


@dataclass(frozen=True)
class Classes:
    """The tie classes that have relevant members, by query and best first: int64 (c,) each. Names as above."""

    query: Counts
    g: Counts
    e: Counts
    r: Counts
    b: Counts


@dataclass(frozen=True)
class Relevant:
    """Where the relevant images of n queries stand: int64 (t,) each, sorted by query.

    Attributes:
        query: which query an image is relevant to.
        greater, equal: as in `mtbench.evaluation.measures.Positions`.
        n: number of queries; each has at least one relevant image.
    """

    query: Counts
    greater: Counts
    equal: Counts
    n: int

    @cached_property
    def count(self) -> Counts:
        """R: relevant images of each query, (n,)."""
        return np.bincount(self.query, minlength=self.n)

    @cached_property
    def classes(self) -> Classes:
        """Images of one query with one score are together."""
        ranked = self.equal > 0
        keys = np.stack([self.query[ranked], self.greater[ranked], self.equal[ranked]], axis=1)
        found, r = np.unique(keys, axis=0, return_counts=True)
        query, g, e = found.reshape(-1, 3).T
        before = np.cumsum(r) - r
        first = np.searchsorted(query, query)  # the first class of the same query
        return Classes(query, g, e, r.astype(np.int64), before - before[first] if len(query) else before)


def average_precision(where: Relevant, k: int) -> Floats:
    """AP@K of each query, (n,). Naming trap: trec_eval's ``map_cut_K`` divides by R, not by min(R, K)."""
    of = where.classes
    p = np.arange(1, k + 1)
    inside = (p > of.g[:, None]) & (p <= (of.g + of.e)[:, None])
    slope = (of.r - 1) / np.maximum(of.e - 1, 1)
    found = of.b[:, None] + 1 + (p - of.g[:, None] - 1) * slope[:, None]
    gains = (np.where(inside, found / p, 0.0).sum(axis=1)) * of.r / of.e
    return np.bincount(of.query, weights=gains, minlength=where.n) / np.minimum(where.count, k)


def recall(where: Relevant, k: int) -> Floats:
    """Share of the relevant images within the first K, (n,): trec_eval's ``recall_K``.

    Naming trap: not R@K of this toolkit and of the field, which is `success`.
    """
    of = where.classes
    found = of.r * np.clip(k - of.g, 0, of.e) / of.e
    return np.bincount(of.query, weights=found, minlength=where.n) / where.count


def success(where: Relevant, k: int) -> Floats:
    """Whether any relevant image is within the first K, (n,); with one relevant image this is R@K."""
    of = where.classes
    first = of.b == 0
    g, e, r = of.g[first], of.e[first], of.r[first]
    m = np.clip(k - g, 0, e)
    possible = m <= e - r  # so few positions that all of them can be others
    others = np.where(possible, e - r, m)
    log = _log_choose(others, m) - _log_choose(e, m)
    values = np.zeros(where.n)
    values[of.query[first]] = np.where(possible, -np.expm1(log), 1.0)
    return np.clip(values, 0.0, 1.0)


def _log_choose(n: Counts, k: Counts) -> Floats:
    found: Floats = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return found
