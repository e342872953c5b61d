"""Leakage between parts: which transactions have been seen before, wholly or in part.

Edges, targets and images are compared within a category. For each transaction of the audited part:

============  ========================================================================================
edge          one of its pairs is a pair of a known transaction
last_edge     its last pair is
all_edges     all of its pairs are
sub_chain     its images stand in this order, side by side, in one known transaction
final_target  its target occurs in a known transaction
image         any of its images does
============  ========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from mtbench.core.types import Transaction

KINDS = ("edge", "last_edge", "all_edges", "sub_chain", "final_target", "image")


def leaks(transactions: Sequence[Transaction], known: Iterable[Transaction]) -> list[dict[str, bool]]:
    """For each transaction, which of `KINDS` hold against the ``known`` ones."""
    edges: set[tuple[str, ...]] = set()
    images: set[tuple[str, str]] = set()
    runs: set[tuple[str, ...]] = set()
    for transaction in known:
        path = transaction.images
        images.update((transaction.category, image) for image in path)
        for length in range(2, len(path) + 1):
            for start in range(len(path) - length + 1):
                run = (transaction.category, *path[start : start + length])
                (edges if length == 2 else runs).add(run)
    runs |= edges
    found = []
    for transaction in transactions:
        path, category = transaction.images, transaction.category
        seen = [(category, *pair) in edges for pair in pairwise(path)]
        found.append(
            {
                "edge": any(seen),
                "last_edge": seen[-1],
                "all_edges": all(seen),
                "sub_chain": (category, *path) in runs,
                "final_target": (category, path[-1]) in images,
                "image": any((category, image) in images for image in path),
            }
        )
    return found


def audit(parts: Mapping[str, Sequence[Transaction]]) -> dict[str, Any]:
    """Leakage of test against train and dev together, and of dev against train, as counts of transactions.

    Returns:
        ``{"test": {"transactions", *KINDS, "by_turns": {"2": ...}, "by_category": {...}}, "dev": ...}``
    """
    return {
        "test": _count(parts["test"], [*parts["train"], *parts["dev"]]),
        "dev": _count(parts["dev"], parts["train"]),
    }


def _count(transactions: Sequence[Transaction], known: Sequence[Transaction]) -> dict[str, Any]:
    found = leaks(transactions, known)
    by_turns: dict[str, list[dict[str, bool]]] = {}
    by_category: dict[str, list[dict[str, bool]]] = {}
    for transaction, kinds in zip(transactions, found, strict=True):
        by_turns.setdefault(str(len(transaction.turns)), []).append(kinds)
        by_category.setdefault(transaction.category, []).append(kinds)
    return {
        **_sums(found),
        "by_turns": {key: _sums(by_turns[key]) for key in sorted(by_turns, key=int)},
        "by_category": {key: _sums(by_category[key]) for key in sorted(by_category)},
    }


def _sums(found: Sequence[Mapping[str, bool]]) -> dict[str, int]:
    return {"transactions": len(found), **{kind: sum(kinds[kind] for kinds in found) for kind in KINDS}}
