"""Measures as expected values over ties: by hand, against enumeration, and against ranx and ir_measures."""

from __future__ import annotations

import importlib
import itertools
import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbench.core.errors import MtbenchError
from mtbench.evaluation.measures import Positions, by_category, cutoff, macro, micro, per_transaction

EVERY = ["R@1", "R@5", "R@8", "mean", "MRR", "rank", "percentile"]


def positions(*rows):
    """Positions from (greater, equal, candidates)."""
    return Positions(*np.array(rows, np.int64).reshape(-1, 3).T)


def value(name, *row):
    return per_transaction(positions(row), [name])[name][0]


def test_measures_without_a_tie_worked_out_by_hand():
    found = per_transaction(positions((0, 1, 11), (5, 1, 11), (10, 1, 11)), EVERY)
    assert found["R@1"].tolist() == [1, 0, 0]
    assert found["R@5"].tolist() == [1, 0, 0]
    assert found["R@8"].tolist() == [1, 1, 0]
    assert found["mean"].tolist() == [1, 0.5, 0]
    assert found["MRR"] == pytest.approx([1, 1 / 6, 1 / 11], rel=1e-15)
    assert found["rank"].tolist() == [1, 6, 11]
    assert found["percentile"].tolist() == [1, 0.5, 0]


def test_measures_with_a_tie_worked_out_by_hand():
    # Positions 4, 5, 6 are equally likely: two of them lie within 5, all within 8.
    found = per_transaction(positions((3, 3, 9)), EVERY)
    assert found["R@5"] == pytest.approx([2 / 3])
    assert found["R@8"].tolist() == [1]
    assert found["MRR"] == pytest.approx([(1 / 4 + 1 / 5 + 1 / 6) / 3])
    assert found["rank"].tolist() == [5]
    assert found["percentile"].tolist() == [0.5]


def test_optimistic_and_pessimistic_positions_are_the_ends_of_the_tie():
    tied = positions((3, 3, 9), (0, 0, 9))
    assert per_transaction(tied.optimistic(), ["rank", "R@5"])["rank"].tolist() == [4, math.inf]
    assert per_transaction(tied.pessimistic(), ["rank", "R@5"])["rank"].tolist() == [6, math.inf]
    assert per_transaction(tied.pessimistic(), ["R@5"])["R@5"].tolist() == [0, 0]


def test_a_target_that_was_not_ranked_has_infinite_rank_and_zero_elsewhere():
    found = per_transaction(positions((9, 0, 9)), [*EVERY, "R@100"])
    assert found.pop("rank").tolist() == [math.inf]
    assert all(row.tolist() == [0] for row in found.values())


def test_a_gallery_of_one_has_percentile_one():
    assert value("percentile", 0, 1, 1) == 1


@given(st.integers(0, 6), st.integers(1, 6), st.integers(0, 6))
def test_each_measure_is_its_mean_over_every_order_of_the_tied_candidates(greater, equal, lower):
    n = greater + equal + lower
    ranks = []
    for order in itertools.permutations(range(equal)):  # candidate 0 of the tie group is the target
        ranks.append(greater + 1 + order.index(0))
    for k in (1, 3, 5, 8):
        hits = [rank <= k for rank in ranks]
        assert value(f"R@{k}", greater, equal, n) == pytest.approx(np.mean(hits))
    assert value("MRR", greater, equal, n) == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert value("rank", greater, equal, n) == pytest.approx(np.mean(ranks))
    if n > 1:
        expected = np.mean([1 - (rank - 1) / (n - 1) for rank in ranks])
        assert value("percentile", greater, equal, n) == pytest.approx(expected)


@given(st.integers(0, 10**6), st.integers(1, 50))
def test_mrr_keeps_its_digits_at_any_rank(greater, equal):
    exact = math.fsum(1 / (greater + i) for i in range(1, equal + 1)) / equal
    assert value("MRR", greater, equal, 10**7) == pytest.approx(exact, rel=1e-7)
    assert value("MRR", greater, 1, 10**7) == 1 / (greater + 1)


@pytest.mark.parametrize("name", ["R@0", "R@05", "R@-1", "R@5.0", "recall", "r@5", "R@"])
def test_an_unknown_measure_is_named_with_those_there_are(name):
    for read in (cutoff, lambda name: per_transaction(positions((0, 1, 1)), [name])):
        with pytest.raises(MtbenchError, match=f"no measure named '{name}'.*R@K takes any K"):
            read(name)


def test_cutoffs_say_how_much_of_a_ranking_a_measure_reads():
    assert {name: cutoff(name) for name in EVERY} == {
        "R@1": 1,
        "R@5": 5,
        "R@8": 8,
        "mean": 8,
        "MRR": None,
        "rank": None,
        "percentile": None,
    }


def test_macro_weighs_categories_alike_and_micro_transactions():
    values, categories = np.array([1.0, 1.0, 1.0, 0.0]), ["dress", "dress", "dress", "shirt"]
    assert micro("R@5", values) == 0.75
    assert macro("R@5", values, categories) == 0.5
    assert by_category("R@5", values, categories) == {"dress": 1.0, "shirt": 0.0}


def test_ranks_are_aggregated_by_their_median_and_misses_are_infinite():
    values, categories = np.array([1.0, 3.0, 100.0, math.inf, math.inf]), ["a", "a", "a", "b", "b"]
    assert micro("rank", values) == 100
    assert by_category("rank", values, categories) == {"a": 3.0, "b": math.inf}
    assert macro("rank", values, categories) == math.inf


def test_nothing_to_average_is_an_error():
    with pytest.raises(MtbenchError, match="no transactions"):
        micro("R@5", np.empty(0))
    with pytest.raises(MtbenchError, match="no transactions"):
        macro("R@5", np.empty(0), [])


@pytest.fixture(scope="module")
def ranx():
    """ranx as plain Python: its numba takes half a minute to compile what runs here in milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        return importlib.import_module("ranx")


def peers(ranx, scores, targets):
    """Means by ranx and by ir_measures (trec_eval) of dense score rows with one target each."""
    qrels = {f"q{i}": {f"d{target}": 1} for i, target in enumerate(targets)}
    run = {f"q{i}": {f"d{j}": float(score) for j, score in enumerate(row)} for i, row in enumerate(scores)}
    names = ["hit_rate@1", "hit_rate@2", "hit_rate@3", "hit_rate@5", "recall@5", "mrr"]
    by_ranx = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names)
    objects = [ir_measures.parse_measure(text) for text in ("Success@1", "Success@5", "R@5", "RR")]
    by_trec = {str(m): v for m, v in ir_measures.calc_aggregate(objects, qrels, run).items()}
    return by_ranx, by_trec


def counted(scores, targets):
    own = scores[np.arange(len(scores)), targets][:, None]
    full = np.full(len(scores), scores.shape[1])
    return Positions((scores > own).sum(axis=1), (scores == own).sum(axis=1), full)


def test_without_ties_ranx_and_ir_measures_give_the_same_and_their_recall_is_success_with_one_target(ranx):
    rng = np.random.default_rng(0)
    scores = np.stack([rng.permutation(40) for _ in range(60)])
    targets = rng.integers(0, 40, 60)
    targets[:20] = scores[:20].argmax(axis=1)
    ours = {
        name: micro(name, row) for name, row in per_transaction(counted(scores, targets), ["R@1", "R@5", "MRR"]).items()
    }
    by_ranx, by_trec = peers(ranx, scores, targets)
    assert by_ranx["recall@5"] == by_ranx["hit_rate@5"] == pytest.approx(ours["R@5"])
    assert by_trec["R@5"] == by_trec["Success@5"] == pytest.approx(ours["R@5"])
    assert by_ranx["hit_rate@1"] == by_trec["Success@1"] == pytest.approx(ours["R@1"])
    assert by_ranx["mrr"] == pytest.approx(ours["MRR"]) and by_trec["RR"] == pytest.approx(ours["MRR"])


def test_with_ties_ours_is_the_mean_of_ranx_over_all_tie_breaks_and_any_one_of_them_is_arbitrary(ranx):
    row, target = np.array([9.0, 4.0, 4.0, 4.0, 1.0]), 2  # positions 2, 3 and 4
    broken = np.stack([row + np.array([0, *order, 0]) for order in itertools.permutations([0.1, 0.2, 0.3])])
    ours = per_transaction(counted(row[None], [target]), ["R@1", "R@2", "R@3", "R@5", "MRR"])
    by_ranx, _ = peers(ranx, broken, [target] * 6)
    for name, other in (("R@1", "hit_rate@1"), ("R@2", "hit_rate@2"), ("R@3", "hit_rate@3"), ("MRR", "mrr")):
        assert ours[name][0] == pytest.approx(by_ranx[other])
    best = per_transaction(counted(row[None], [target]).optimistic(), ["MRR"])["MRR"][0]
    worst = per_transaction(counted(row[None], [target]).pessimistic(), ["MRR"])["MRR"][0]
    by_ranx, by_trec = peers(ranx, row[None], [target])
    for arbitrary in (by_ranx["mrr"], by_trec["RR"]):
        assert worst - 1e-12 <= arbitrary <= best + 1e-12
    assert worst < ours["MRR"][0] < best
