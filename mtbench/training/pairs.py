"""More to learn from than a benchmark's train part: the single-turn pairs of a raw data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtbench.core.errors import MtbenchError
from mtbench.core.registry import BUILDERS
from mtbench.core.types import Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.data.pretraining import train_pairs, warn_if_strange


@dataclass(frozen=True)
class Pairs:
    """What ``--pairs`` adds: ``TrainSettings(pairs=pairs_of(benchmark, asked))``.

    Attributes:
        transactions: to learn from.
        name: for the record: the builders, sorted, each once. No paths, which are of this machine.
    """

    transactions: Sequence[Transaction] = ()
    name: str = ""


def pairs_of(benchmark: Benchmark, asked: Sequence[str]) -> Pairs:
    """The training pairs that ``BUILDER=RAW`` names, as far as the benchmark knows both images.

    Raises:
        MtbenchError: not of this form, no such builder, or files that it cannot read.
    """
    found: list[Transaction] = []
    builders = set()
    for one in asked:
        name, _, raw = one.partition("=")
        if not name or not raw:
            raise MtbenchError(f"--pairs {one!r} must be BUILDER=RAW, such as --pairs fashioniq=FOLDER")
        pairs = train_pairs(name, BUILDERS.get(name)(), Path(raw))
        warn_if_strange(benchmark, pairs, one)
        found += [pair for pair in pairs if all(image in benchmark.images for image in pair.images)]
        builders.add(Path(name).name)
    return Pairs(found, " ".join(sorted(builders)))
