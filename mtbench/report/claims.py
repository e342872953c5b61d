"""What may be claimed: which systems differ, on the clean transactions first where a split leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mtbench.chains.leakage import kind_named
from mtbench.evaluation.comparison.comparable import Result, printable
from mtbench.evaluation.comparison.compare import compare
from mtbench.evaluation.comparison.systems import group
from mtbench.report.blocks import Block, Items, Section, Text
from mtbench.report.gather import Gathered

PAIRS = 21
"""Pairs of systems beyond which `mtbench compare` is named instead: those of seven."""

HOW = (
    "Paired randomisation over clusters (final targets, or designed blocks), two-sided, after Holm over all pairs; a "
    "difference is claimed where its interval leaves out 0 too. `mtbench compare` tells more."
)


def claims(found: Gathered) -> Section | None:
    """Sentences on every pair of systems; None for one system alone."""
    systems, copies = group(found.results)
    pairs = len(systems) * (len(systems) - 1) // 2
    if not pairs:
        return None
    title = "What may be claimed"
    if pairs > PAIRS:
        return Section(
            "claims",
            title,
            [Text(f"{pairs} pairs are too many for this page: run `mtbench compare` with a --baseline.")],
        )
    blocks: list[Block] = []
    leaks = "clean" in found.first
    clean = _clean(found)
    if clean is not None:
        n, kind = int(clean.sum()), printable(found.first["clean_kind"])
        sentences, _ = _compared([_part(result, clean) for result in found.results])
        blocks.append(Items(sentences, f"On the {n:,} transactions that are clean of {kind} leaks", ""))
    sentences, notes = _compared(found.results)
    blocks.append(Items(sentences, "On all transactions, the leaked ones among them" if leaks else "", ""))
    if leaks and clean is None:
        notes.append("Which transactions are clean cannot be told without the benchmark: add --benchmark DIR.")
    return Section("claims", title, [*blocks, Items([HOW, *(printable(note) for note in (*copies, *notes))])])


def _compared(results: Sequence[Result]) -> tuple[list[str], list[str]]:
    """A sentence for each pair, and notes."""
    told = compare(group(results)[0])
    return [printable(pair["claim"]) for pair in told["comparisons"]], told["notes"]


def _clean(found: Gathered) -> npt.NDArray[np.bool_] | None:
    """Which transactions are clean; None where none leaks, or the benchmark is not at hand or says another number."""
    record = found.first
    if found.benchmark is None or any("clean" not in r or "clean_kind" not in r for r in found.records):
        return None
    if len({r["clean_kind"] for r in found.records}) > 1:
        return None
    kind, split = kind_named(record["clean_kind"]), record["split"]
    transactions = found.benchmark.transactions(split)
    leaked = {
        t.transaction_id: leaks[kind] for t, leaks in zip(transactions, found.benchmark.leaks(split), strict=True)
    }
    clean = np.array([not leaked.get(str(name), True) for name in found.results[0].values.ids], dtype=np.bool_)
    return clean if int(clean.sum()) == record["clean"]["n"] else None


def _part(result: Result, rows: npt.NDArray[np.bool_]) -> Result:
    """The values of some transactions only."""
    values = result.values
    some = replace(
        values,
        ids=values.ids[rows],
        categories=values.categories[rows],
        clusters=values.clusters[rows],
        turns=values.turns[rows],
        measures={name: column[rows] for name, column in values.measures.items()},
    )
    return replace(result, values=some)
