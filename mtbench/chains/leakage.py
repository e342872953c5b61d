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

What is known is said once, in `AGAINST`: test is audited against train and dev together, dev against train.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from mtbench.core.errors import unknown
from mtbench.core.types import Transaction

Parts = Mapping[str, Sequence[Transaction]]
"""Transactions by split."""

KINDS = ("edge", "last_edge", "all_edges", "sub_chain", "final_target", "image")

AGAINST: Mapping[str, tuple[str, ...]] = MappingProxyType({"test": ("train", "dev"), "dev": ("train",)})
"""What each held-out split is audited against: all that a model may have learned from or been chosen on before."""

FLAG = "leak-"
"""Starts the flag of each leak: ``leak-edge``, ``leak-last-edge``, ..."""


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


def leaks_of(parts: Parts, split: str) -> list[dict[str, bool]]:
    """For each transaction of a held-out split, which of `KINDS` hold against what `AGAINST` names.

    Raises:
        MtbenchError: ``split`` is not held out, so that nothing can leak into it.
    """
    if split not in AGAINST:
        raise unknown("held-out split", split, AGAINST)
    return leaks(parts[split], [t for known in AGAINST[split] for t in parts[known]])


def flagged(parts: Parts) -> dict[str, list[Transaction]]:
    """The parts, their leaks among the flags of each held-out transaction; other flags stay as they are."""
    found = {split: list(transactions) for split, transactions in parts.items()}
    for split in AGAINST:
        found[split] = [
            replace(transaction, flags=(*_others(transaction), *(flag_of(kind) for kind in KINDS if kinds[kind])))
            for transaction, kinds in zip(parts[split], leaks_of(parts, split), strict=True)
        ]
    return found


def flag_of(kind: str) -> str:
    """The flag of a kind of leak: ``leak-last-edge`` of ``last_edge``."""
    return FLAG + kind.replace("_", "-")


def kind_named(name: str) -> str:
    """A kind of leak as it is typed, ``last-edge`` or ``last_edge``.

    Raises:
        MtbenchError: there is no such kind.
    """
    kind = name.replace("-", "_")
    if kind not in KINDS:
        raise unknown("kind of leak", name, [kind.replace("_", "-") for kind in KINDS])
    return kind


def clean(parts: Parts, kinds: Iterable[str]) -> dict[str, list[Transaction]]:
    """The parts without the held-out transactions that have any leak of ``kinds``; train stays whole."""
    unwanted = list(kinds)
    found = {split: list(transactions) for split, transactions in parts.items()}
    for split in AGAINST:
        found[split] = [
            transaction
            for transaction, leak in zip(parts[split], leaks_of(parts, split), strict=True)
            if not any(leak[kind] for kind in unwanted)
        ]
    return found


def audit(parts: Parts) -> dict[str, Any]:
    """The leaks of every held-out split (see `AGAINST`) as counts of transactions.

    Returns:
        ``{"test": {"transactions", *KINDS, "by_turns": {"2": ...}, "by_category": {...}}, "dev": ...}``
    """
    return {split: _count(parts[split], leaks_of(parts, split)) for split in AGAINST}


def audit_against(parts: Parts, known: Iterable[Transaction]) -> dict[str, Any]:
    """The same counts for any parts against transactions from elsewhere, such as a pre-training set."""
    known = list(known)
    return {split: _count(transactions, leaks(transactions, known)) for split, transactions in parts.items()}


def _others(transaction: Transaction) -> list[str]:
    return [flag for flag in transaction.flags if not flag.startswith(FLAG)]


def _count(transactions: Sequence[Transaction], found: Sequence[dict[str, bool]]) -> dict[str, Any]:
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
