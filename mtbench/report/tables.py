"""Numbers and rows as text in cells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mtbench.evaluation.comparison.comparable import printable
from mtbench.report.blocks import Table
from mtbench.report.gather import Gathered, cut
from mtbench.report.plots import INTERVAL
from mtbench.report.shape import is_interval, is_number

ROWS = 400
"""Rows of a table beyond which the rest is left out, and said."""

LETTERS = 160
SENTENCE, NOTES = 800, 30
NONE = "-"


def percent(value: object) -> str:
    """A share in per cent, one decimal, without a minus before 0.0."""
    return f"{round(100 * value, 1) + 0.0:.1f}" if is_number(value) else NONE


def span(low: object, high: object) -> str:
    """The ends of an interval in per cent."""
    return f"{percent(low)} to {percent(high)}"


def plain(value: object) -> str:
    """Any other value: thousands apart, four digits that mean something, text cut to what a cell holds."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if isinstance(value, list):
        return " to ".join(map(plain, value))
    return cut(printable(str(value)), LETTERS)


def study_table(found: Gathered, study: str, *, folded: bool = True) -> Table | None:
    """The rows of all results and parts under each other; None where there are none.

    A share with an interval is in per cent; whatever the study calls plain, and any other number, is as it is.
    """
    as_is = {name for record in found.records for name in record["studies"].get(study, {}).get("plain", [])}
    parts = found.parts(study)
    rows: list[dict[str, Any]] = [
        {"result": name, **({"part": part} if len(parts) > 1 else {}), **row}
        for part in parts
        for name, of in zip(found.names, found.rows(study, part), strict=True)
        for row in of
    ]
    if not rows:
        return None
    headers = [key for key in dict.fromkeys(key for row in rows for key in row) if not key.endswith(INTERVAL)]
    shares = ", shares in % [95% interval]" if any(key.endswith(INTERVAL) for row in rows for key in row) else ""
    return Table(
        f"All numbers: {printable(study)}{shares}",
        [printable(header) for header in headers],
        [[study_cell(row, key, as_is) for key in headers] for row in rows[:ROWS]],
        [key not in ("result", "part") and any(is_number(row.get(key)) for row in rows) for key in headers],
        folded=folded,
        left_out=max(0, len(rows) - ROWS),
    )


def study_cell(row: Mapping[str, Any], key: str, as_is: Collection[str] = ()) -> str:
    """One cell of a study."""
    value, interval = row.get(key), row.get(key + INTERVAL)
    if is_number(value) and is_interval(interval):
        if key in as_is:
            return f"{plain(value)} [{plain(interval[0])}, {plain(interval[1])}]"
        return f"{percent(value)} [{percent(interval[0])}, {percent(interval[1])}]"
    return plain(value)


def notes_of(found: Gathered, study: str) -> list[str]:
    """What a study says about itself, each sentence once, and why some results have none."""
    lacking: dict[str, list[str]] = {}
    for name, record in zip(found.names, found.records, strict=True):
        of = record["studies"].get(study)
        if of is None:
            lacking.setdefault("not run", []).append(name)
        elif "not_available" in of:
            lacking.setdefault(f"not available: it {plain(of['not_available'])}", []).append(name)
    notes = {f"{', '.join(names)}: {why}.": None for why, names in lacking.items()}
    for record in found.records:
        said = record["studies"].get(study, {}).get("notes", [])
        notes |= {cut(printable(note), SENTENCE): None for note in said[:NOTES]}
    return list(notes)
