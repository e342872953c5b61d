"""Tables of any common kind as columns of plain Python values: CSV, TSV, JSON, JSON Lines, Parquet.

Not by pandas: it takes the first column for an index where rows have one field more than the header, renames columns
that occur twice, fills short rows, and makes numbers of names (``7`` becomes ``7.0`` beside a missing value).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError, Problems
from mtbench.data.readers import parse_json, read_json, short

Table = dict[str, list[Any]]
"""Columns by name, all of one length."""

FORMATS = (".csv", ".json", ".jsonl", ".parquet", ".tsv")


def read_table(path: Path) -> Table:
    """The columns of the table in ``path``, every value as it stands: no text becomes a number or a missing value.

    Raises:
        MtbenchError: not of the kind its suffix says, a column twice, or rows of unequal length.
    """
    if not path.is_file():
        raise MtbenchError(f"{path} is no file: give the table of pairs with --raw")
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _from_text(path, "\t" if suffix == ".tsv" else ",")
    if suffix == ".parquet":
        return _from_parquet(path)
    if suffix == ".jsonl":
        return _from_records(path, _json_lines(path))
    if suffix == ".json":
        return _from_records(path, read_json(path))
    raise MtbenchError(f"{path}: unknown kind of table {suffix!r}. Known: {', '.join(FORMATS)}")


def _from_text(path: Path, delimiter: str) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header, *rows = [row for row in csv.reader(stream, delimiter=delimiter, strict=True) if row] or [[]]
    except (csv.Error, ValueError, OSError) as error:
        raise MtbenchError(f"{path} cannot be read as {path.suffix[1:]}: {error}. Is it cut short?") from error
    problems = Problems(path)
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            problems.add(f"row {number}", f"{len(row)} fields instead of the {len(header)} of the header")
    problems.raise_if_any()
    _refuse_twins(path, header)
    return {name: [row[column] for row in rows] for column, name in enumerate(header)}


def _from_parquet(path: Path) -> Table:
    import pyarrow.parquet as pq

    try:
        _refuse_twins(path, pq.read_schema(path).names)
        columns: Table = pq.read_table(path).to_pydict()
    except MtbenchError:
        raise
    except Exception as error:  # damaged bytes, or a value that Python cannot hold: no common base
        raise MtbenchError(f"{path} cannot be read as parquet: {error}") from error
    return columns


def _json_lines(path: Path) -> list[Any]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (ValueError, OSError) as error:
        raise MtbenchError(f"{path}: not readable as text: {error}") from error
    problems, records = Problems(path), []
    for number, line in enumerate(lines, 1):
        try:
            records += [parse_json(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            problems.add(f"line {number}", f"not valid JSON: {error}")
    problems.raise_if_any()
    return records


def _from_records(path: Path, records: Any) -> Table:
    """The columns of a list of objects; or of an object of columns, as pandas writes it."""
    if isinstance(records, dict):
        columns = {name: list(c.values()) if isinstance(c, dict) else c for name, c in records.items()}
        if all(isinstance(c, list) for c in columns.values()) and len({len(c) for c in columns.values()}) <= 1:
            return columns
    if not isinstance(records, list):
        raise MtbenchError(f"{path}: a list of records is expected, not {short(records)}")
    problems = Problems(path)
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            problems.add(f"row {number}", f"an object is expected, not {short(record)}")
    problems.raise_if_any()
    return {name: [r.get(name) for r in records] for name in dict.fromkeys(name for r in records for name in r)}


def _refuse_twins(path: Path, names: Sequence[str]) -> None:
    twins = sorted(name for name, count in Counter(names).items() if count > 1)
    if twins:
        raise MtbenchError(f"{path} has more than one column {', '.join(map(repr, twins))}. Rename them.")
