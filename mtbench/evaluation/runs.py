"""Runs: the ranking of every transaction, in a file that any system can write. Written and read back.

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
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
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
from mtbench.evaluation.ranking import Array, Ranks

Numbers: TypeAlias = npt.NDArray[Any]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]

_TEXT = (".trec", ".txt", ".run")
_KINDS = (".parquet", ".jsonl", *_TEXT)
_IDS, _NUMBERS = ["transaction_id", "image_id"], {"rank": pa.int32(), "score": pa.float32()}
_SCHEMA = pa.schema(  # that nothing is null halves the time of reading
    [pa.field(name, pa.string(), nullable=False) for name in _IDS]
    + [pa.field(name, kind, nullable=False) for name, kind in _NUMBERS.items()]
)
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
_BATCH_ROWS, _BATCH_BYTES = 1 << 18, 8 << 20


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
    with pq.ParquetWriter(
        path,
        _SCHEMA,
        compression="lz4",  # 5 % more bytes than zstd, and read in 3/4 of its time
        use_dictionary=[*_IDS, "rank"],
        column_encoding={"score": "BYTE_STREAM_SPLIT"},  # 2/3 of the bytes of plain floats, and read sooner
    ) as writer:
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
    """Whole rankings, as many as are read at once."""
    group: list[Ranking] = []
    rows = 0
    for ranking in run:
        rows += len(ranking.image_ids)
        if group and rows > _BATCH_ROWS:
            yield group
            group, rows = [], len(ranking.image_ids)
        group.append(ranking)
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


def is_run(name: str) -> bool:
    """Whether a name is that of a file of rankings, rather than of a model."""
    return name.removesuffix(".gz").endswith(_KINDS)


def _kind(path: Path) -> str:
    packed = path.suffix == ".gz"
    kind = path.with_suffix("").suffix if packed else path.suffix
    if kind not in _KINDS or (packed and kind == ".parquet"):
        raise MtbenchError(f"{path} is no run by its name; runs end in {', '.join(_KINDS)} (text also in .gz)")
    return kind


@dataclass(frozen=True)
class Rows:
    """Some rows of a run. Where the file has only ranks or only scores, the one is made of the other.

    Attributes:
        transactions, images: ids, Arrow arrays of dictionaries of strings.
        ranks, scores: int32, float32 or float64; not finite where the file is wrong.
        lines: where each row is in the file, from 1, empty lines not counted.
    """

    transactions: Any
    images: Any
    ranks: Numbers
    scores: Numbers
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
    names = pq.read_schema(path).names
    numbers = [name for name in _NUMBERS if name in names]
    lacking = [name for name in _IDS if name not in names] + ([] if numbers else ["score or rank"])
    if lacking:
        problems.add("columns", f"there is no {' and no '.join(lacking)}")
        return
    with pq.ParquetFile(path, read_dictionary=_IDS) as file:  # half the time of plain strings
        first = 1
        columns = [*_IDS, *numbers]
        groups = range(file.num_row_groups)  # one by one: each has dictionaries of its own, and a batch has one
        for batch in chain.from_iterable(file.iter_batches(_BATCH_ROWS, [i], columns) for i in groups):
            lines = np.arange(first, first + len(batch), dtype=np.int32)
            found = {name: _numbers(batch.column(name), name, lines, problems, "row") for name in numbers}
            ranks = found["rank"] if "rank" in found else -found["score"]
            scores = found["score"] if "score" in found else np.negative(found["rank"], dtype=np.float64)
            transactions, images = (_dictionary(batch.column(name)) for name in _IDS)
            yield Rows(transactions, images, ranks, scores, lines)
            first += len(batch)


_TREC = ["transaction_id", "q0", "image_id", "rank", "score", "tag"]


def _read_trec(path: Path, problems: Problems) -> Iterator[Rows]:
    """Read numbers as numbers while all is well, and as text from where it is not, to say what is wrong there."""
    done = yield from _well_formed(path)
    if done is not None:
        yield from _one_by_one(path, problems, done)


def _well_formed(path: Path) -> Generator[Rows, None, int | None]:
    """The rows up to the first block with a fault, and how many; None of a file without one."""
    malformed: list[int] = []

    def note(row: Any) -> str:
        malformed.append(row.number)
        return "skip"

    first = 1
    try:
        for batch in _trec_batches(path, pa.float64(), note):
            ranks, scores = (batch.column(i).to_numpy(zero_copy_only=False) for i in (2, 3))
            if malformed or not (np.isfinite(ranks).all() and np.isfinite(scores).all()):
                return first - 1
            lines = np.arange(first, first + len(batch), dtype=np.int32)
            yield Rows(batch.column(0), batch.column(1), ranks, scores, lines)
            first += len(batch)
    except pa.ArrowInvalid:
        return first - 1
    return first - 1 if malformed else None


def _one_by_one(path: Path, problems: Problems, done: int) -> Iterator[Rows]:
    """The rows after the first ``done``; everything that is wrong with them goes to ``problems``."""
    malformed: list[int] = []

    def note(row: Any) -> str:
        if len(malformed) < SHOWN:
            problems.add(f"line {row.number}", f"{row.actual_columns} columns where {len(_TREC)} belong")
        malformed.append(row.number)
        return "skip"

    first = 1
    for whole in _trec_batches(path, pa.string(), note):
        batch = whole.slice(max(0, done + 1 - first))
        first += len(whole) - len(batch)
        if malformed or not len(batch):  # lines are counted without those skipped: nothing below could be named
            continue
        lines = np.arange(first, first + len(batch), dtype=np.int32)
        ranks, scores = (_numbers(batch.column(i), _TREC[i + 1], lines, problems, "line") for i in (2, 3))
        yield Rows(batch.column(0), batch.column(1), ranks, scores, lines)
        first += len(batch)


def _trec_batches(path: Path, numbers: Any, note: Callable[[Any], str]) -> Iterator[Any]:
    """Blocks of a TREC run: two dictionaries of ids, rank and score of the type ``numbers``."""
    with _text_reader(path) as stream:
        delimiter = "\t" if "\t" in stream.readline().decode() else " "
    types = dict.fromkeys(_TREC, pa.string()) | dict.fromkeys(_IDS, _DICTIONARY)
    with pa.input_stream(str(path)) as stream:  # unpacks .gz by its name
        yield from pcsv.open_csv(
            stream,
            read_options=pcsv.ReadOptions(column_names=_TREC, use_threads=False, block_size=_BATCH_BYTES),
            parse_options=pcsv.ParseOptions(delimiter=delimiter, quote_char=False, invalid_row_handler=note),
            convert_options=pcsv.ConvertOptions(
                include_columns=["transaction_id", "image_id", "rank", "score"],
                column_types=types | {"rank": numbers, "score": numbers},
                strings_can_be_null=False,
                null_values=[],
            ),
        )


def _read_jsonl(path: Path, problems: Problems) -> Iterator[Rows]:
    seen: set[str] = set()
    names: list[str] = []
    images: list[str] = []
    numbers: list[Numbers] = []  # per transaction (3, depth): ranks, scores, lines

    def rows() -> Rows:
        ranks, scores, lines = np.concatenate(numbers, axis=1)
        return Rows(pa.array(names, _DICTIONARY), pa.array(images, _DICTIONARY), ranks, scores, lines.astype(np.int32))

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


def _parse(text: bytes) -> tuple[str, list[str], Numbers]:
    """One line of a ``.jsonl`` run: transaction, images, scores. ValueError says what is wrong with it."""
    row = json.loads(text)
    if not isinstance(row, dict) or not isinstance(row.get("transaction_id"), str):
        raise ValueError('not an object with a "transaction_id"')
    name, ranking, given = row["transaction_id"], row.get("ranking"), row.get("scores")
    if not isinstance(ranking, list) or not ranking or not all(isinstance(image, str) for image in ranking):
        raise ValueError(f'the "ranking" of {name!r} must be a list of image ids, and not empty')
    try:
        scores = -np.arange(1.0, len(ranking) + 1) if given is None else np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        scores = np.empty(0)
    if scores.shape != (len(ranking),) or not np.isfinite(scores).all():
        raise ValueError(f'the "scores" of {name!r} must be {len(ranking)} finite numbers')
    return name, ranking, scores


@contextmanager
def _text_reader(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        yield stream


def _dictionary(column: Any) -> Any:
    """A column of ids as a dictionary of strings."""
    if column.type == _DICTIONARY:
        return column
    if not pa.types.is_dictionary(column.type):
        return pc.cast(column, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(column.indices, pc.cast(column.dictionary, pa.string()))


def _numbers(column: Any, what: str, lines: Integers, problems: Problems, unit: str) -> Numbers:
    """A column of numbers or of texts: of the type `write_run` gives it as it is, else as float64.

    What is no finite number is a problem.
    """
    try:
        same = column.type == _NUMBERS[what] and not column.null_count
        values: Numbers = (column if same else pc.cast(column, pa.float64())).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # find out which
        values = np.array([_number(value) for value in column.to_pylist()])
    bad = np.flatnonzero(~np.isfinite(values))
    note(problems, unit, lines[bad], lambda i: f"{what} {column[int(bad[i])].as_py()!r} is no finite number")
    return values


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def note(problems: Problems, unit: str, lines: Integers, say: Callable[[int], str]) -> None:
    """Note each bad line; of many only the first: a wrong file can have 10^7."""
    for i, line in enumerate(lines[:SHOWN].tolist()):
        problems.add(f"{unit} {line}", say(i))
    if len(lines) > SHOWN:
        problems.add(f"{unit} {lines[SHOWN]}", f"the same or the like, and on {len(lines) - SHOWN - 1:,} more")
