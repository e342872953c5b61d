"""Split policies: the named rules that assign transactions to train, dev and test.

======================  ==========================================================================================
official                as published; the dev part is cut out of the published training part
edge-target-disjoint    train / dev / test share no pair (in either direction) and no final target
edge-target-strict      the same, and what shows a held-out final target on the way is left out of training (and,
                        where it is one of test, of dev): to have seen the image to find is no help either
======================  ==========================================================================================

All move whole connected components: transactions that share a pair or a final target, directly or through others,
stay together. A component goes where a seeded hash of its name sends it, so that a transaction keeps its part when
others come or go, and nothing is random per run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.types import SPLITS, Transaction

POLICIES = ("official", "edge-target-disjoint", "edge-target-strict")

LEFT_OUT: Mapping[str, str] = MappingProxyType({split: f"left out of {split}" for split in ("train", "dev")})
"""What `assign` says of a transaction that goes nowhere, by the part that it would have been in."""


@dataclass(frozen=True)
class SplitRule:
    """A split policy with its parameters.

    Attributes:
        policy: one of `POLICIES`.
        dev_share: share of the components that become dev: of the published training part under ``official``, of
            all under a re-split.
        test_share: share of the components that become test under a re-split.
        seed: goes into the hash of every component.
    """

    policy: str = "official"
    dev_share: float = 0.05
    test_share: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise unknown("split policy", self.policy, POLICIES)
        if not (self.dev_share >= 0 and self.test_share >= 0 and self.dev_share + self.test_share < 1):
            raise MtbenchError("the shares of dev and test must be 0 or more, and leave something to train on")


def assign(
    transactions: Sequence[Transaction],
    raw_splits: Sequence[str],
    rule: SplitRule,
    official: Mapping[str, str],
) -> list[str]:
    """The part (``train``, ``dev`` or ``test``) of each transaction; under ``edge-target-strict`` also `LEFT_OUT`.

    Args:
        transactions: all of them.
        raw_splits: the published split each comes from.
        rule: the policy.
        official: which part a published split is: ``{"train": "train", "val": "test"}``.
    """
    place = _place(rule.seed, components(transactions))
    if rule.policy == "official":
        parts = [official[raw] for raw in raw_splits]
        missing = sorted({*parts} - {*SPLITS})
        if missing:
            raise MtbenchError(f"the published splits map to {missing}, which is none of {', '.join(SPLITS)}")
        if "dev" in parts:  # published data that brings a dev part keeps it
            return parts
        return ["dev" if p == "train" and at < rule.dev_share else p for p, at in zip(parts, place, strict=True)]
    dev_end = rule.dev_share + rule.test_share
    parts = ["test" if at < rule.test_share else "dev" if at < dev_end else "train" for at in place]
    return _strict(transactions, parts) if rule.policy == "edge-target-strict" else parts


def _strict(transactions: Sequence[Transaction], parts: Sequence[str]) -> list[str]:
    """The parts without what shows a final target of a later one: dev first, so that it protects only what it keeps."""
    found = list(parts)
    for split, held_out in (("dev", {"test"}), ("train", {"dev", "test"})):
        wanted = {(t.category, t.target) for t, part in zip(transactions, found, strict=True) if part in held_out}
        for row, transaction in enumerate(transactions):
            if found[row] == split and any((transaction.category, image) in wanted for image in transaction.images):
                found[row] = LEFT_OUT[split]
    return found


def components(transactions: Sequence[Transaction]) -> list[str]:
    """A name for the connected component of each transaction: its first pair in sorted order.

    Two transactions of a category are connected if they share a pair, whatever its direction, or their final
    target. Intermediate targets do not connect: that would leave three giant components on FashionIQ.
    """
    codes: dict[tuple[str, ...], int] = {}
    rows, columns = [], []
    for row, transaction in enumerate(transactions):
        keys = _pairs(transaction)
        for key in (*keys, (transaction.category, transaction.target)):
            rows.append(row)
            columns.append(codes.setdefault(key, len(codes)))
    shape = (len(transactions), len(codes))
    shares = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=shape).tocsr()
    _, labels = connected_components(_bipartite(shares), directed=False)
    names: dict[int, tuple[str, ...]] = {}
    for label, transaction in zip(labels, transactions, strict=False):
        names[label] = min([*_pairs(transaction), *([names[label]] if label in names else [])])
    return ["\t".join(names[label]) for label in labels[: len(transactions)]]


def _pairs(transaction: Transaction) -> list[tuple[str, ...]]:
    images = transaction.images
    return [(transaction.category, *sorted(pair)) for pair in pairwise(images)]


def _bipartite(shares: coo_array) -> coo_array:
    """Transactions and what they share as the nodes of one graph."""
    from scipy.sparse import block_array

    return block_array([[None, shares], [shares.T, None]]).tocsr()


def _place(seed: int, names: Sequence[str]) -> list[float]:
    """A number in [0, 1) for each name, by a hash that is the same everywhere."""
    places = {
        name: int.from_bytes(hashlib.sha256(f"{seed}\t{name}".encode()).digest()[:8], "big") / 2**64
        for name in set(names)
    }
    return [places[name] for name in names]
