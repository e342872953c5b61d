"""Exact ranks of the targets, and the head of each ranking, one block of scores at a time.

The cost is that of the matrix product: counting, and taking the first 100, read a row of scores while it
is still in cache. `benchmarks/bench_ranking.py` prints the ratios.

>>> gallery = np.eye(3, dtype=np.float32)
>>> ranks = rank_embeddings(gallery[:1], gallery, np.array([1]), depth=2)
>>> ranks.greater, ranks.equal, ranks.top
(array([1]), array([2]), array([[0, 1]]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.evaluation.measures import Positions

Array: TypeAlias = npt.NDArray[np.float32]
Indices: TypeAlias = npt.NDArray[np.int64]

BLOCK_BYTES = 64 << 20
"""Scores held at once. Of 17,000 columns that is 986 rows, as fast as one whole product; 256 rows take 1.06
of its time and 16 rows 3.1, because each product packs the gallery anew."""


@dataclass(frozen=True)
class Ranks:
    """Where each target stands, and the head of each ranking. Q queries with T targets, usually one each.

    A target that is no candidate (index -1) counts as a miss: ``greater`` is the number of candidates and
    ``equal`` is 0, so that its rank is infinite and every other measure 0.

    Attributes:
        greater: candidates that score strictly above the target, int64 (T,).
        equal: candidates that score the same, the target included, int64 (T,).
        greater_excluded, equal_excluded: the same without the images already shown.
        candidates, candidates_excluded: how many were ranked, int64 (T,).
        top: indices of the best candidates, images already shown included, int64 (Q, depth): by score, equal
            scores in the order of the gallery; -1 beyond a smaller gallery. None with depth 0.
        scores: the scores of ``top``, float32 (Q, depth); NaN beyond a smaller gallery. None with depth 0.
    """

    greater: Indices
    equal: Indices
    greater_excluded: Indices
    equal_excluded: Indices
    candidates: Indices
    candidates_excluded: Indices
    top: Indices | None
    scores: Array | None

    @property
    def kept(self) -> Positions:
        """Among all candidates (the headline)."""
        return Positions(self.greater, self.equal, self.candidates)

    @property
    def excluded(self) -> Positions:
        """Among the candidates that were not shown in the transaction."""
        return Positions(self.greater_excluded, self.equal_excluded, self.candidates_excluded)


def rank_embeddings(
    queries: Array,
    gallery: Array,
    targets: Indices,
    *,
    similarity: str = "cosine",
    rows: Indices | None = None,
    shown: Sequence[Sequence[int]] | None = None,
    depth: int = 100,
    block_bytes: int = BLOCK_BYTES,
) -> Ranks:
    """Rank candidates by the cosine or dot product of vectors.

    Identical candidates tie exactly. A matrix product alone does not give that: its kernels sum in another
    order at the edges of a block (OpenBLAS for AVX2, 33 images x 300: equal rows get unequal scores in 31 of
    57 queries). Hence each distinct row is multiplied once, and the target's score is read from the same
    product as those it is compared with.

    Args:
        queries: (Q, d).
        gallery: (G, d).
        targets: column of each target, (T,); -1 where the gallery does not have it.
        similarity: ``cosine``, where a zero vector scores 0 with everything, or ``dot``.
        rows, shown, depth, block_bytes: as in `rank_scores`.

    Raises:
        MtbenchError: shapes that do not fit, vectors or products that are not finite, indices out of range.
    """
    if similarity not in ("cosine", "dot"):
        raise unknown("similarity", similarity, ("cosine", "dot"))
    queries, gallery = np.asarray(queries), np.asarray(gallery)
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise MtbenchError(f"queries {queries.shape} and gallery {gallery.shape} must be (Q, d) and (G, d)")
    queries, gallery = _floats(queries), _floats(gallery)
    problems = Problems("vectors")
    for what, vectors in (("query", queries), ("gallery", gallery)):
        _note_bad_rows(problems, f"{what} vectors", _bad_rows(vectors), len(vectors))
    problems.raise_if_any()

    if similarity == "cosine":
        queries, gallery = _normalised(queries), _normalised(gallery)
    gallery = gallery + np.float32(0)  # -0.0 becomes 0.0, so that equal rows have equal bytes
    distinct, column_of = _distinct_rows(gallery)
    repeated = len(distinct) < len(gallery)
    columns = gallery[distinct].T if repeated else gallery.T
    block_bytes = block_bytes // 2 if repeated else block_bytes  # products and what they are spread to
    at_once = min(_rows_per_block(len(gallery), block_bytes), len(queries))
    product = np.empty((at_once, len(distinct)), np.float32)
    spread = np.empty((len(product), len(gallery)), np.float32) if repeated else product

    def score_block(where: slice) -> Array:
        size = where.stop - where.start
        with np.errstate(over="ignore", invalid="ignore"):  # rank_scores reports what is not finite
            np.dot(queries[where], columns, out=product[:size])
        if repeated:
            np.take(product[:size], column_of, axis=1, out=spread[:size], mode="clip")
        return spread[:size]

    return rank_scores(
        score_block, len(queries), len(gallery), targets, rows=rows, shown=shown, depth=depth, block_bytes=block_bytes
    )


def rank_scores(
    score_block: Callable[[slice], Array],
    n_queries: int,
    n_candidates: int,
    targets: Indices,
    *,
    rows: Indices | None = None,
    shown: Sequence[Sequence[int]] | None = None,
    depth: int = 100,
    block_bytes: int = BLOCK_BYTES,
) -> Ranks:
    """Rank candidates by scores that come block by block; never is there more than one block of them.

    Args:
        score_block: gives the scores of the queries in a slice, (rows, n_candidates), higher is better. They
            are ranked as float32, which is what a run stores. Called once per block, in order.
        n_queries, n_candidates: Q and G.
        targets: column of each target, (T,); -1 where it is no candidate.
        rows: the query that each target belongs to, (T,), ascending; None where each query has one target.
        shown: per query, columns of images already shown, for the counts without them; -1 for an image that
            is no candidate. The target itself is never excluded, and a column given twice is excluded once.
        depth: length of the lists; 0 for none.
        block_bytes: about how much memory one block of scores may take; a block has at least one row.

    Raises:
        MtbenchError: scores that are NaN or infinite, or of another shape; indices out of range.
    """
    targets = np.asarray(targets, dtype=np.int64)
    n_targets = len(targets)
    rows = np.arange(n_queries) if rows is None else np.asarray(rows, dtype=np.int64)
    shown = shown if shown is not None else [()] * n_queries
    if targets.shape != rows.shape or len(shown) != n_queries:
        raise MtbenchError(
            f"{n_queries:,} queries have targets {targets.shape}, rows {rows.shape} and shown ({len(shown)},)"
        )
    if n_targets and not (targets.min() >= -1 and targets.max() < n_candidates):
        raise MtbenchError(f"targets must be columns 0 .. {n_candidates - 1}, or -1 for none")
    if n_targets and not (rows[0] >= 0 and rows[-1] < n_queries and (np.diff(rows) >= 0).all()):
        raise MtbenchError(f"rows must be queries 0 .. {n_queries - 1}, ascending")
    own_targets, own_columns = _own([shown[row] for row in rows], targets, n_candidates)
    greater = np.full(n_targets, n_candidates, np.int64)
    equal = np.zeros(n_targets, np.int64)
    own_greater, own_equal = np.zeros_like(greater), np.zeros_like(equal)
    length = max(0, min(depth, n_candidates))
    top = np.full((n_queries, depth), -1, np.int64) if depth else None
    scores = np.full((n_queries, depth), np.nan, np.float32) if depth else None
    bad: list[Indices] = []

    rows_per_block = _rows_per_block(n_candidates, block_bytes)
    for start in range(0, n_queries, rows_per_block):
        where = slice(start, min(start + rows_per_block, n_queries))
        size = where.stop - start
        block = np.asarray(score_block(where))
        if block.shape != (size, n_candidates):
            raise MtbenchError(f"scores have shape {block.shape}, but {(size, n_candidates)} was asked for")
        block = _floats(block)
        bad.append(start + _bad_rows(block))
        if any(map(len, bad)):
            continue  # only to say how many there are
        asked = slice(*np.searchsorted(rows, (start, where.stop)))
        _count(block, rows[asked] - start, targets[asked], greater[asked], equal[asked])
        if top is not None and scores is not None and length:
            _head(block, length, top[where, :length], scores[where, :length])
        own = slice(*np.searchsorted(own_targets, (asked.start, asked.stop)))
        of, columns = own_targets[own], own_columns[own]
        shown_scores, target_scores = block[rows[of] - start, columns], block[rows[of] - start, targets[of]]
        np.add.at(own_greater, of, shown_scores > target_scores)
        np.add.at(own_equal, of, shown_scores == target_scores)

    problems = Problems("scores", hint="A model must give every candidate a finite score.")
    _note_bad_rows(problems, "queries", np.concatenate([*bad, np.empty(0, np.int64)]), n_queries)
    problems.raise_if_any()
    n_own = np.bincount(own_targets, minlength=n_targets)
    missed = targets < 0
    own_greater[missed], own_equal[missed] = n_own[missed], 0
    candidates = np.full(n_targets, n_candidates, np.int64)
    return Ranks(greater, equal, greater - own_greater, equal - own_equal, candidates, candidates - n_own, top, scores)


def _count(block: Array, rows: Indices, targets: Indices, greater: Indices, equal: Indices) -> None:
    """Fill in ``greater`` and ``equal`` for targets in the rows of a block.

    Row by row with one buffer: a row of 17,000 scores and its mask stay in the first two cache levels, and
    `count_nonzero` without an axis is vectorised. Each count takes 0.02 of the time of the product, and 0.034
    over a whole block with an axis.
    """
    mask = np.empty(block.shape[1], bool)
    for i in np.flatnonzero(targets >= 0):
        row = block[rows[i]]
        score = row[targets[i]]
        greater[i] = np.count_nonzero(np.greater(row, score, out=mask))
        equal[i] = np.count_nonzero(np.equal(row, score, out=mask))


def _head(block: Array, length: int, top: Indices, scores: Array) -> None:
    """Fill in the ``length`` best columns of each row and their scores; equal scores in the order of columns.

    The columns are dealt into about 4 x length groups. At least ``length`` scores reach the ``length``-th
    best of the groups' maxima, so what is below that bound is out, and little more than ``length`` stays.
    Takes 0.08 of the time of the product with 100 of 17,000; `argpartition` of whole rows alone takes 0.5.
    """
    width = max(1, block.shape[1] // (4 * length))
    groups = block.shape[1] // width
    maxima = block[:, : width * groups].reshape(len(block), width, groups).max(axis=1)
    bounds = np.partition(maxima, groups - length, axis=1)[:, groups - length]
    mask = np.empty(block.shape[1], bool)
    for i, row in enumerate(block):
        found = np.flatnonzero(np.greater_equal(row, bounds[i], out=mask))
        values = row[found]
        if len(found) > 4 * length:  # many ties at the bound, as with lexical scores of 0: do not sort them
            bound = np.partition(values, len(values) - length)[len(values) - length]
            tied = np.flatnonzero(values == bound)
            above = np.flatnonzero(values > bound)
            chosen = np.sort(np.concatenate([above, tied[: length - len(above)]]))
            found, values = found[chosen], values[chosen]
        order = np.argsort(-values, kind="stable")[:length]
        top[i], scores[i] = found[order], values[order]


def _distinct_rows(vectors: Array) -> tuple[Indices, Indices]:
    """First index of each distinct row, (U,), and for each row which of them it equals, (G,)."""
    hashes = np.fromiter((hash(row.tobytes()) for row in vectors), np.int64, len(vectors))
    _, first, column_of = np.unique(hashes, return_index=True, return_inverse=True)
    repeats = np.flatnonzero(first[column_of] != np.arange(len(vectors)))
    if any(not np.array_equal(vectors[i], vectors[first[column_of[i]]]) for i in repeats):
        # Two rows share a hash and differ: one pair in 2^64. Compare the rows themselves, slowly.
        _, first, column_of = np.unique(vectors, axis=0, return_index=True, return_inverse=True)
    # In the order of the gallery: hashes of bytes differ from process to process, and with the order of the columns
    # the last bits of a product can too.
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order].astype(np.int64), place[column_of.reshape(-1)].astype(np.int64)


def _normalised(vectors: Array) -> Array:
    """Rows of length 1; a zero row stays zero. Computed in float64, so that no norm over- or underflows."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    norms[norms == 0] = 1
    out = np.empty_like(vectors)
    np.divide(vectors, norms[:, None], out=out, casting="same_kind")
    return out


def _floats(values: npt.NDArray[Any]) -> Array:
    """float32 in C order; what is too large for it becomes infinite, and is reported as such."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def _bad_rows(values: Array) -> Indices:
    return np.flatnonzero(~np.isfinite(values).all(axis=1))


def _note_bad_rows(problems: Problems, what: str, rows: Indices, n: int) -> None:
    if len(rows):
        problems.add(what, f"{len(rows):,} of {n:,} are NaN or infinite, the first in row {rows[0]}")


def _rows_per_block(n_candidates: int, block_bytes: int) -> int:
    return max(1, block_bytes // (4 * max(1, n_candidates)))


def _own(lists: Sequence[Sequence[int]], targets: Indices, n_candidates: int) -> tuple[Indices, Indices]:
    """(target, column) of every image to leave out, each once, sorted by target."""
    rows = np.repeat(np.arange(len(lists)), [len(columns) for columns in lists])
    columns = np.fromiter((column for row in lists for column in row), np.int64, len(rows))
    if len(columns) and not (columns.min() >= -1 and columns.max() < n_candidates):
        raise MtbenchError(f"shown must hold columns 0 .. {n_candidates - 1}, or -1 for none")
    use = (columns >= 0) & (columns != targets[rows])
    keys = np.unique(rows[use] * n_candidates + columns[use])
    return keys // max(1, n_candidates), keys % max(1, n_candidates)
