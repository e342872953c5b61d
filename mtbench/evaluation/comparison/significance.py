"""Tests of whether two systems differ, on the same transactions.

Decisions rest on `paired_randomisation`, which treats the transactions of a cluster as one piece of evidence: those of
one final target or, where dialogues are designed, of one block.
`mcnemar` is there because tables of the field have it.

>>> mcnemar(np.array([1.0, 1, 1, 0]), np.array([0.0, 0, 0, 0]))
McNemar(first=3, second=0, p=0.25)
>>> paired_randomisation(np.array([1.0, 1, 1, 0]), ["a", "b", "c", "d"])
Randomisation(estimate=array([0.75]), p=array([0.25]), patterns=8, exact=True)
>>> holm([0.01, 0.04, 0.03])
array([0.03, 0.06, 0.06])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, norm

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.statistics import Floats, Labels, by_cluster

EXACT = 12
"""Up to this many clusters that differ, all sign patterns are enumerated: 4,096 of them."""

_SIGNS = 1 << 18
"""Signs held at once, 2 MB: as much as the bootstrap."""

_ROUNDING = 1e-10
"""Of the largest difference that signs can make: two that are nearer to each other are the same."""


@dataclass(frozen=True)
class McNemar:
    """How often the first was better and how often the second, and the two-sided p of such an imbalance."""

    first: int
    second: int
    p: float


@dataclass(frozen=True)
class Randomisation:
    """Of k differences: their means and two-sided p, float64 (k,); sign patterns tried, and whether they are all."""

    estimate: Floats
    p: Floats
    patterns: int
    exact: bool


def mcnemar(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> McNemar:
    """Exact McNemar test on discordant transactions (McNemar, 1947; the binomial form of its table).

    A hit is a fraction where targets tie, so what counts is which of two systems has the larger value: a sign
    test, equal to McNemar's where hits are 0 or 1. How much larger plays no part.

    It takes transactions as independent, which those of one cluster are not; its p is then too small.
    Report it if a reader expects it, and decide by `paired_randomisation`.

    Args:
        first: R@K of n transactions, (n,).
        second: the same of the other system, in the same order.

    Raises:
        MtbenchError: no values, values that do not fit, or that are not finite.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 1 or not len(one):
        raise MtbenchError(f"two systems need values of the same transactions, not {one.shape} and {two.shape}")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise MtbenchError("McNemar's test needs finite values")
    better, worse = int((one > two).sum()), int((one < two).sum())
    return McNemar(better, worse, float(binomtest(better, better + worse).pvalue) if better + worse else 1.0)


def paired_randomisation(
    differences: npt.NDArray[Any],
    clusters: Labels,
    *,
    groups: Labels | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Randomisation:
    """Two-sided test that a mean difference is zero: the signs of whole clusters are flipped at random.

    If two systems are alike, then it does not matter which one a cluster's results are said to be of (Fisher's
    randomisation test, as in Smucker, Allan & Carterette, CIKM 2007; by cluster, because its transactions
    rise and fall together). p is (b + 1) / (m + 1), b of m random patterns giving a mean at least as
    far from 0 as the observed one; with `EXACT` clusters that differ, or fewer, the share of all patterns, which
    is never below 2 / 2^C (`least_p`).

    Args:
        differences: (n,) or (n, k): of n transactions, for k pairs of systems that share the sign patterns.
        clusters: of each transaction, (n,).
        groups: category of each, (n,), for the macro average; None for the plain mean. A cluster is a pair
            (group, label), as in `bootstrap`.
        resamples: m, the random sign patterns.
        seed: same seed and same input, same p. The order of the transactions plays no part.

    Raises:
        MtbenchError: no values or some that are not finite, labels of another length.
    """
    if resamples < 1:
        raise MtbenchError(f"resamples must be 1 or more, not {resamples}")
    strata = by_cluster(differences, clusters, groups)
    shares = np.concatenate([sums[:, :-1] / (sums[:, -1].sum() * len(strata)) for sums in strata])
    total, reach = shares.sum(axis=0), np.abs(shares).sum(axis=0)
    shares = shares[(shares != 0).any(axis=1)]  # the others stay 0, whatever their sign
    exact = len(shares) <= EXACT
    patterns = 2 ** len(shares) if exact else resamples
    rng = np.random.default_rng(seed)
    beyond = np.zeros(len(total), np.int64)
    step = max(1, _SIGNS // max(1, len(shares)))
    for start in range(0, patterns, step):
        stop = min(start + step, patterns)
        flipped = _all_bits(start, stop, len(shares)) if exact else _bits(rng, stop - start, len(shares))
        means = total - 2 * (flipped @ shares)
        beyond += (np.abs(means) >= np.abs(total) - _ROUNDING * reach).sum(axis=0)
    p = beyond / patterns if exact else (beyond + 1) / (patterns + 1)
    return Randomisation(total, p, patterns, exact)


def all_pairs(
    values: npt.NDArray[Any],
    clusters: Labels,
    *,
    groups: Labels | None = None,
    patterns: int = 10_000,
    seed: int = 0,
) -> Floats:
    """The p of `paired_randomisation` for every pair of k systems, float64 (k, k), all under the same random signs.

    A flipped mean of differences is the difference of two flipped means, so that signs meet k columns and not
    k (k - 1) / 2: a hundred systems cost what a hundred differences do.

    Args:
        values: (n, k): one column per system.
        clusters, groups: of each transaction, as for `paired_randomisation`.
        patterns: random sign patterns; at least 40 for each pair are drawn, or Holm's rule could find nothing.
        seed: of the patterns.

    Raises:
        MtbenchError: no values or some that are not finite, labels of another length.
    """
    strata = by_cluster(values, clusters, groups)
    shares = np.concatenate([sums[:, :-1] / (sums[:, -1].sum() * len(strata)) for sums in strata])
    k = shares.shape[1]
    patterns = max(patterns, 20 * k * (k - 1))
    total = shares.sum(axis=0)
    rng = np.random.default_rng(seed)
    p = np.ones((k, k))
    beyond = np.zeros((k, k), np.int64)
    # What a difference must reach, less what rounding may take away.
    bar = np.array(
        [np.abs(total[i] - total) - _ROUNDING * np.abs(shares[:, [i]] - shares).sum(axis=0) for i in range(k)]
    )
    step = max(1, _SIGNS // max(1, len(shares)))
    for start in range(0, patterns, step):
        signs = _bits(rng, min(step, patterns - start), len(shares))
        flipped = np.ascontiguousarray((total - 2 * (signs @ shares)).T)
        for i in range(k - 1):
            beyond[i, i + 1 :] += (np.abs(flipped[i] - flipped[i + 1 :]) >= bar[i, i + 1 :, None]).sum(axis=1)
    one, two = np.triu_indices(k, 1)
    p[one, two] = p[two, one] = (beyond[one, two] + 1) / (patterns + 1)
    return p


def least_p(clusters: int) -> float:
    """The smallest p that `paired_randomisation` can come to: all clusters as they are, or all flipped.

    >>> least_p(4), least_p(6)
    (0.125, 0.03125)
    """
    return float(2.0 ** (1 - clusters))


def holm(p_values: Sequence[float] | npt.NDArray[Any]) -> Floats:
    """Adjusted p of m tests, in their order: with each below 0.05 called a finding, the chance of any false one is 5%.

    The i-th smallest of m is multiplied by m - i + 1, and none is less than one before it (Holm, 1979).

    Raises:
        MtbenchError: a p outside 0..1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise MtbenchError("p values must be a list of numbers from 0 to 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def minimum_detectable_difference(
    standard_error: npt.ArrayLike, *, alpha: float = 0.05, power: float = 0.8
) -> npt.NDArray[np.float64]:
    """The true difference that a two-sided test at ``alpha`` finds with probability ``power``.

    (z_{1 - alpha/2} + z_power) times the standard error, in the unit of the latter. A smaller difference may well
    be there and go unseen: where nothing was found, it says how much that means. It depends on how the differences
    vary and on how many there are, not on the difference that was observed.

    >>> round(float(minimum_detectable_difference(1.0)), 4)
    2.8016

    Args:
        standard_error: of the mean difference, any shape: of data at hand `statistics.standard_error` of the
            differences; to plan, (sd of a cluster's mean difference) / sqrt(number of clusters).
        alpha: of the test. With m comparisons under Holm's rule ``0.05 / m`` is on the safe side.
        power: the probability of finding it.

    Raises:
        MtbenchError: alpha or power outside 0..1.
    """
    if not (0 < alpha < 1 and 0 < power < 1):
        raise MtbenchError(f"alpha {alpha} and power {power} must lie between 0 and 1")
    return np.asarray((norm.ppf(1 - alpha / 2) + norm.ppf(power)) * np.asarray(standard_error, dtype=np.float64))


def _bits(rng: np.random.Generator, rows: int, n: int) -> Floats:
    """Random zeros and ones, (rows, n): 64 of a draw. Rows do not depend on how many are drawn at once."""
    words = rng.integers(0, 1 << 64, size=(rows, -(-n // 64)), dtype=np.uint64)
    return np.unpackbits(words.view(np.uint8), axis=1, count=n).astype(np.float64)


def _all_bits(start: int, stop: int, n: int) -> Floats:
    """The numbers from ``start`` to ``stop`` in binary, (stop - start, n)."""
    return (np.arange(start, stop)[:, None] >> np.arange(n) & 1).astype(np.float64)
