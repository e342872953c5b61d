"""A benchmark as a simulated user knows it."""

from __future__ import annotations

from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.ready import galleries_of
from mtbench.models.protocol import Catalogue
from mtbench.users.protocol import World


def world_of(benchmark: Benchmark, catalogue: Catalogue, *, split: str = "test") -> World:
    """What users may know: how images look, and what annotators said in train and dev; nothing of test.

    Args:
        benchmark: where the dialogues take place.
        catalogue: vectors of images, for users that look at them; not the one of a model, which notes what it reads.
        split: whose galleries are searched.
    """
    turns = {
        part: [(t.category, turn) for t in benchmark.transactions(part) for turn in t.turns]
        for part in ("train", "dev")
    }
    return World(
        benchmark.images,
        catalogue,
        turns["train"],
        turns["dev"],
        truth=lambda: benchmark.truth and benchmark.truth.without_answers(),
        joiner=benchmark.protocol.joiner,
        galleries={name: gallery.image_ids for name, gallery in galleries_of(benchmark, split).items()},
    )
