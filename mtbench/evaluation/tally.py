"""Read a run and count, per transaction of a benchmark, what its measures need.

The file is read once in blocks. Each check is a vectorised pass over a block; only where one fails are the rows
looked at that failed, to say what is wrong with them. Rows that are out of order are sorted before they are
counted, so that there is one way to count.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mtbench.core.errors import MtbenchError, Problems
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.runs import Integers, Numbers, Rows, note, read_run

Codes: TypeAlias = npt.NDArray[np.int32]

logger = logging.getLogger(__name__)

_HELD_ROWS = 1 << 18
"""Rows held before those of complete transactions are counted and dropped: 5 MB as numbers, 7 of a text file."""
_CELLS = 1 << 20
"""Size of the table that finds an image in a ranking: 4 MB. 1 MB takes 1.4 of its time, 16 MB 1.6."""


def count(path: Path, benchmark: Benchmark, split: str, category: str | None) -> Tally:
    """The counts of a whole file; see `mtbench.evaluation.scoring.score_run`.

    Raises:
        MtbenchError: with everything that is wrong with the file.
    """
    for held_rows in (_HELD_ROWS, None):
        tally = Tally(path, benchmark, split, category)
        try:
            tally.read(held_rows)
            break
        except _ScatteredError:
            logger.info("%s: its transactions do not stand together; reading it again as a whole", path)
    tally.problems.raise_if_any()
    return tally


class _ScatteredError(Exception):
    """A transaction goes on after it was counted."""


class _Index:
    """The ids of one split as numbers: of a transaction its row, of an image its place in a gallery, or -1.

    Attributes:
        ids, images: those of all transactions, and of all images in a gallery.
        gallery: which gallery each transaction has; at the end, for the row -1, the last one, which is empty.
        places: place of each of ``images`` in each gallery; the last column is for the code -1.
        wanted: places of the target and of the images shown, each once, (n, 1 + turns); -1 for none.
        full: size of each transaction's gallery.
        width: size of the largest.
    """

    def __init__(self, benchmark: Benchmark, split: str) -> None:
        self.transactions = tuple(benchmark.transactions(split))
        if not self.transactions:
            raise MtbenchError(f"{benchmark.name} has no {split} transactions to score")
        self.ids = pa.array([t.transaction_id for t in self.transactions], pa.string())
        categories = sorted({t.category for t in self.transactions})
        galleries = [pa.array(benchmark.gallery(split, name).image_ids, pa.string()) for name in categories]
        encoded = pa.concat_arrays(galleries).dictionary_encode()
        self.images = encoded.dictionary
        self.gallery = np.array([*(categories.index(t.category) for t in self.transactions), len(categories)])
        self.places = np.full((len(categories) + 1, len(self.images) + 1), -1, np.int32)
        codes = np.split(encoded.indices.to_numpy(), np.cumsum([len(ids) for ids in galleries]))
        for row, found in zip(self.places, codes, strict=True):  # the last of each is empty
            row[found] = np.arange(len(found))
        self.full = (self.places >= 0).sum(axis=1)[self.gallery[:-1]]
        self.width = int(self.full.max())

        columns = list(zip_longest(*([t.target, *(turn.reference for turn in t.turns)] for t in self.transactions)))
        shown = _codes(pa.array(chain.from_iterable(columns), pa.string()), self.images)[:-1]
        self.wanted = self.places[self.gallery[:-1], shown.reshape(len(columns), -1)].T.copy()
        for i in range(1, self.wanted.shape[1]):
            self.wanted[(self.wanted[:, :i] == self.wanted[:, i : i + 1]).any(axis=1), i] = -1


@lru_cache(maxsize=4)
def _index(benchmark: Benchmark, split: str) -> _Index:
    return _Index(benchmark, split)


class _Block(NamedTuple):
    """Valid rows: row of the transaction, place of the image, and what the file says."""

    t: Numbers
    places: Numbers
    ranks: Numbers
    scores: Numbers
    lines: Numbers

    def take(self, where: npt.NDArray[Any] | slice) -> _Block:
        return _Block(*(column[where] for column in self))


class Tally:
    """The counts per transaction of a split; all are misses at first.

    Attributes:
        index: the transactions, and the sizes of their galleries.
        scope: those to score.
        listed: candidates that the run lists.
        greater, equal: candidates above the target, and tied with it; as in `measures.Positions`.
        own_full, own_listed, own_greater, own_equal: the same of the images shown alone.
        cut_ties: transactions whose target ties with the last candidate of a ranking that was cut off.
    """

    def __init__(self, path: Path, benchmark: Benchmark, split: str, category: str | None) -> None:
        self.path, self.benchmark, self.split, self.category = path, benchmark, split, category
        self.unit = "row" if path.suffix == ".parquet" else "line"
        self.problems = Problems(path)
        self.index = index = _index(benchmark, split)
        self.scope = np.ones(len(index.full), bool)
        if category is not None:
            self.scope[:] = [category == t.category for t in index.transactions]
        self.span = min(len(index.full), max(1, _CELLS // index.width))
        self.base = np.arange(self.span) * index.width
        self.table = np.empty(self.span * index.width, np.int32)
        own_full = (index.wanted[:, 1:] >= 0).sum(axis=1)
        zeros = np.zeros((4, len(index.full)), np.int64)
        self.listed, self.own_listed, self.equal, self.own_equal = zeros
        self.greater, self.own_greater, self.own_full = index.full.copy(), own_full.copy(), own_full
        self.cut_ties = 0

    def read(self, held_rows: int | None) -> None:
        """Count what is complete whenever ``held_rows`` are held; with None, all at the end."""
        held: list[_Block] = []
        for rows in read_run(self.path, self.problems):
            held.append(self._encode(rows))
            if held_rows is not None and sum(len(block.t) for block in held) >= held_rows:
                block = _joined(held)
                last = _starts(block.t)[-1]
                self._count(block.take(slice(last)))
                held = [block.take(slice(last, None))]
        if held:
            self._count(_joined(held))

    def _encode(self, rows: Rows) -> _Block:
        """The valid rows in scope. Each id of a dictionary is looked up once; nothing is, row by row."""
        names = _indices(rows.transactions)
        starts = _starts(names)
        depths = np.diff(starts, append=len(names))
        group = _codes(rows.transactions.dictionary, self.index.ids)[names[starts]]
        places = self.index.places[:, _codes(rows.images.dictionary, self.index.images)]
        cells = np.repeat(self.index.gallery[group] * places.shape[1], depths)
        cells += _indices(rows.images)
        block = _Block(np.repeat(group, depths), places.take(cells), rows.ranks, rows.scores, rows.lines)
        if block.places.min(initial=0) < 0:
            self._note_unknown(rows, block)
        keep = (block.places >= 0) & np.isfinite(rows.ranks) & np.isfinite(rows.scores)
        if self.category is not None:
            keep &= self.scope[block.t]
        return block if keep.all() else block.take(keep)

    def _note_unknown(self, rows: Rows, block: _Block) -> None:
        images = pa.array(list(self.benchmark.images), pa.string())
        known = _codes(rows.images.dictionary, images)[_indices(rows.images)] >= 0
        for wrong, text in (
            (block.t < 0, "no transaction {t} in {s.split} of {s.benchmark.name}"),
            (~known, "no image {image} in {s.benchmark.name}"),
            ((block.places < 0) & (block.t >= 0) & known, "image {image} is not in the gallery of transaction {t}"),
        ):
            at = np.flatnonzero(wrong)

            def say(i: int, at: Integers = at, text: str = text) -> str:
                return text.format(t=rows.transactions[int(at[i])], image=rows.images[int(at[i])], s=self)

            note(self.problems, self.unit, rows.lines[at], say)

    def _count(self, block: _Block) -> None:
        """Count the transactions of a block; none of them may go on after it."""
        if not len(block.t):
            return
        starts = _starts(block.t)
        in_order = _in_order(block, starts)
        if not in_order:
            block = block.take(np.lexsort((block.ranks, -block.scores, block.t)))
            starts = _starts(block.t)
        ends = np.append(starts[1:], len(block.t))
        t = block.t[starts]
        if self.listed[t].any():
            raise _ScatteredError
        found = self._find(block, starts, ends, self.index.wanted[t])
        if not in_order:
            self._check_order(block)

        # In order of scores, the candidates above the target are the rows between the start of its transaction
        # and the start of its tie group.
        target, own = found[:, 0], found[:, 1:]
        hit = target >= 0
        first, last = _ties(block.scores, starts, target[hit])
        self.listed[t], self.own_listed[t] = ends - starts, (own >= 0).sum(axis=1)
        t, starts, ends, own = t[hit], starts[hit], ends[hit], own[hit]
        above, below = (own >= 0) & (own < first[:, None]), own >= last[:, None]
        self.greater[t], self.equal[t] = first - starts, last - first
        self.own_greater[t] = above.sum(axis=1)
        self.own_equal[t] = self.own_listed[t] - above.sum(axis=1) - below.sum(axis=1)
        self.cut_ties += int(((last == ends) & (last - first > 1) & (ends - starts < self.index.full[t])).sum())

    def _find(self, block: _Block, starts: Integers, ends: Integers, wanted: Codes) -> Integers:
        """Row of each wanted place of each transaction, -1 if it is not listed; notes places listed twice.

        Every row is entered into a table, at its transaction and place, and looked up again: who finds another
        row there is a second time in the file. The table is never cleared, and so may give rows from earlier.
        """
        found = np.empty(wanted.shape, np.int64)
        twice = False
        for i in range(0, len(starts), self.span):
            chunk = slice(i, i + self.span)
            begin, end = starts[i], ends[chunk][-1]
            base = self.base[: len(starts[chunk])]
            cells = np.repeat(base, ends[chunk] - starts[chunk])
            cells += block.places[begin:end]
            rows = np.arange(end - begin, dtype=np.int32)
            self.table[cells] = rows
            twice |= bool((self.table.take(cells) != rows).any())
            found[chunk] = self.table.take(base[:, None] + np.maximum(wanted[chunk], 0)) + begin
        if twice:
            self._note_twice(block)
        there = (found >= starts[:, None]) & (found < ends[:, None])
        there &= block.places.take(found, mode="clip") == wanted  # as no row is for a wanted -1
        return np.where(there, found, -1)

    def _note_twice(self, block: _Block) -> None:
        order = np.lexsort((block.lines, block.places, block.t))
        ordered = block.take(order)
        again = order[1:][(ordered.t[1:] == ordered.t[:-1]) & (ordered.places[1:] == ordered.places[:-1])]
        again = again[np.argsort(block.lines[again], kind="stable")]

        def say(i: int) -> str:
            transaction = self.index.transactions[block.t[again[i]]]
            gallery = self.benchmark.gallery(self.split, transaction.category)
            image = gallery.image_ids[block.places[again[i]]]
            return f"image {image} a second time for {transaction.transaction_id}"

        note(self.problems, self.unit, block.lines[again], say)

    def _check_order(self, block: _Block) -> None:
        """A lower score needs a later rank. By the order of the block, a score is at most the one before."""
        t, _, ranks, scores, lines = block
        up = (ranks[1:] > ranks[:-1]) | ((ranks[1:] == ranks[:-1]) & (scores[1:] == scores[:-1]))
        at = np.flatnonzero(~up & (t[1:] == t[:-1])) + 1
        at = at[np.unique(t[at], return_index=True)[1]]  # the first of each transaction

        def say(i: int) -> str:
            a, b = at[i] - 1, at[i]
            name = self.index.transactions[t[b]].transaction_id
            return (
                f"{name}: rank {ranks[b]:g} has score {scores[b]:g}, but rank {ranks[a]:g} has {scores[a]:g}; "
                "a higher score must have a lower rank"
            )

        note(self.problems, self.unit, lines[at], say)


def _joined(blocks: Sequence[_Block]) -> _Block:
    return blocks[0] if len(blocks) == 1 else _Block(*map(np.concatenate, zip(*blocks, strict=True)))


def _starts(t: Numbers) -> Integers:
    """The first row of each stretch of rows of one transaction."""
    return np.flatnonzero(np.append(True, t[1:] != t[:-1])[: len(t)])


def _ties(scores: Numbers, starts: Integers, rows: Integers) -> tuple[Integers, Integers]:
    """First row, and the one after the last, of the tie group of each of some rows; the scores descend."""
    same = scores[1:] == scores[:-1]
    same[starts[1:] - 1] = False
    change = np.flatnonzero(np.diff(same, prepend=False, append=False))
    first, last = np.append(-1, change[::2]), np.append(-1, change[1::2] + 1)
    group = np.searchsorted(first, rows, side="right") - 1
    inside = rows < last[group]
    return np.where(inside, first[group], rows), np.where(inside, last[group], rows + 1)


def _in_order(block: _Block, starts: Integers) -> bool:
    """Whether each transaction stands together, its ranks ascending and its scores descending."""
    fine = (block.ranks[1:] > block.ranks[:-1]) & (block.scores[1:] <= block.scores[:-1])
    fine[starts[1:] - 1] = True
    return bool(fine.all()) and bool((np.bincount(block.t[starts], minlength=1) <= 1).all())


def _codes(strings: Any, known: Any) -> Codes:
    """Index of each string in ``known``, -1 where it is not there; and one more -1 at the end, for the index -1."""
    found = pc.fill_null(pc.index_in(strings, value_set=known), -1)
    return np.append(found.to_numpy(zero_copy_only=False), np.int32(-1))


def _indices(column: Any) -> Codes:
    """Indices of an Arrow array of dictionaries, -1 for null."""
    indices = pc.fill_null(column.indices, -1) if column.null_count else column.indices
    return np.asarray(indices.to_numpy(zero_copy_only=False))
