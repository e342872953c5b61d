"""Which transactions a benchmark keeps in its parts, what it leaves out on purpose, and how many that are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mtbench.chains.leakage import AGAINST, KINDS, clean, flagged, kind_named
from mtbench.chains.splits import LEFT_OUT
from mtbench.core.errors import MtbenchError
from mtbench.core.types import SPLITS, Transaction

Parts = dict[str, list[Transaction]]
LeftOut = dict[str, dict[str, int]]
"""Counts of transactions that are in no part, by rule and by the part that they would have been in."""


def parts_of(transactions: Sequence[Transaction], assigned: Sequence[str], policy: str) -> tuple[Parts, LeftOut]:
    """The transactions by part, and what the split policy left out."""
    parts: Parts = {split: [] for split in SPLITS}
    for transaction, part in zip(transactions, assigned, strict=True):
        if part in parts:
            parts[part].append(transaction)
    counts = {split: list(assigned).count(label) for split, label in LEFT_OUT.items()}
    return parts, {policy: counts} if any(counts.values()) else {}


def kinds_named(names: Iterable[str]) -> list[str]:
    """Kinds of leak as typed with ``--clean``, each once, in the order of `KINDS`.

    Raises:
        MtbenchError: there is no such kind.
    """
    return sorted({kind_named(name) for name in names}, key=KINDS.index)


def clean_name(kinds: Sequence[str]) -> str:
    """What a clean subset has behind its name: ``clean-edge``, ``clean-edge-final-target``."""
    return "-".join(["clean", *(kind.replace("_", "-") for kind in kinds)])


def clean_parts(parts: Parts, kinds: Sequence[str]) -> tuple[Parts, LeftOut]:
    """The parts without held-out transactions that have a leak of ``kinds``, the other leaks among their flags.

    Raises:
        MtbenchError: no test transaction would be left.
    """
    if not kinds:
        return flagged(parts), {}
    kept = clean(parts, kinds)
    if parts["test"] and not kept["test"]:
        raise MtbenchError(
            f"--{clean_name(kinds).replace('-', ' ', 1)} leaves none of the {len(parts['test']):,} test transactions: "
            "each of them has that leak. Try another kind, or --split edge-target-strict"
        )
    return flagged(kept), {clean_name(kinds): {split: len(parts[split]) - len(kept[split]) for split in AGAINST}}
