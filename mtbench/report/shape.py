"""Is a result.json what `mtbench evaluate` writes? Everything the page reads is checked once, here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from mtbench.core.errors import MtbenchError

Test: TypeAlias = Callable[[Any, str], Iterator[str]]
"""Given a value and where it stands, the places that are not as they should be."""

SHOWN = 3


def _is(kind: Callable[[Any], bool]) -> Test:
    def test(value: Any, where: str) -> Iterator[str]:
        if not kind(value):
            yield where

    return test


def is_number(value: object) -> TypeGuard[float]:
    """A finite number, which no truth value is."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15 and math.isfinite(value)
    )


def is_interval(value: object) -> TypeGuard[list[float]]:
    """Two numbers."""
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))


def _or_none(test: Test) -> Test:
    return lambda value, where: iter(()) if value is None else test(value, where)


def _mapping(of: Test, *, needs: tuple[str, ...] = (), keys: Callable[[str], bool] = lambda _: True) -> Test:
    def test(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict) or not all(keys(key) for key in value):
            yield where
            return
        yield from (f"{where}.{name}" for name in needs if name not in value)
        for key, part in value.items():
            yield from of(part, f"{where}.{key}")

    return test


def _fields(needed: Mapping[str, Test], maybe: Mapping[str, Test] | None = None) -> Test:
    def test(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield where
            return
        dot = f"{where}." if where else ""
        for name, part in needed.items():
            yield from part(value[name], dot + name) if name in value else iter([dot + name])
        for name, part in (maybe or {}).items():
            if name in value:
                yield from part(value[name], dot + name)

    return test


def _list(of: Test) -> Test:
    def test(value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield where
            return
        for number, part in enumerate(value):
            yield from of(part, f"{where}[{number}]")

    return test


_NUMBER, _INTERVAL = _is(is_number), _is(is_interval)
_COUNT = _is(lambda value: type(value) is int and 0 <= value < 10**12)
_TEXT = _is(lambda value: isinstance(value, str))
_ANY = _is(lambda value: True)
_CELL = _is(lambda value: value is None or isinstance(value, (str, bool)) or is_number(value) or is_interval(value))
_MEASURES = _mapping(_NUMBER, needs=("R@5", "R@8", "mean"))


def _is_count(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 6


_GROUP = _fields({"n": _COUNT, "measures": _MEASURES})
_SCORES: dict[str, Test] = {
    "n": _COUNT,
    "measures": _MEASURES,
    "intervals": _mapping(_INTERVAL, needs=("R@5", "R@8", "mean")),
    "micro": _MEASURES,
    "own_references_excluded": _MEASURES,
    "ties_optimistic": _MEASURES,
    "ties_pessimistic": _MEASURES,
    "by_turns": _mapping(_GROUP, keys=_is_count),
    "by_category": _mapping(_GROUP),
}
_LEAKS = _mapping(_COUNT, needs=("transactions", "edge", "last_edge", "final_target", "image"))
_PART = _fields(
    {},
    {
        "rows": _list(_mapping(_CELL)),
        "notes": _list(_TEXT),
        "not_available": _TEXT,
        "plain": _list(_TEXT),
        "history_use_index": _mapping(_CELL),
    },
)
_STUDY = _fields({}, {"clean": _PART, "leaked": _PART})
_RECORD = _fields(
    {
        **_SCORES,
        **dict.fromkeys(
            ("key", "model", "benchmark", "revision", "split", "status", "proxy", "words", "mtbench"), _TEXT
        ),
        "seed": _COUNT,
        "options": _mapping(_ANY),
        "protocol": _mapping(_TEXT, needs=("gallery",)),
        "galleries": _list(_fields({"category": _TEXT, "images": _COUNT, "sha256": _TEXT})),
        "studies": _mapping(_STUDY),
        "evaluators": _mapping(_ANY),
        "environment": _fields(
            {"mtbench": _TEXT, "python": _TEXT, "packages": _mapping(_TEXT), "git": _or_none(_mapping(_ANY))}
        ),
    },
    {
        "clean": _fields(_SCORES),
        "leaked": _fields(_SCORES),
        "clean_kind": _TEXT,
        "limit": _or_none(_COUNT),
        "depth": _COUNT,
        "chosen_on_dev": _mapping(_ANY),
        "features": _or_none(_mapping(_ANY)),
        "leakage": _or_none(_fields({"transactions": _COUNT, "by_turns": _mapping(_LEAKS, keys=_is_count)})),
    },
)


def check_record(record: Any, folder: Path) -> None:
    """Refuse a record that the page cannot be made of.

    Raises:
        MtbenchError: it has another shape; in one line, with the first places.
    """
    studies = record.get("studies") if isinstance(record, dict) else None
    wrong = [*_RECORD(record, "")]
    for name, study in (studies if isinstance(studies, dict) else {}).items():
        wrong += [*_PART(study, f"studies.{name}")]
    if wrong:
        shown = ", ".join(
            name if name.isprintable() else ascii(name) for name in dict.fromkeys(w[:80] for w in wrong[:SHOWN])
        )
        more = f" and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
        raise MtbenchError(
            f"{folder / 'result.json'}: {shown or 'it'}{more} not as mtbench evaluate writes it; remove the folder and "
            "evaluate again"
        )
