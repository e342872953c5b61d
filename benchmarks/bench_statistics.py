"""Intervals and tests over final targets against scipy's, which know of no clusters, in one run.

    python benchmarks/bench_statistics.py [--json]

Ours make 10,000 samples of 10,000 transactions x 3 measures. scipy's make a tenth of the samples (--share), vectorised
and in batches, and are counted as that many times slower. The floor of each is to draw its random numbers, no more.
"""

from __future__ import annotations

import common
import numpy as np
from scipy import stats

from mtbench.evaluation.comparison.seeds import over_seeds
from mtbench.evaluation.comparison.significance import paired_randomisation
from mtbench.evaluation.statistics import bootstrap, resample

BATCH = 50
"""Of scipy's samples, 12 MB of values at once: larger ones are slower, as are single ones."""


def main() -> None:
    parser = common.options(__doc__, repeat=3)
    parser.add_argument("--transactions", type=int, default=10_000)
    parser.add_argument("--targets", type=int, default=6_000, help="of the clustered cases")
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--share", type=int, default=10, help="scipy makes one in so many of the samples")
    options = parser.parse_args()
    n, resamples, fewer = options.transactions, options.resamples, options.resamples // options.share
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 2, (2, n, 3)).astype(float)
    single, targets = np.arange(n), rng.integers(0, options.targets, n)

    def draw_rows() -> None:
        for _ in range(resamples):
            rng.integers(0, n, n)

    def mean(x: np.ndarray, axis: int) -> np.ndarray:
        return x.mean(axis=axis)

    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return (x - y).mean(axis=axis)

    peer = {"n_resamples": fewer, "batch": BATCH, "vectorized": True, "axis": 0}
    times = common.least(
        {
            "draw rows": draw_rows,
            "scipy.stats.bootstrap": lambda: stats.bootstrap((one,), mean, method="percentile", **peer),
            "bootstrap, single transactions": lambda: bootstrap(one, single, resamples=resamples),
            "bootstrap, clusters": lambda: bootstrap(one, targets, resamples=resamples),
            "bootstrap, clusters and 3 seeds": lambda: over_seeds(resample(one, targets, resamples=resamples).drawn),
            "draw signs": lambda: rng.bytes(resamples * n // 8),
            "scipy.stats.permutation_test": lambda: stats.permutation_test(
                (one, two), difference, permutation_type="samples", **peer
            ),
            "randomisation, single transactions": lambda: paired_randomisation(one - two, single, resamples=resamples),
            "randomisation, clusters": lambda: paired_randomisation(one - two, targets, resamples=resamples),
        },
        options.repeat,
    )

    def rows(names: list[str]) -> list[dict[str, object]]:
        floor, theirs, *_ = names
        whole = {name: times[name] * (options.share if name == theirs else 1) for name in names}
        return [
            {
                "case": f"{name}, x {options.share}" if name == theirs else name,
                "seconds": t,
                "of the floor": t / whole[floor],
                "scipy is slower by": whole[theirs] / t,
            }
            for name, t in whole.items()
        ]

    names = list(times)
    about = f"{resamples:,} samples of {n:,} transactions x 3 measures: least of {options.repeat}, in turns"
    tables = {"intervals": rows(names[:5]), "tests": rows(names[5:])}
    common.report(about, common.context("numpy", "scipy"), tables, as_json=options.json)


if __name__ == "__main__":
    main()
