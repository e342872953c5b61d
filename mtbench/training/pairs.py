"""More to learn from than a benchmark's train part: the single-turn pairs of a raw data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtbench.core.errors import MtbenchError
from mtbench.core.registry import BUILDERS
from mtbench.core.types import Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.data.pretraining import train_pairs, warn_if_strange


def pairs_of(benchmark: Benchmark, asked: Sequence[str]) -> list[Transaction]:
    """The training pairs that ``BUILDER=RAW`` names, as far as the benchmark knows both images.

    Raises:
        MtbenchError: not of this form, no such builder, or files that it cannot read.
    """
    found: list[Transaction] = []
    for one in asked:
        name, _, raw = one.partition("=")
        if not name or not raw:
            raise MtbenchError(f"--pairs {one!r} must be BUILDER=RAW, such as --pairs fashioniq=FOLDER")
        pairs = train_pairs(name, BUILDERS.get(name)(), Path(raw))
        warn_if_strange(benchmark, pairs, one)
        found += [pair for pair in pairs if all(image in benchmark.images for image in pair.images)]
    return found
