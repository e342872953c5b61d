"""Exact ranks: against a slow loop, by hand, and within a bound on memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbench.core.errors import MtbenchError
from mtbench.evaluation import ranking
from mtbench.evaluation.ranking import rank_embeddings, rank_scores


def rank_matrix(scores, targets, **options):
    """Rank a whole matrix of scores, in blocks of two rows."""
    matrix = np.asarray(scores, np.float32)
    return rank_scores(
        lambda where: matrix[where],
        *matrix.shape,
        np.array(targets),
        block_bytes=8 * matrix.shape[1],
        **options,
    )


def slow_ranks(row, target, shown):
    """Counts and list of one row of scores, one comparison at a time."""
    left = [i for i in range(len(row)) if i == target or i not in shown]
    counts = []
    for columns in (range(len(row)), left):
        counts.append(sum(row[i] > row[target] for i in columns) if target >= 0 else len(columns))
        counts.append(sum(row[i] == row[target] for i in columns) if target >= 0 else 0)
        counts.append(len(columns))
    return counts, sorted(range(len(row)), key=lambda i: (-row[i], i))


def test_ranks_of_three_queries_worked_out_by_hand():
    ranks = rank_matrix([[5, 4, 4, 1], [0, 0, 0, 0], [1, 2, 3, 4]], [2, 1, 0], shown=[[0], [3, 3, -1], [1, 2]], depth=3)
    assert ranks.greater.tolist() == [1, 0, 3]
    assert ranks.equal.tolist() == [2, 4, 1]
    assert ranks.greater_excluded.tolist() == [0, 0, 1]
    assert ranks.equal_excluded.tolist() == [2, 3, 1]
    assert ranks.candidates.tolist() == [4, 4, 4]
    assert ranks.candidates_excluded.tolist() == [3, 3, 2]
    assert ranks.top.tolist() == [[0, 1, 2], [0, 1, 2], [3, 2, 1]]
    assert ranks.scores.tolist() == [[5, 4, 4], [0, 0, 0], [4, 3, 2]]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_blocks_of_any_size_give_the_counts_and_lists_of_a_slow_loop(data):
    n, g = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 40))
    levels = st.integers(0, data.draw(st.sampled_from([0, 2, 1000])))
    scores = np.array([[data.draw(levels) for _ in range(g)] for _ in range(n)], np.float32)
    targets = np.array([data.draw(st.integers(-1, g - 1)) for _ in range(n)])
    shown = [data.draw(st.lists(st.integers(-1, g - 1), max_size=4)) for _ in range(n)]
    depth = data.draw(st.integers(0, g + 2))
    ranks = rank_scores(
        lambda where: scores[where],
        n,
        g,
        targets,
        shown=shown,
        depth=depth,
        block_bytes=data.draw(st.integers(1, 4 * g * n)),
    )
    for i in range(n):
        counts, order = slow_ranks(scores[i], targets[i], shown[i])
        assert counts == [
            ranks.greater[i],
            ranks.equal[i],
            ranks.candidates[i],
            ranks.greater_excluded[i],
            ranks.equal_excluded[i],
            ranks.candidates_excluded[i],
        ]
        if depth:
            assert ranks.top[i].tolist() == (order + [-1] * depth)[:depth]
            length = min(depth, g)
            assert ranks.scores[i, :length].tolist() == scores[i, ranks.top[i, :length]].tolist()
            assert np.isnan(ranks.scores[i, length:]).all()
    if not depth:
        assert ranks.top is None and ranks.scores is None


def test_long_lists_with_many_ties_are_in_gallery_order():
    rng = np.random.default_rng(0)
    for levels in (1, 3, 50, 100_000):
        scores = rng.integers(0, levels, (5, 3_000)).astype(np.float32)
        ranks = rank_matrix(scores, [0] * 5, depth=60)
        for row, top in zip(scores, ranks.top, strict=True):
            assert top.tolist() == sorted(range(3_000), key=lambda i: (-row[i], i))[:60]


def test_a_target_outside_the_gallery_is_a_miss():
    ranks = rank_matrix([[3, 2, 1]], [-1], shown=[[0]], depth=1)
    assert (ranks.greater[0], ranks.equal[0]) == (3, 0)
    assert (ranks.greater_excluded[0], ranks.equal_excluded[0]) == (2, 0)
    assert ranks.top.tolist() == [[0]]


def test_the_target_is_never_excluded_even_if_it_was_shown():
    ranks = rank_matrix([[3, 2, 1]], [1], shown=[[0, 1]])
    assert (ranks.greater_excluded[0], ranks.equal_excluded[0], ranks.candidates_excluded[0]) == (0, 1, 2)


def test_without_shown_images_both_counts_agree():
    ranks = rank_matrix([[3, 2, 2]], [1])
    assert ranks.kept.greater.tolist() == ranks.excluded.greater.tolist() == [1]
    assert ranks.kept.equal.tolist() == ranks.excluded.equal.tolist() == [2]
    assert ranks.kept.candidates.tolist() == ranks.excluded.candidates.tolist() == [3]


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize(("n_gallery", "dim"), [(1_003, 67), (33, 300), (33, 768), (33, 5)])
def test_identical_images_tie_exactly_wherever_they_stand_in_the_gallery(similarity, n_gallery, dim):
    rng = np.random.default_rng(1)
    gallery = rng.standard_normal((n_gallery, dim)).astype(np.float32)
    copies = np.append(rng.choice(n_gallery - 1, 11, replace=False), n_gallery - 1)  # the last: a kernel's edge
    gallery[copies] = gallery[copies[0]]
    queries = rng.standard_normal((57, dim)).astype(np.float32)
    ranks = rank_embeddings(
        queries, gallery, np.full(57, copies[3]), similarity=similarity, block_bytes=4 * n_gallery * 10
    )
    assert ranks.equal.tolist() == [12] * 57
    for target in copies[:3]:  # whichever copy is the target, its rank is the same
        other = rank_embeddings(
            queries, gallery, np.full(57, target), similarity=similarity, block_bytes=4 * n_gallery * 10
        )
        assert other.greater.tolist() == ranks.greater.tolist()


def product_by_column(a, b, out):
    """A matrix product whose last bits depend on the column, as at the edge of a kernel."""
    np.matmul(a, b, out=out)
    out *= 1 + np.arange(b.shape[1], dtype=np.float32) % 3 * np.finfo(np.float32).eps


def test_identical_images_tie_even_if_the_product_depends_on_the_column(monkeypatch):
    monkeypatch.setattr(ranking.np, "dot", product_by_column)
    gallery = np.random.default_rng(6).random((40, 8)).astype(np.float32)
    gallery[[3, 10, 20, 39]] = gallery[3]
    ranks = rank_embeddings(gallery, gallery, np.full(40, 20), depth=40)
    assert ranks.equal.tolist() == [4] * 40
    assert ranks.top[3, :4].tolist() == [3, 10, 20, 39]


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_rows_that_differ_in_the_sign_of_a_zero_are_identical(monkeypatch, similarity):
    monkeypatch.setattr(ranking.np, "dot", product_by_column)
    gallery = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]], np.float32)
    ranks = rank_embeddings(gallery[:1], gallery, np.array([0]), similarity=similarity)
    assert ranks.equal.tolist() == [2]


def test_rows_that_share_a_hash_but_differ_are_told_apart(monkeypatch):
    monkeypatch.setattr(ranking, "hash", lambda text: 7, raising=False)
    gallery = np.array([[2, 0], [1, 0], [2, 0], [0, 1]], np.float32)
    ranks = rank_embeddings(gallery[:1], gallery, np.array([0]), similarity="dot")
    assert ranks.equal.tolist() == [2]
    assert ranks.top[0, :4].tolist() == [0, 2, 1, 3]


def test_cosine_ignores_length_and_dot_does_not():
    gallery = np.array([[1, 0], [10, 10], [0, 3]], np.float32)
    query = np.array([[1, 0]], np.float32)
    assert rank_embeddings(query, gallery, np.array([0])).top[0, :3].tolist() == [0, 1, 2]
    assert rank_embeddings(query, gallery, np.array([0]), similarity="dot").top[0, :3].tolist() == [1, 0, 2]


def test_a_zero_vector_scores_zero_with_everything_under_cosine():
    gallery = np.array([[1, 0], [0, 0], [-1, 0]], np.float32)
    ranks = rank_embeddings(np.array([[0, 0], [1, 0]], np.float32), gallery, np.array([1, 1]), depth=3)
    assert ranks.equal.tolist() == [3, 1]
    assert ranks.greater.tolist() == [0, 1]
    assert ranks.scores.tolist() == [[0, 0, 0], [1, 0, -1]]


def test_cosine_of_tiny_and_of_huge_vectors_neither_underflows_nor_overflows():
    gallery = np.array([[1e-30, 0], [0, 1e30], [3e38, 3e38]], np.float32)
    ranks = rank_embeddings(np.array([[1e-38, 0]], np.float32), gallery, np.array([0]), depth=3)
    assert ranks.top.tolist() == [[0, 2, 1]]
    assert ranks.scores[0] == pytest.approx([1, 0.5**0.5, 0])


def test_embeddings_rank_as_a_product_of_float64_does():
    rng = np.random.default_rng(2)
    queries, gallery = rng.standard_normal((40, 16)), rng.standard_normal((300, 16))
    targets = rng.integers(0, 300, 40)
    scores = queries @ gallery.T
    ranks = rank_embeddings(queries, gallery, targets, similarity="dot", depth=300)
    assert ranks.greater.tolist() == (scores > scores[range(40), targets][:, None]).sum(axis=1).tolist()
    assert ranks.top.tolist() == np.argsort(-scores, axis=1).tolist()


def test_scores_that_are_not_finite_are_counted_and_the_first_is_named():
    scores = np.zeros((7, 3), np.float32)
    scores[2, 1], scores[6, 0] = np.nan, -np.inf
    with pytest.raises(MtbenchError, match=r"queries: 2 of 7 are NaN or infinite, the first in row 2"):
        rank_matrix(scores, [0] * 7)


def test_vectors_that_are_not_finite_are_reported_for_both_sides_at_once():
    queries, gallery = np.ones((2, 2), np.float32), np.ones((3, 2), np.float32)
    queries[1, 0], gallery[2, 1] = np.nan, np.inf
    with pytest.raises(MtbenchError) as error:
        rank_embeddings(queries, gallery, np.array([0, 0]))
    assert "query vectors: 1 of 2" in str(error.value) and "gallery vectors: 1 of 3" in str(error.value)


def test_products_that_overflow_are_an_error_and_no_warning():
    big = np.full((1, 4), 3e38, np.float32)
    with pytest.raises(MtbenchError, match="queries: 1 of 1 are NaN or infinite"):
        rank_embeddings(big, big, np.array([0]), similarity="dot")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": np.array([3, 0])}, "targets must be columns 0 .. 2"),
        ({"targets": np.array([0])}, "2 queries have targets"),
        ({"shown": [[3], []]}, "shown must hold columns 0 .. 2"),
        ({"shown": [[]]}, "2 queries have targets"),
        ({"similarity": "cosin"}, "Did you mean 'cosine'"),
        ({"gallery": np.ones((3, 5), np.float32)}, "must be"),
    ],
)
def test_input_that_does_not_fit_is_refused(options, message):
    arguments = {
        "queries": np.ones((2, 4), np.float32),
        "gallery": np.ones((3, 4), np.float32),
        "targets": np.array([0, 1]),
        **options,
    }
    with pytest.raises(MtbenchError, match=message):
        rank_embeddings(**arguments)


def test_a_block_of_another_shape_is_refused():
    with pytest.raises(MtbenchError, match=r"scores have shape \(2, 4\)"):
        rank_scores(lambda where: np.zeros((2, 4), np.float32), 2, 3, np.array([0, 0]))


def test_no_queries_give_no_ranks():
    ranks = rank_embeddings(np.empty((0, 4), np.float32), np.ones((3, 4), np.float32), np.empty(0, np.int64))
    assert len(ranks.greater) == 0 and ranks.top.shape == (0, 100)


@pytest.mark.parametrize("repeated", [False, True])
def test_memory_stays_far_below_the_full_matrix(repeated):
    rng = np.random.default_rng(3)
    n, g, dim = 2_000, 10_000, 8
    queries = rng.standard_normal((n, dim)).astype(np.float32)
    gallery = rng.standard_normal((g, dim)).astype(np.float32)
    if repeated:
        gallery[1] = gallery[0]
    tracemalloc.start()
    rank_embeddings(queries, gallery, rng.integers(0, g, n), depth=10, block_bytes=2 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * g * 4 / 10


def test_the_order_of_distinct_rows_does_not_depend_on_the_process() -> None:
    # Python salts the hashes of bytes; the order of columns can change the last bits of a product.
    code = (
        "import numpy as np; from mtbench.evaluation.ranking import _distinct_rows; "
        "rows = np.arange(40, dtype=np.float32).reshape(20, 2)[[3, 1, 3, 0, 1, 7]]; "
        "print([part.tolist() for part in _distinct_rows(rows)])"
    )
    for seed in ("1", "2"):
        shown = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        )
        assert shown.stdout == "[[0, 1, 3, 5], [0, 1, 0, 2, 1, 3]]\n"
