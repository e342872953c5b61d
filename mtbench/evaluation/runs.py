"""Runs: the ranking of every transaction, in a file that any system can write. Written, read back, scored.

======================= ==================================================================================
``.parquet``            columns ``transaction_id``, ``image_id``, and ``score`` or ``rank`` or both
``.trec .txt .run``     ``transaction_id Q0 image_id rank score tag``, separated by one space or one tab
``.jsonl``              per line one transaction: ``{"transaction_id": ..., "ranking": [ids, best first],
                        "scores": [...]}``; the scores may be left out
======================= ==================================================================================

The text formats may be packed (``.gz``). A ranking may have any depth. Where there are scores, they decide:
the higher the better, and equal scores tie, whatever ranks the file gives them; ranks that contradict the
scores are refused. Without scores the ranks decide, from 0 or 1, with or without gaps; equal ranks tie.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from mtbench.core.errors import SHOWN, MtbenchError, Problems
from mtbench.core.files import atomic_file
from mtbench.core.types import Gallery, Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.measures import (
    HEADLINE,
    Positions,
    by_category,
    cutoff,
    macro,
    micro,
    per_transaction,
)
from mtbench.evaluation.ranking import Array, Ranks

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)

_TEXT = (".trec", ".txt", ".run")
_SCHEMA = pa.schema(
    [
        ("transaction_id", pa.string()),
        ("image_id", pa.string()),
        ("rank", pa.int32()),
        ("score", pa.float32()),
    ]
)
_BATCH_ROWS, _BATCH_BYTES = 1 << 17, 8 << 20
_HELD_ROWS = 1 << 19
"""Rows held before those of complete transactions are counted and dropped: 20 MB as numbers."""


@dataclass(frozen=True)
class Ranking:
    """The head of one transaction's ranking: images, best first, and their scores, float32."""

    transaction_id: str
    image_ids: Sequence[str]
    scores: Array


def rankings(ranks: Ranks, transactions: Sequence[Transaction], gallery: Gallery) -> Iterator[Ranking]:
    """The lists of `Ranks` with the names of images: a transaction per row, one gallery for all."""
    if ranks.top is None or ranks.scores is None:
        raise MtbenchError("these ranks have no lists; rank with a depth of 1 or more")
    names = np.asarray(gallery.image_ids, dtype=object)
    for transaction, columns, scores in zip(transactions, ranks.top, ranks.scores, strict=True):
        use = columns >= 0
        yield Ranking(transaction.transaction_id, names[columns[use]].tolist(), scores[use])


def write_run(path: Path, run: Iterable[Ranking], *, tag: str = "mtbench") -> None:
    """Write a run as Parquet or TREC text, by the suffix of ``path``; the same rankings, the same bytes.

    Scores are written so that they read back as the same float32: ties stay ties, and none are made.

    Raises:
        MtbenchError: another suffix, a file that cannot be written, or an id with blanks in TREC text.
    """
    kind = _kind(path)
    if kind == ".jsonl":
        raise MtbenchError(f"{path}: runs are written as .parquet or as TREC text; .jsonl is only read")
    with atomic_file(path) as temporary:
        if kind == ".parquet":
            _write_parquet(temporary, run)
            return
        with _text_writer(temporary, packed=path.suffix == ".gz") as stream:
            for ranking in run:
                stream.write(_trec(ranking, tag))


def write_qrels(path: Path, transactions: Iterable[Transaction]) -> None:
    """Write the targets as TREC qrels: ``transaction_id 0 target 1``. Packed for a ``.gz``."""
    with atomic_file(path) as temporary, _text_writer(temporary, packed=path.suffix == ".gz") as stream:
        for transaction in transactions:
            _check_blanks(transaction.transaction_id, transaction.target)
            stream.write(f"{transaction.transaction_id} 0 {transaction.target} 1\n".encode())


def _write_parquet(path: Path, run: Iterable[Ranking]) -> None:
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        for group in _groups(run):
            depths = [len(ranking.image_ids) for ranking in group]
            columns = [
                np.repeat(np.array([ranking.transaction_id for ranking in group], dtype=object), depths),
                [image for ranking in group for image in ranking.image_ids],
                np.concatenate([np.arange(1, depth + 1, dtype=np.int32) for depth in depths]),
                np.concatenate([np.asarray(ranking.scores, np.float32) for ranking in group]),
            ]
            writer.write_table(pa.table(columns, schema=_SCHEMA))


def _groups(run: Iterable[Ranking]) -> Iterator[list[Ranking]]:
    group, rows = [], 0
    for ranking in run:
        group.append(ranking)
        rows += len(ranking.image_ids)
        if rows >= _BATCH_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


@contextmanager
def _text_writer(path: Path, *, packed: bool) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("wb") as stream:
        if packed:  # without a name and a time inside, the same lines make the same bytes
            with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packer:
                yield packer
        else:
            yield stream


def _trec(ranking: Ranking, tag: str) -> bytes:
    _check_blanks(tag, ranking.transaction_id, *ranking.image_ids)
    scores = np.asarray(ranking.scores, np.float32).astype(str)  # the shortest text of each float32
    rows = enumerate(zip(ranking.image_ids, scores, strict=True), start=1)
    return "".join(f"{ranking.transaction_id} Q0 {image} {i} {score} {tag}\n" for i, (image, score) in rows).encode()


def _check_blanks(*names: str) -> None:
    for name in names:
        if len(name.split()) != 1:
            raise MtbenchError(f"TREC text cannot hold {name!r}, which is empty or has blanks. Write .parquet")


def _kind(path: Path) -> str:
    kinds = (".parquet", ".jsonl", *_TEXT)
    packed = path.suffix == ".gz"
    kind = path.with_suffix("").suffix if packed else path.suffix
    if kind not in kinds or (packed and kind == ".parquet"):
        raise MtbenchError(f"{path} is no run by its name; runs end in {', '.join(kinds)} (text also in .gz)")
    return kind


@dataclass(frozen=True)
class Rows:
    """Some rows of a run. Where the file has only ranks or only scores, the one is made of the other.

    Attributes:
        transactions, images: ids, Arrow arrays of strings or of dictionaries of strings.
        ranks, scores: float64; not finite where the file is wrong.
        lines: where each row is in the file, from 1, empty lines not counted.
    """

    transactions: Any
    images: Any
    ranks: Floats
    scores: Floats
    lines: Integers


def read_run(path: Path, problems: Problems) -> Iterator[Rows]:
    """Read a run of any format in blocks of some 100,000 rows.

    Mistakes inside the file go to ``problems``, and reading goes on; after a line of the wrong shape no more
    rows are given.

    Raises:
        MtbenchError: the file does not exist, has no known suffix, or cannot be read on.
    """
    kind = _kind(path)
    if not path.is_file():
        raise MtbenchError(f"{path} does not exist")
    read = {".parquet": _read_parquet, ".jsonl": _read_jsonl}.get(kind, _read_trec)
    try:
        yield from read(path, problems)
    except (OSError, EOFError, ValueError) as error:  # pyarrow's own errors derive from these
        raise MtbenchError(f"{path} cannot be read as {kind[1:]}: {error}") from error


def _read_parquet(path: Path, problems: Problems) -> Iterator[Rows]:
    names = set(pq.read_schema(path).names)
    ids = ["transaction_id", "image_id"]
    numbers = [name for name in ("rank", "score") if name in names]
    lacking = [name for name in ids if name not in names] + ([] if numbers else ["score or rank"])
    if lacking:
        problems.add("columns", f"there is no {' and no '.join(lacking)}")
        return
    with pq.ParquetFile(path, read_dictionary=ids) as file:  # half the time of plain strings
        first = 1
        for batch in file.iter_batches(_BATCH_ROWS, columns=[*ids, *numbers]):
            lines = np.arange(first, first + len(batch))
            found = {name: _numbers(batch.column(name), name, lines, problems, "row") for name in numbers}
            ranks = found["rank"] if "rank" in found else -found["score"]
            scores = found["score"] if "score" in found else -found["rank"]
            transactions, images = (_strings(batch.column(name)) for name in ids)
            yield Rows(transactions, images, ranks, scores, lines)
            first += len(batch)


def _read_trec(path: Path, problems: Problems) -> Iterator[Rows]:
    with _text_reader(path) as stream:
        delimiter = "\t" if "\t" in stream.readline().decode() else " "
    columns = ["transaction_id", "q0", "image_id", "rank", "score", "tag"]
    malformed: list[int] = []

    def note(row: Any) -> str:
        if len(malformed) < SHOWN:
            problems.add(f"line {row.number}", f"{row.actual_columns} columns where {len(columns)} belong")
        malformed.append(row.number)
        return "skip"

    with pa.input_stream(str(path)) as stream:  # unpacks .gz by its name
        reader = pcsv.open_csv(
            stream,
            read_options=pcsv.ReadOptions(column_names=columns, use_threads=False, block_size=_BATCH_BYTES),
            parse_options=pcsv.ParseOptions(delimiter=delimiter, quote_char=False, invalid_row_handler=note),
            convert_options=pcsv.ConvertOptions(
                include_columns=["transaction_id", "image_id", "rank", "score"],
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=False,
            ),
        )
        first = 1
        for batch in reader:
            if malformed:  # lines are counted without those skipped: nothing below them could be named
                continue
            lines = np.arange(first, first + len(batch))
            ranks, scores = (_numbers(batch.column(i), columns[i + 1], lines, problems, "line") for i in (2, 3))
            yield Rows(batch.column(0), batch.column(1), ranks, scores, lines)
            first += len(batch)


def _read_jsonl(path: Path, problems: Problems) -> Iterator[Rows]:
    seen: set[str] = set()
    names: list[str] = []
    images: list[str] = []
    numbers: list[Floats] = []  # per transaction (3, depth): ranks, scores, lines

    def rows() -> Rows:
        ranks, scores, lines = np.concatenate(numbers, axis=1)
        return Rows(pa.array(names), pa.array(images), ranks, scores, lines.astype(np.int64))

    with _text_reader(path) as stream:
        for number, text in enumerate(stream, start=1):
            if not text.strip():
                continue
            try:
                name, ranking, scores = _parse(text)
                if name in seen:
                    raise ValueError(f"a second ranking of {name!r}")
            except ValueError as error:
                problems.add(f"line {number}", str(error))
                continue
            seen.add(name)
            names += [name] * len(ranking)
            images += ranking
            numbers.append(np.stack([np.arange(1, len(ranking) + 1), scores, np.full(len(ranking), number)]))
            if len(names) >= _BATCH_ROWS:
                yield rows()
                names, images, numbers = [], [], []
    if names:
        yield rows()


def _parse(text: bytes) -> tuple[str, list[str], Floats]:
    """One line of a ``.jsonl`` run: transaction, images, scores. ValueError says what is wrong with it."""
    row = json.loads(text)
    if not isinstance(row, dict) or not isinstance(row.get("transaction_id"), str):
        raise ValueError('not an object with a "transaction_id"')
    name, ranking, given = row["transaction_id"], row.get("ranking"), row.get("scores")
    if not isinstance(ranking, list) or not ranking or not all(isinstance(image, str) for image in ranking):
        raise ValueError(f'the "ranking" of {name!r} must be a list of image ids, and not empty')
    try:
        scores = -np.arange(1.0, len(ranking) + 1) if given is None else np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        scores = np.empty(0)
    if scores.shape != (len(ranking),) or not np.isfinite(scores).all():
        raise ValueError(f'the "scores" of {name!r} must be {len(ranking)} finite numbers')
    return name, ranking, scores


@contextmanager
def _text_reader(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        yield stream


def _strings(column: Any) -> Any:
    """A column of ids as strings, or as a dictionary of strings."""
    if not pa.types.is_dictionary(column.type):
        return pc.cast(column, pa.string())
    return pa.DictionaryArray.from_arrays(column.indices, pc.cast(column.dictionary, pa.string()))


def _numbers(column: Any, what: str, lines: Integers, problems: Problems, unit: str) -> Floats:
    """A column of numbers or of texts as float64; what is no finite number is a problem."""
    try:
        values: Floats = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # find out which
        values = np.array([_number(value) for value in column.to_pylist()])
    bad = np.flatnonzero(~np.isfinite(values))
    _note(problems, unit, lines[bad], lambda i: f"{what} {column[int(bad[i])].as_py()!r} is no finite number")
    return values


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _note(problems: Problems, unit: str, lines: Integers, say: Callable[[int], str]) -> None:
    """Note each bad line; of many only the first: a wrong file can have 10^7."""
    for i, line in enumerate(lines[:SHOWN].tolist()):
        problems.add(f"{unit} {line}", say(i))
    if len(lines) > SHOWN:
        problems.add(f"{unit} {lines[SHOWN]}", f"the same or the like, and on {len(lines) - SHOWN - 1:,} more")


@dataclass(frozen=True)
class RunScore:
    """What a run scores: per transaction first, aggregates from that.

    Attributes:
        transactions: those scored, in the order of the benchmark.
        positions: of their targets among all candidates; those of missing transactions are misses.
        excluded: the same without the images already shown in the transaction.
        measures: the names asked for.
        missing: ids of transactions that the run does not rank.
        not_available: measure -> why the rankings are too short for it; the same for ``excluded`` in
            ``not_available_excluded``.
        cut_ties: transactions whose target ties with the last candidate of a ranking that was cut off.
    """

    transactions: tuple[Transaction, ...]
    positions: Positions
    excluded: Positions
    measures: tuple[str, ...]
    missing: tuple[str, ...]
    not_available: Mapping[str, str]
    not_available_excluded: Mapping[str, str]
    cut_ties: int

    def values(self) -> dict[str, Floats]:
        """Each available measure per transaction, in the order of ``transactions``."""
        return per_transaction(self.positions, [name for name in self.measures if name not in self.not_available])

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``mtbench score --json``: shares in 0..1, ``measures`` as macro averages."""
        categories = [transaction.category for transaction in self.transactions]
        values = self.values()
        left = [name for name in self.measures if name not in self.not_available_excluded]
        parts = {name: by_category(name, row, categories) for name, row in values.items()}
        return {
            "n": len(self.transactions),
            "missing": len(self.missing),
            "measures": {name: _finite(macro(name, row, categories)) for name, row in values.items()},
            "micro": {name: _finite(micro(name, row)) for name, row in values.items()},
            "by_category": {
                category: {
                    "n": categories.count(category),
                    "measures": {name: _finite(part[category]) for name, part in parts.items()},
                }
                for category in sorted(set(categories))
            },
            "own_references_excluded": {
                "measures": {
                    name: _finite(macro(name, row, categories))
                    for name, row in per_transaction(self.excluded, left).items()
                },
                "not_available": dict(self.not_available_excluded),
            },
            "not_available": dict(self.not_available),
            "missing_transactions": list(self.missing),
            "cut_ties": self.cut_ties,
        }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None  # JSON has no infinity, the rank of a target not ranked


def score_run(
    path: Path,
    benchmark: Benchmark,
    *,
    split: str = "test",
    category: str | None = None,
    measures: Sequence[str] = HEADLINE,
) -> RunScore:
    """Score the run of any system against a benchmark, reading it once in blocks.

    Kept per transaction are a few counts: candidates above the target, tied with it, and listed at all. A tie
    group inside a ranking gives expected values. Where a ranking is cut off inside the target's group, only
    the listed part of the group counts: right on average if the cut was blind to the target; ``cut_ties``
    says how often it happened. R@K needs K candidates of every transaction that is ranked, or its whole
    gallery; MRR, rank and percentile need whole galleries.

    A file whose transactions each stand together is read in bounded memory; any other is read a second time
    and held as numbers (40 bytes per row).

    Args:
        path: see the formats of this module.
        benchmark, split: what it ranks. Transactions that it does not rank count as misses and are listed.
        category: score this category alone; rows of others are read over.
        measures: as in `measures.per_transaction`.

    Raises:
        MtbenchError: all at once: ids that do not exist, images outside a transaction's gallery, an image
            twice, numbers that are not finite, ranks that contradict scores; or nothing is ranked at all.
    """
    for name in measures:
        cutoff(name)
    if category is not None:
        benchmark.gallery(split, category)
    for held_rows in (_HELD_ROWS, None):
        tally = _Tally(path, benchmark, split, category)
        try:
            tally.read(held_rows)
            break
        except _ScatteredError:
            logger.info("%s: its transactions do not stand together; reading it again as a whole", path)
    return tally.score(tuple(measures))


class _ScatteredError(Exception):
    """A transaction goes on after it was counted."""


class _Tally:
    """The counts per transaction of a split. Ids become codes: their index in a list."""

    def __init__(self, path: Path, benchmark: Benchmark, split: str, category: str | None) -> None:
        self.path, self.name, self.split = path, benchmark.name, split
        self.unit = "row" if _kind(path) == ".parquet" else "line"
        self.problems = Problems(path)
        self.transactions = benchmark.transactions(split)
        n = len(self.transactions)
        self.known = pa.array([t.transaction_id for t in self.transactions], pa.string())
        self.images = pa.array(list(benchmark.images), pa.string())
        names = sorted({t.category for t in self.transactions})
        self.member = np.zeros((len(names), len(self.images)), bool)
        for i, name in enumerate(names):
            self.member[i, self._image_codes(benchmark.gallery(split, name).image_ids)] = True
        self.category = np.array([names.index(t.category) for t in self.transactions], np.int64)
        self.scope = np.array([category in (None, t.category) for t in self.transactions], bool)
        self.first_member = self.category * len(self.images)
        target = self._image_codes([t.target for t in self.transactions])
        self.target_key = np.arange(n) * len(self.images) + target
        row = np.repeat(np.arange(n), [len(t.turns) for t in self.transactions])
        shown = self._image_codes([turn.reference for t in self.transactions for turn in t.turns])
        own = (shown != target[row]) & self.member[self.category[row], shown]
        keys = np.unique(row[own] * len(self.images) + shown[own])
        self.own = pa.array(keys)
        self.own_full = np.bincount(keys // len(self.images), minlength=n)
        self.full = self.member.sum(axis=1)[self.category]
        self.counts = np.zeros((6, n), np.int64)
        self.cut = np.zeros(n, bool)

    def _image_codes(self, image_ids: Sequence[str]) -> Integers:
        return _codes(pa.array(image_ids, pa.string()), self.images)

    def read(self, held_rows: int | None) -> None:
        """Count what is complete whenever ``held_rows`` are held; with None, all at the end."""
        held, n_held = [np.empty((5, 0))], 0
        for rows in read_run(self.path, self.problems):
            held.append(self._encode(rows))
            n_held += held[-1].shape[1]
            if held_rows is not None and n_held >= held_rows:
                table = np.concatenate(held, axis=1)
                open_ = table[0] == table[0, -1]
                self._count(table[:, ~open_])
                held, n_held = [table[:, open_]], int(open_.sum())
        self._count(np.concatenate(held, axis=1))

    def _encode(self, rows: Rows) -> Floats:
        """The valid rows in scope, (5, n): code of the transaction, key of the pair, rank, score, line."""
        t, image = _codes(rows.transactions, self.known), _codes(rows.images, self.images)

        def note(wrong: npt.NDArray[np.bool_], text: str) -> None:
            at = np.flatnonzero(wrong)

            def say(i: int) -> str:
                return text.format(t=rows.transactions[int(at[i])], image=rows.images[int(at[i])], s=self)

            _note(self.problems, self.unit, rows.lines[at], say)

        note(t < 0, "no transaction {t} in {s.split} of {s.name}")
        note(image < 0, "no image {image} in {s.name}")
        found = (t >= 0) & (image >= 0)
        outside = found & ~np.take(self.member, self.first_member[t] + image, mode="clip")
        note(outside, "image {image} is not in the gallery of transaction {t}")
        keep = found & ~outside & self.scope[t] & np.isfinite(rows.ranks) & np.isfinite(rows.scores)
        table = np.stack([t, t * len(self.images) + image, rows.ranks, rows.scores, rows.lines])
        return table if keep.all() else table[:, keep]

    def _count(self, table: Floats) -> None:
        t, keys = table[:2].astype(np.int64)
        scores, n = table[3], len(self.transactions)
        if self.counts[0, t].any():
            raise _ScatteredError
        self._check_twice(keys, table[4])
        self._check_order(t, table)
        best = np.full(n, np.nan)  # no score is above, below or equal to that of a target not listed
        found = np.flatnonzero(keys == self.target_key[t])
        best[t[found]] = scores[found]
        target = best[t]
        above, tied = np.flatnonzero(scores > target), np.flatnonzero(scores == target)
        own = np.flatnonzero(pc.is_in(pa.array(keys), value_set=self.own))
        own_above, own_tied = own[scores[own] > target[own]], own[scores[own] == target[own]]
        parts = (t, t[above], t[tied], t[own], t[own_above], t[own_tied])
        for count, part in zip(self.counts, parts, strict=True):
            count += np.bincount(part, minlength=n)
        last = np.full(n, np.inf)
        np.minimum.at(last, t, scores)
        self.cut |= best == last

    def _check_twice(self, keys: Integers, lines: Floats) -> None:
        small = len(self.known) * len(self.images) < 1 << 31
        ordered = np.sort(keys.astype(np.int32) if small else keys, kind="stable")  # int32: 4 ms, int64: 10
        if not (ordered[1:] == ordered[:-1]).any():
            return
        order = np.argsort(keys, kind="stable")
        again = np.sort(order[1:][keys[order[1:]] == keys[order[:-1]]])

        def say(i: int) -> str:
            t, image = divmod(int(keys[again[i]]), len(self.images))
            return f"image {self.images[image]} a second time for {self.transactions[t].transaction_id}"

        _note(self.problems, self.unit, lines[again].astype(np.int64), say)

    def _check_order(self, t: Integers, table: Floats) -> None:
        """A lower score needs a later rank."""
        ranks, scores, lines = table[2:]
        if _ordered(t, ranks, scores):  # as nearly every file is: sorting takes half the time of scoring it
            return
        order = np.lexsort((ranks, -scores, t))
        t, ranks, scores, lines = t[order], ranks[order], scores[order], lines[order]
        wrong = (t[1:] == t[:-1]) & (
            (ranks[1:] < ranks[:-1]) | ((ranks[1:] == ranks[:-1]) & (scores[1:] < scores[:-1]))
        )
        at = np.flatnonzero(wrong) + 1
        at = at[np.unique(t[at], return_index=True)[1]]  # the first of each transaction

        def say(i: int) -> str:
            a, b = at[i] - 1, at[i]
            name = self.transactions[t[b]].transaction_id
            return (
                f"{name}: rank {ranks[b]:g} has score {scores[b]:g}, but rank {ranks[a]:g} has {scores[a]:g}; "
                "a higher score must have a lower rank"
            )

        _note(self.problems, self.unit, lines[at].astype(np.int64), say)

    def score(self, measures: tuple[str, ...]) -> RunScore:
        """Close the count; see `score_run` for the errors."""
        self.problems.raise_if_any()
        rows = np.flatnonzero(self.scope)
        transactions = tuple(self.transactions[i] for i in rows)
        full, own_full = self.full[rows], self.own_full[rows]
        listed, greater, equal, own_listed, own_greater, own_equal = self.counts[:, rows]
        if not listed.any():
            raise MtbenchError(f"{self.path} ranks none of the {len(rows)} transactions of {self.split}")
        greater = np.where(equal > 0, greater, full)
        own_greater = np.where(equal > 0, own_greater, own_full)
        names = [t.transaction_id for t in transactions]
        return RunScore(
            transactions,
            Positions(greater, equal, full),
            Positions(greater - own_greater, equal - own_equal, full - own_full),
            measures,
            tuple(name for name, depth in zip(names, listed, strict=True) if not depth),
            _too_short(measures, names, listed, full, listed > 0),
            _too_short(measures, names, listed - own_listed, full - own_full, listed > 0),
            int((self.cut[rows] & (equal > 1) & (listed < full)).sum()),
        )


def _ordered(t: Integers, ranks: Floats, scores: Floats) -> bool:
    """Whether transactions ascend, ranks inside each ascend, and scores descend: no sorting is needed to check."""
    same = t[1:] == t[:-1]
    up = (ranks[1:] > ranks[:-1]) & (scores[1:] <= scores[:-1])
    return bool((up | ~same).all() and (t[1:] >= t[:-1]).all())


def _codes(column: Any, known: Any) -> Integers:
    """Index of each string of an Arrow array in ``known``, -1 where it is not there or null."""
    if pa.types.is_dictionary(column.type):  # look each distinct string up once: a fifth of the time
        codes: Integers = np.append(_codes(column.dictionary, known), -1)
        indices = pc.fill_null(column.indices, -1) if column.null_count else column.indices
        return np.asarray(codes[indices.to_numpy(zero_copy_only=False)])
    found = pc.fill_null(pc.index_in(column, value_set=known), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def _too_short(
    measures: Sequence[str],
    names: Sequence[str],
    listed: Integers,
    full: Integers,
    present: npt.NDArray[np.bool_],
) -> dict[str, str]:
    """Measure -> why it is not available: a ranking ends before its cut-off and its gallery."""
    reasons: dict[str, str] = {}
    for name in measures:
        k = cutoff(name)
        short = np.flatnonzero(present & (listed < (full if k is None else np.minimum(full, k))))
        if len(short):
            i = short[np.argmin(listed[short])]
            needs = "whole galleries" if k is None else f"{k} candidates"
            reasons[name] = (
                f"needs {needs}, but {len(short):,} of {present.sum():,} rankings are shorter; "
                f"that of {names[i]} has {listed[i]:,} of {full[i]:,}"
            )
    return reasons
