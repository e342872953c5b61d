"""What may be learned from: training data that gives the evaluated part away is refused, or marked, or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from mtbench.chains.leakage import kind_named, leaks
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction
from mtbench.data.benchmark import Benchmark

Policy = Literal["refuse", "allow", "drop"]


@dataclass(frozen=True)
class Allowed:
    """What a model may learn from.

    Attributes:
        transactions: to learn from.
        leak: what of the held-out parts they give away, for the checkpoint and every result made with it; ``marked``
            tells whether it is anything.
    """

    transactions: list[Transaction]
    leak: dict[str, Any]


def allowed(
    benchmark: Benchmark, extra: Sequence[Transaction], *, policy: Policy, kind: str, test: str = "test"
) -> Allowed:
    """The training part and ``extra`` transactions, as far as the policy allows.

    Args:
        benchmark: whose train part is learned from, and whose test part is evaluated.
        extra: more to learn from, such as the single-turn pairs of a data set.
        policy: ``refuse`` data that leaks; ``allow`` it, marked; ``drop`` the transactions that do.
        kind: the leak that counts, see `mtbench.chains.leakage`.
        test: the part to be evaluated.

    Raises:
        MtbenchError: the data leaks, and the policy is to refuse; or nothing is left.
    """
    kind = kind_named(kind)
    held = [*benchmark.transactions(test), *benchmark.transactions("dev")]
    known = [*benchmark.transactions("train"), *extra]
    dropped = 0
    if policy == "drop":
        kept = _harmless(known, held, kind)
        known, dropped = kept, len(known) - len(kept)
    spoken = kind.replace("_", " ")
    if not known:
        why = f"every training transaction leaks by {spoken}" if dropped else "its train part is empty"
        raise MtbenchError(f"{benchmark.path} has nothing to learn from: {why}")
    found = leaks(benchmark.transactions(test), known)
    n = sum(leak[kind] for leak in found)
    if n and policy == "refuse":
        raise MtbenchError(
            f"training on this would leak: {n:,} of the {len(found):,} {test} transactions of {benchmark.path} are "
            f"known by {spoken}{' (with what --pairs adds)' * bool(extra)}. Add --drop-leaks to learn from the rest "
            "alone, or --allow-leak to mark every result of the checkpoint; or build with --split edge-target-disjoint"
        )
    about = {"kind": kind, "marked": bool(n), "known": n, "of": len(found), "dropped": dropped}
    return Allowed(known, about)


def _harmless(known: Sequence[Transaction], held: Sequence[Transaction], kind: str) -> list[Transaction]:
    """The known transactions that give nothing of the held-out ones away."""
    if kind in ("final_target", "image"):
        shown = {(t.category, image) for t in held for image in (t.images if kind == "image" else (t.target,))}
        return [t for t in known if not any((t.category, image) in shown for image in t.images)]
    edges = {(t.category, *pair) for t in held for pair in pairwise(t.images)}
    return [t for t in known if not any((t.category, *pair) in edges for pair in pairwise(t.images))]
