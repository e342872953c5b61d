"""Tests of differences: by hand, against enumeration, and against scipy and statsmodels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.comparison import significance
from mtbench.evaluation.comparison.seeds import over_seeds, seed_sd
from mtbench.evaluation.comparison.significance import (
    holm,
    least_p,
    mcnemar,
    minimum_detectable_difference,
    paired_randomisation,
)
from mtbench.evaluation.statistics import bootstrap, resample, standard_error

# McNemar


def test_five_wins_and_one_loss_have_the_binomial_p_worked_out_by_hand():
    found = mcnemar(np.array([1.0, 1, 1, 1, 1, 0, 1, 0]), np.array([0.0, 0, 0, 0, 0, 1, 1, 0]))
    assert (found.first, found.second) == (5, 1)
    assert found.p == pytest.approx(2 * (1 + 6) / 64)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_agrees_with_statsmodels_on_hits(pairs):
    first, second = np.array(pairs, float).T
    counts = [[int(((first == a) & (second == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    assert mcnemar(first, second).p == pytest.approx(statsmodels_mcnemar(counts, exact=True).pvalue)


def test_fractions_of_a_hit_count_by_their_sign_and_equal_ones_not_at_all():
    assert vars(mcnemar(np.array([1 / 3, 1 / 3, 0.5, 1]), np.array([1 / 3, 0, 1, 0]))) == {
        "first": 2,
        "second": 1,
        "p": 1.0,
    }
    assert mcnemar(np.ones(4), np.ones(4)).p == 1


@pytest.mark.parametrize(("one", "two"), [([1.0], [1.0, 0.0]), ([], []), ([np.nan], [1.0]), ([[1.0]], [[1.0]])])
def test_mcnemar_refuses_what_is_not_paired_or_no_number(one, two):
    with pytest.raises(MtbenchError, match=r"same transactions|finite"):
        mcnemar(np.array(one), np.array(two))


# Randomisation


def slow_p(differences, clusters, groups):
    """Every sign pattern of every cluster, the macro average taken anew each time."""
    keys = sorted(set(zip(groups, clusters, strict=True)))
    row_of = np.array([keys.index(key) for key in zip(groups, clusters, strict=True)])

    def mean(values):
        return np.mean([values[np.array(groups) == group].mean() for group in sorted(set(groups))])

    means = [mean(differences * np.array(signs)[row_of]) for signs in itertools.product((1, -1), repeat=len(keys))]
    return np.mean(np.abs(means) >= abs(mean(differences)) - 1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([-1.0, -1 / 3, 0.0, 0.5, 1.0]), st.sampled_from("abcd"), st.sampled_from("xy")),
        min_size=1,
        max_size=12,
    )
)
def test_few_clusters_are_enumerated_and_agree_with_a_slow_loop_over_all_signs(rows):
    differences, clusters, groups = (list(column) for column in zip(*rows, strict=True))
    found = paired_randomisation(np.array(differences), clusters, groups=groups)
    assert found.exact
    assert found.p[0] == pytest.approx(slow_p(np.array(differences), clusters, groups))


def test_single_transactions_agree_with_scipys_exact_test():
    rng = np.random.default_rng(0)
    one, two = rng.random(11), rng.random(11) - 0.2
    theirs = permutation_test(
        (one, two), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    found = paired_randomisation(one - two, np.arange(11))
    assert (found.exact, found.patterns) == (True, 2**11)
    assert found.estimate[0] == pytest.approx(theirs.statistic)
    assert found.p[0] == pytest.approx(theirs.pvalue)


def test_many_single_transactions_agree_with_scipys_random_test():
    rng = np.random.default_rng(1)
    one, two = rng.integers(0, 2, 150).astype(float), rng.integers(0, 2, 150).astype(float)
    one[:12] = 1
    theirs = permutation_test(
        (one, two),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(2),
    )
    found = paired_randomisation(one - two, np.arange(150), resamples=20_000)
    assert not found.exact
    assert 0.01 < found.p[0] < 0.5
    assert found.p[0] == pytest.approx(theirs.pvalue, abs=0.012)


def test_the_least_p_of_random_signs_counts_the_observed_pattern():
    assert paired_randomisation(np.ones(40), np.arange(40), resamples=99).p[0] == 1 / 100


def test_the_least_p_of_few_clusters_is_two_of_their_patterns_however_many_transactions_they_have():
    found = paired_randomisation(np.ones(900), np.arange(900) % 6)
    assert found.p[0] == 2 / 64 == least_p(6)
    assert [least_p(n) for n in (1, 2, 5000)] == [1, 0.5, 0]


def test_copies_of_one_cluster_are_no_more_evidence():
    differences = np.random.default_rng(0).choice([-1.0, 0, 1], 60, p=[0.2, 0.4, 0.4])
    once = paired_randomisation(differences, np.arange(60))
    copied = paired_randomisation(np.repeat(differences, 9), np.repeat(np.arange(60), 9))
    naive = paired_randomisation(np.repeat(differences, 9), np.arange(540))
    assert copied.p[0] == once.p[0] > 5 * naive.p[0]


def test_with_targets_that_go_together_it_errs_as_often_as_it_says_and_mcnemar_far_more():
    rng, n = np.random.default_rng(3), 400
    wrong, wrong_mcnemar = 0, 0
    for _ in range(n):
        hits = np.repeat(rng.integers(0, 2, (30, 2)), 5, axis=0).astype(float)  # five transactions of each target
        found = paired_randomisation(hits[:, 0] - hits[:, 1], np.arange(150) // 5, resamples=400)
        wrong += found.p[0] <= 0.05
        wrong_mcnemar += mcnemar(hits[:, 0], hits[:, 1]).p <= 0.05
    assert wrong / n < 0.08
    assert wrong_mcnemar / n > 0.25


def test_the_macro_average_weighs_groups_alike():
    # One shirt counts as much as four dresses: the shirt alone decides which patterns are as far from 0.
    differences, groups = np.array([1.0, 1, 1, 1, -1]), ["dress"] * 4 + ["shirt"]
    found = paired_randomisation(differences, list("abcde"), groups=groups)
    assert found.estimate[0] == 0
    assert found.p[0] == 1
    assert paired_randomisation(differences[:4], list("abcd"), groups=["dress"] * 3 + ["shirt"]).estimate[0] == 1
    assert paired_randomisation(differences, list("abcde")).estimate[0] == pytest.approx(0.6)


def test_columns_are_tested_as_they_would_be_alone_but_for_the_signs_they_share():
    differences = np.random.default_rng(5).choice([-1.0, 0, 1], (80, 3))
    together = paired_randomisation(differences, np.arange(80), resamples=500)
    copies = paired_randomisation(differences[:, [1, 1]], np.arange(80), resamples=500)
    assert copies.p[0] == copies.p[1]
    assert together.p[1] == pytest.approx(copies.p[0], abs=0.1)
    assert together.estimate == pytest.approx(differences.mean(axis=0))


def test_the_same_seed_gives_the_same_p_whatever_the_order_of_rows_and_blocks(monkeypatch):
    rng = np.random.default_rng(6)
    differences, clusters = rng.choice([-1.0, 0, 1], 150), np.array([f"image{i}" for i in rng.integers(0, 90, 150)])
    groups, order = rng.choice(["dress", "shirt"], 150), rng.permutation(150)
    whole = paired_randomisation(differences, clusters, groups=groups, resamples=999)
    shuffled = paired_randomisation(differences[order], clusters[order], groups=groups[order], resamples=999)
    monkeypatch.setattr(significance, "_SIGNS", 700)
    blocks = paired_randomisation(differences, clusters, groups=groups, resamples=999)
    other = paired_randomisation(differences, clusters, groups=groups, resamples=999, seed=1)
    assert whole.p[0] == shuffled.p[0] == blocks.p[0] != other.p[0]


def test_no_difference_at_all_has_p_1():
    assert paired_randomisation(np.zeros(5), np.arange(5)).p[0] == 1
    assert paired_randomisation(np.zeros(50), np.arange(50)).p[0] == 1


@pytest.mark.parametrize(
    ("differences", "clusters", "options", "message"),
    [
        ([np.nan], ["a"], {}, "finite"),
        ([], [], {}, "at least one"),
        ([1.0], ["a", "b"], {}, "do not fit"),
        ([1.0], ["a"], {"resamples": 0}, "1 or more"),
    ],
)
def test_differences_that_cannot_be_tested_are_refused(differences, clusters, options, message):
    with pytest.raises(MtbenchError, match=message):
        paired_randomisation(np.array(differences), clusters, **options)


# Holm


def test_holm_worked_out_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.6 times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.6.
    assert holm([0.6, 0.03, 0.01, 0.02]) == pytest.approx([0.6, 0.06, 0.04, 0.06])


def test_holm_agrees_with_statsmodels():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 10, 40):
        for p_values in (rng.random(n), rng.random(n) ** 4, rng.integers(0, 5, n) / 4):
            assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


@pytest.mark.parametrize("p_values", [[0.5, 1.1], [-0.1], [float("nan")], [[0.5]]])
def test_holm_refuses_what_is_no_p(p_values):
    with pytest.raises(MtbenchError, match="from 0 to 1"):
        holm(p_values)


# Standard errors, and what can be detected


def test_the_standard_error_of_single_transactions_is_the_textbooks():
    values = np.random.default_rng(0).random((70, 2))
    assert standard_error(values, np.arange(70)) == pytest.approx(values.std(axis=0, ddof=1) / 70**0.5)


def test_the_clustered_standard_error_agrees_with_statsmodels_and_with_the_bootstrap():
    rng = np.random.default_rng(1)
    clusters = rng.integers(0, 80, 300)
    values = rng.random(300) + rng.random(80)[clusters]
    found = standard_error(values, clusters)[0]
    theirs = sm.OLS(values, np.ones(300)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert found == pytest.approx(theirs.bse[0])
    assert found == pytest.approx(resample(values, clusters).drawn.std(), rel=0.05)
    groups = rng.choice(["a", "b", "c"], 300, p=[0.5, 0.3, 0.2])
    parts = [standard_error(values[groups == g], clusters[groups == g])[0] for g in "abc"]
    macro = standard_error(values, clusters, groups=groups)[0]
    assert macro == pytest.approx(np.linalg.norm(parts) / 3)
    assert macro == pytest.approx(resample(values, clusters, groups=groups).drawn.std(), rel=0.05)


def test_a_category_with_one_target_has_an_unknown_standard_error():
    assert np.isnan(standard_error(np.array([1.0, 0, 1]), ["a", "b", "b"], groups=["x", "y", "y"])).all()


def test_the_detectable_difference_is_found_in_80_percent_of_tests():
    rng, n, found = np.random.default_rng(2), 120, 0
    detectable = float(minimum_detectable_difference(1 / n**0.5))
    assert detectable == pytest.approx((1.959964 + 0.841621) / n**0.5)
    for _ in range(400):
        found += paired_randomisation(rng.normal(detectable, 1, n), np.arange(n), resamples=400).p[0] <= 0.05
    assert found / 400 == pytest.approx(0.8, abs=0.06)


def test_a_stricter_test_or_a_surer_one_detects_larger_differences_only():
    plain = minimum_detectable_difference([0.01, 0.02])
    assert plain[1] == pytest.approx(2 * plain[0])
    assert minimum_detectable_difference(0.01, alpha=0.05 / 6) > plain[0]
    assert minimum_detectable_difference(0.01, power=0.9) > plain[0]
    for wrong in ({"alpha": 0}, {"power": 1}):
        with pytest.raises(MtbenchError, match="between 0 and 1"):
            minimum_detectable_difference(0.01, **wrong)


# Seeds


def test_one_seed_leaves_the_samples_as_they_are_and_says_nothing_of_seeds():
    drawn = np.random.default_rng(0).random((50, 1))
    assert over_seeds(drawn).tolist() == drawn[:, 0].tolist()
    assert seed_sd(np.array([0.5])) is None
    assert seed_sd(np.array([0.5, 0.7, 0.6])) == pytest.approx(0.1)


def test_two_seeds_that_no_cluster_moves_take_three_values_a_quarter_a_half_and_a_quarter_of_the_time():
    # Means 0.4 and 0.6: drawn are 0.4, 0.5 or 0.6, a quarter, half and quarter; widened by sqrt(2) from 0.5.
    found = over_seeds(np.tile([0.4, 0.6], (40_000, 1)))
    values, counts = np.unique(found.round(9), return_counts=True)
    assert values == pytest.approx([0.5 - 0.1 * 2**0.5, 0.5, 0.5 + 0.1 * 2**0.5])
    assert counts / 40_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.01)
    assert found.var() == pytest.approx(seed_sd(np.array([0.4, 0.6])) ** 2 / 2, rel=0.02)


def test_where_seeds_and_clusters_add_up_so_do_their_variances():
    rng = np.random.default_rng(1)
    effects, of_seeds = rng.normal(0, 1, 200), rng.normal(0, 0.1, 4)
    drawn = resample(effects[:, None] + of_seeds, np.arange(200), resamples=40_000).drawn
    assert over_seeds(drawn).var() == pytest.approx(effects.var() / 200 + of_seeds.var(ddof=1) / 4, rel=0.04)


def test_the_two_way_bootstrap_agrees_with_a_slow_loop():
    rng = np.random.default_rng(2)
    clusters = rng.integers(0, 25, 60)
    values = rng.random((60, 3)) + np.array([0, 0.3, 0.4])
    labels, means = np.unique(clusters), []
    for _ in range(6_000):
        rows = np.concatenate([np.flatnonzero(clusters == c) for c in rng.choice(labels, len(labels))])
        by_seed = values[rows].mean(axis=0)
        means.append(by_seed.mean() + (by_seed[rng.integers(0, 3, 3)].mean() - by_seed.mean()) * 1.5**0.5)
    drawn = over_seeds(resample(values, clusters, resamples=20_000).drawn, seed=9)
    levels = [0.025, 0.2, 0.5, 0.8, 0.975]
    assert np.quantile(drawn, levels) == pytest.approx(np.quantile(means, levels), abs=0.015)


def test_intervals_that_know_of_seeds_hold_the_truth_and_those_that_do_not_miss_it():
    rng, both, clusters_alone = np.random.default_rng(4), 0, 0
    for n in range(200):  # the truth is 0
        values = rng.normal(0, 0.5, (100, 1)) + rng.normal(0, 0.2, 6) + rng.normal(0, 0.5, (100, 6))
        drawn = resample(values, np.arange(100), resamples=500, seed=n).drawn
        low, high = np.quantile(over_seeds(drawn, seed=n), [0.025, 0.975])
        both += low < 0 < high
        found = bootstrap(values.mean(axis=1), np.arange(100), resamples=500, seed=n)
        clusters_alone += found.low[0] < 0 < found.high[0]
    assert both / 200 > 0.88
    assert clusters_alone / 200 < 0.8
