"""The cluster bootstrap: against enumeration, against theory, and against a slow loop."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mtbench.core.errors import MtbenchError
from mtbench.evaluation import statistics
from mtbench.evaluation.statistics import bootstrap


def test_two_clusters_have_the_distribution_of_their_four_samples():
    # Clusters a: (1, 1, 1) and b: (0). Samples aa, ab, ba, bb have the ratios 1, 3/4, 3/4, 0, a quarter each.
    values, clusters = np.array([1.0, 1, 1, 0]), ["a", "a", "a", "b"]
    found = bootstrap(values, clusters, level=0.9)
    assert (found.estimate[0], found.low[0], found.high[0], found.n_clusters) == (0.75, 0, 1, 2)
    middle = bootstrap(values, clusters, level=0.4)
    assert (middle.low[0], middle.high[0]) == (0.75, 0.75)


def test_resamples_have_the_mean_and_spread_of_all_samples_there_are():
    sums = np.array([[2.0, 3], [0, 1], [1, 2]])
    every = [sums[list(pick)].sum(axis=0) for pick in itertools.product(range(3), repeat=3)]
    ratios = np.array([total[0] / total[1] for total in every])
    drawn = statistics._ratios(sums, 200_000, np.random.default_rng(0))[:, 0]
    assert drawn.mean() == pytest.approx(ratios.mean(), abs=3e-3)
    assert drawn.std() == pytest.approx(ratios.std(), abs=3e-3)
    assert set(np.round(drawn, 9)) == set(np.round(ratios, 9))


def test_independent_transactions_get_the_interval_of_theory():
    values = np.random.default_rng(0).random(4_000)
    found = bootstrap(values, np.arange(4_000), seed=1)
    half = 1.96 * values.std() / 4_000**0.5
    assert found.low[0] == pytest.approx(values.mean() - half, abs=half / 15)
    assert found.high[0] == pytest.approx(values.mean() + half, abs=half / 15)


def test_copies_of_one_cluster_do_not_narrow_the_interval():
    values = np.random.default_rng(0).integers(0, 2, 300).astype(float)
    once = bootstrap(values, np.arange(300))
    copied = bootstrap(np.repeat(values, 9), np.repeat(np.arange(300), 9))
    assert copied.low == pytest.approx(once.low) and copied.high == pytest.approx(once.high)
    naive = bootstrap(np.repeat(values, 9), np.arange(2_700))
    assert (once.high - once.low)[0] > 2.5 * (naive.high - naive.low)[0]


def test_the_macro_average_weighs_groups_alike_and_resamples_inside_them():
    values = np.array([1.0, 1, 1, 1, 0, 0])
    groups = ["dress"] * 4 + ["shirt"] * 2
    found = bootstrap(values, ["a", "b", "c", "d", "a", "b"], groups=groups)
    assert (found.estimate[0], found.low[0], found.high[0]) == (0.5, 0.5, 0.5)  # nothing varies inside a group
    assert found.n_clusters == 6  # a target of two categories is two clusters
    assert bootstrap(values, ["a", "b", "c", "d", "a", "b"]).n_clusters == 4


def test_the_macro_interval_agrees_with_a_slow_loop():
    rng = np.random.default_rng(2)
    values, clusters = rng.random((120, 2)), rng.integers(0, 30, 120)
    groups = rng.choice(["a", "b", "c"], 120, p=[0.6, 0.3, 0.1])
    found = bootstrap(values, clusters, groups=groups, resamples=20_000, level=0.9)
    means = []
    for _ in range(3_000):
        parts = []
        for group in "abc":
            labels = np.unique(clusters[groups == group])
            picked = [values[(groups == group) & (clusters == label)] for label in rng.choice(labels, len(labels))]
            parts.append(np.concatenate(picked).mean(axis=0))
        means.append(np.mean(parts, axis=0))
    low, high = np.quantile(means, [0.05, 0.95], axis=0)
    assert found.low == pytest.approx(low, abs=0.01) and found.high == pytest.approx(high, abs=0.01)
    assert found.estimate == pytest.approx(np.mean([values[groups == group].mean(axis=0) for group in "abc"], axis=0))


def test_the_same_seed_gives_the_same_interval_whatever_the_order_of_rows_and_another_seed_another():
    rng = np.random.default_rng(3)
    values, clusters = rng.integers(0, 2, (200, 3)), np.array([f"image{i}" for i in rng.integers(0, 90, 200)])
    groups = rng.choice(["dress", "shirt"], 200)
    order = rng.permutation(200)
    one = bootstrap(values, clusters, groups=groups, resamples=500)
    two = bootstrap(values[order], clusters[order], groups=groups[order], resamples=500)
    other = bootstrap(values, clusters, groups=groups, resamples=500, seed=1)
    assert one.low.tolist() == two.low.tolist() and one.high.tolist() == two.high.tolist()
    assert one.low.tolist() != other.low.tolist()


def test_blocks_of_any_size_give_the_same_interval(monkeypatch):
    values, clusters = np.random.default_rng(4).integers(0, 2, 50), np.arange(50) // 2
    whole = bootstrap(values, clusters, resamples=300)
    monkeypatch.setattr(statistics, "_DRAWS", 60)
    small = bootstrap(values, clusters, resamples=300)
    assert (whole.low[0], whole.high[0]) == (small.low[0], small.high[0])


@pytest.mark.parametrize(
    ("values", "clusters", "options", "message"),
    [
        ([1.0, np.inf], ["a", "b"], {}, "only finite"),
        ([], [], {}, "at least one value"),
        ([1.0], ["a", "b"], {}, "do not fit"),
        ([1.0, 0.0], ["a", "b"], {"groups": ["x"]}, "do not fit"),
        ([1.0], ["a"], {"level": 95}, "between 0 and 1"),
        ([1.0], ["a"], {"resamples": 0}, "1 or more"),
    ],
)
def test_input_that_gives_no_interval_is_refused(values, clusters, options, message):
    with pytest.raises(MtbenchError, match=message):
        bootstrap(np.array(values), clusters, **options)
