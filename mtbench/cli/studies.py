"""What evaluators found, for a terminal: rows over all transactions; the others go into the record and the report."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mtbench.cli.tables import table
from mtbench.evaluation.cells import INTERVAL

DETAILS = ("turns", "age")
"""A row of one number of turns, or of turns of one age, is a detail where there are rows of all."""

_PARTS = ("clean", "leaked")
_WIDTH = 120

Row = Mapping[str, Any]


def study_tables(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """One text for each evaluator beside the headline: the rows of all models and parts, and its notes."""
    names = dict.fromkeys(name for record in records for name in record["studies"])
    return [
        _study(name, [(r["model"].rpartition(":")[2], r["studies"].get(name, {})) for r in records]) for name in names
    ]


def _study(name: str, studies: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    lines = [name, "=" * len(name)]
    for model, study in studies:
        if "not_available" in study:
            lines.append(f"{model}: it {study['not_available']}")
    rows: list[Row] = []
    for model, study in studies:
        parts = {"all": study, **{part: study[part] for part in _PARTS if part in study}}
        for part, found in parts.items():
            label = {"model": model, **({"part": part} if len(parts) > 1 else {})}
            rows += [{**label, **row} for row in found.get("rows", []) if isinstance(row, Mapping)]
    plain = {str(column) for _, study in studies for column in study.get("plain", [])}
    groups = _alike(rows)
    hidden = 0
    for group in groups:
        shown = [row for row in group if all(row.get(key, "all") in ("all", None) for key in DETAILS)] or group
        hidden += len(group) - len(shown)
        headers = [key for key in dict.fromkeys(key for row in shown for key in row) if _is_shown(key, shown)]
        lines += ["", table([[_cell(row, key, plain) for key in headers] for row in shown], headers)]
    if rows:
        lines.append("")
    if hidden:
        lines.append(f"{hidden:,} rows by {' or '.join(DETAILS)} are in the record: --json, or mtbench report.")
    notes = dict.fromkeys(str(note) for _, study in studies for note in study.get("notes", []))
    lines += [textwrap.fill(note, _WIDTH, break_long_words=False, break_on_hyphens=False) for note in notes]
    return "\n".join(lines)


def _alike(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows under one head: those whose columns are all among the columns of the others, or the other way round."""
    groups: list[list[Row]] = []
    heads: list[set[str]] = []
    for row in rows:
        columns = {key for key in row if not key.endswith(INTERVAL)}
        for i, head in enumerate(heads):
            if columns <= head or head <= columns:
                groups[i].append(row)
                heads[i] = head | columns
                break
        else:
            groups.append([row])
            heads.append(columns)
    return groups


def _is_shown(key: str, rows: Sequence[Row]) -> bool:
    """Not the intervals, which stand in the cells; of R@5, R@8 and their mean, the mean; nothing that is empty."""
    if key.endswith(INTERVAL) or (key in ("R@5", "R@8") and all("mean" in row for row in rows)):
        return False
    return any(row.get(key) is not None for row in rows)


def _cell(row: Row, key: str, plain: set[str]) -> str:
    """A share in per cent with its interval; any other number as it is."""
    value, interval = row.get(key), row.get(key + INTERVAL)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "" if value is None else str(value)
    if not interval:
        return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
    factor, digits = (1, 2) if key in plain else (100, 1)
    low, high = (f"{factor * end:.{digits}f}" for end in interval)
    return f"{factor * value:.{digits}f} [{low}, {high}]"
