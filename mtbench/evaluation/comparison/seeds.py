"""Seeds as a second source of variance: one system, trained or run several times.

Transactions tell how a score would move on other clusters; runs with other seeds tell how it would move if the same
training were done again. An interval over transactions alone is about one set of weights, not about a method.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtbench.evaluation.statistics import Floats


def over_seeds(drawn: Floats, *, seed: int | list[int] = 0) -> Floats:
    """Means over the seeds of one system, varied as its seeds do: the second way of a two-way bootstrap.

    The columns hold one system run with s seeds, all over the same samples of clusters. A row's mean is taken over
    s of them drawn with replacement. As means of what was drawn vary by (s - 1) / s of what means of new seeds
    would, half of it with two seeds, deviations from the plain mean are widened by sqrt(s / (s - 1)). The variance
    is then that of the clusters, plus the sample variance of the seeds over s, plus that of their interaction,
    which resampling both ways counts up to three times (Owen, The pigeonhole bootstrap, 2007): rather too wide
    than too narrow. With fewer than five seeds the share of the seeds is no more than a guess.

    Args:
        drawn: (resamples, s): columns of `statistics.Resamples.drawn`.
        seed: of the draws. Two systems need two, or their seeds would seem paired.

    Returns:
        (resamples,). With one seed its own column: how much seeds matter is then unknown, not zero.
    """
    resamples, n = drawn.shape
    plain: Floats = drawn.mean(axis=1)
    if n == 1:
        return plain
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples) / n
    deviations: Floats = ((weights - 1 / n) * drawn).sum(axis=1)
    varied: Floats = plain + deviations * (n / (n - 1)) ** 0.5
    return varied


def seed_sd(means: npt.NDArray[np.float64]) -> float | None:
    """Sample standard deviation of the means of a system's seeds, (s,); None for one seed, which cannot tell.

    >>> seed_sd(np.array([0.5, 0.75]))
    0.1767766952966369
    """
    return float(means.std(ddof=1)) if len(means) > 1 else None
