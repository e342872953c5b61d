"""Runs that are the same, or nearly, under two names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from mtbench.leaderboard.run_file import Run

FIRST = 10
NEAR = 0.95
"""Of the first ten images of all transactions, the share that two runs have in common from which they are one."""

Heads = npt.NDArray[np.int64]
"""A number for each (transaction, image) among the first ten, without order."""


def heads_of(run: Run) -> Heads:
    """The first ten of each transaction as numbers; alike for equal images of equal transactions."""
    places = np.arange(len(run.images)) - np.repeat(run.starts, run.depths)
    first = places < FIRST
    rows = np.repeat(np.arange(len(run.ends)), run.depths)[first]
    images, numbers = np.unique(run.images[first].astype(str), return_inverse=True)
    codes = np.array([_number(image) for image in images.tolist()], np.int64)
    return (codes[numbers] * 1_000_003 + rows) & (1 << 62) - 1


def _number(image: str) -> int:
    """The same in every process, unlike Python's own hash of text."""
    return int.from_bytes(hashlib.sha256(image.encode()).digest()[:4], "big")


def alike(heads: Mapping[str, Heads], *, near: float = NEAR) -> list[tuple[str, str, float]]:
    """Pairs of names whose runs share at least ``near`` of their first ten, with that share; the later name first."""
    names = sorted(heads)
    if len(names) < 2:
        return []
    keys, codes = np.unique(np.concatenate([heads[name] for name in names]), return_inverse=True)
    ends = np.append(0, np.cumsum([len(heads[name]) for name in names]))
    table = csr_matrix((np.ones(len(codes), np.int32), codes, ends), shape=(len(names), len(keys)))
    common = (table @ table.T).toarray()
    found = []
    for i in range(len(names)):
        for j in range(i):
            share = common[i, j] / max(1, min(common[i, i], common[j, j]))
            if share >= near:
                found.append((names[i], names[j], float(share)))
    return found


def undeclared(pairs: Sequence[tuple[str, str, float]], variant_of: Mapping[str, str]) -> list[tuple[str, str, float]]:
    """Those of which neither says that it is a variant of the other, or both of a third."""
    return [
        (one, two, share)
        for one, two, share in pairs
        if not ({variant_of.get(one) or one} & {two, variant_of.get(two)} or variant_of.get(two) == one)
    ]
