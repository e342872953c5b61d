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


def allowed(benchmark: Benchmark, extra: Sequence[Transaction], *, policy: Policy, kind: str) -> Allowed:
    """The training part and ``extra`` transactions, as far as the policy allows.

    What comes from elsewhere knows nothing of the benchmark's split, so it is held to more than the train part: it also
    leaks if it teaches a held-out pair the other way round, or has a held-out final target as a target.

    Args:
        benchmark: whose train part is learned from, and whose test part is evaluated.
        extra: more to learn from, such as the single-turn pairs of a data set.
        policy: ``refuse`` data that leaks; ``allow`` it, marked; ``drop`` the transactions that do.
        kind: the leak that counts, see `mtbench.chains.leakage`; a leak by edge counts whatever it is.

    Raises:
        MtbenchError: the data leaks, and the policy is to refuse; or nothing is left.
    """
    kind = kind_named(kind)
    held = [*benchmark.transactions("test"), *benchmark.transactions("dev")]
    train, more = benchmark.transactions("train"), list(extra)
    before = len(train) + len(more)
    if policy == "drop":
        asked = {thing for t in held for thing in _asked(t)}
        train = _harmless(train, held, kind)
        more = [t for t in _harmless(more, held, kind) if asked.isdisjoint(_taught([t]))]
    known = [*train, *more]
    dropped = before - len(known)
    spoken = kind.replace("_", " ")
    if not known:
        why = f"every training transaction leaks by {spoken}" if dropped else "its train part is empty"
        raise MtbenchError(f"{benchmark.path} has nothing to learn from: {why}")
    n, of = _known(benchmark, "test", train, more, kind)
    if n and policy == "refuse":
        raise MtbenchError(
            f"training on this would leak: {n:,} of the {of:,} test transactions of {benchmark.path} are "
            f"known by {spoken}{' (with what --pairs adds)' * bool(more)}. Add --drop-leaks to learn from the rest "
            "alone, or --allow-leak to mark every result of the checkpoint; or build with --split edge-target-disjoint"
        )
    in_dev, _ = _known(benchmark, "dev", train, more, kind)
    return Allowed(
        known,
        {"kind": kind, "marked": bool(n), "known": n, "of": of, "known_in_dev": in_dev, "dropped": dropped},
    )


def _known(
    benchmark: Benchmark, split: str, train: Sequence[Transaction], more: Sequence[Transaction], kind: str
) -> tuple[int, int]:
    """How many transactions of a held-out part the training data gives away, and of how many."""
    transactions = benchmark.transactions(split)
    by_kind = leaks(transactions, [*train, *more])
    taught = _taught(more)
    known = [
        leak[kind] or leak["edge"] or not taught.isdisjoint(_asked(t))
        for t, leak in zip(transactions, by_kind, strict=True)
    ]
    return sum(known), len(known)


def _harmless(known: Sequence[Transaction], held: Sequence[Transaction], kind: str) -> list[Transaction]:
    """The known transactions that give nothing of the held-out ones away."""
    edges = {(t.category, *pair) for t in held for pair in pairwise(t.images)}
    kept = [t for t in known if not any((t.category, *pair) in edges for pair in pairwise(t.images))]
    if kind not in ("final_target", "image"):
        return kept
    shown = {(t.category, image) for t in held for image in (t.images if kind == "image" else (t.target,))}
    return [t for t in kept if not any((t.category, image) in shown for image in t.images)]


def _taught(transactions: Sequence[Transaction]) -> set[tuple[str, frozenset[str]]]:
    """Pairs of images whichever way round, and targets, each with its category."""
    pairs = {(t.category, frozenset(pair)) for t in transactions for pair in pairwise(t.images)}
    return pairs | {(t.category, frozenset((turn.target,))) for t in transactions for turn in t.turns}


def _asked(transaction: Transaction) -> set[tuple[str, frozenset[str]]]:
    """What a training must not teach: the pairs of a held-out transaction, and its final target."""
    pairs = {(transaction.category, frozenset(pair)) for pair in pairwise(transaction.images)}
    return pairs | {(transaction.category, frozenset((transaction.target,)))}
