"""A benchmark as a simulated user knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Turn
from mtbench.data.benchmark import Benchmark
from mtbench.data.truth import Truth
from mtbench.models.protocol import Catalogue, Fold
from mtbench.simulation.protocol import World


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
        galleries={category: g.image_ids for (part, category), g in benchmark.galleries.items() if part == split},
    )


def training_world(train: Fold, dev: Fold, catalogue: Catalogue, *, galleries: Mapping[str, Sequence[str]]) -> World:
    """What users may know who talk with a model that learns: some images, and what was said in training.

    Args:
        train: the training part.
        dev: what a user who learns may choose on; only said of images, as that of a `World`.
        catalogue: of the model; what users look up in theirs is not noted in it.
        galleries: the candidates by category. Of other images, but for those that annotators spoke of in training, a
            user knows nothing.
    """
    turns, dev_turns = list(_turns(train)), list(_turns(dev))
    spoken_of = [image for _, turn in (*turns, *dev_turns) for image in (turn.reference, turn.target)]
    known = catalogue.part([*(image for images in galleries.values() for image in images), *spoken_of])

    def truth() -> Truth | None:
        try:
            return known.truth
        except MtbenchError:  # nothing is known for certain
            return None

    return World(known.images, known, turns, dev_turns, truth=truth, joiner=catalogue.joiner, galleries=galleries)


def _turns(fold: Fold) -> Iterator[tuple[str, Turn]]:
    """Every turn with its category."""
    said = fold.said or [tuple((text,) for text in history.feedback) for history in fold.histories]
    for history, targets, texts in zip(fold.histories, fold.targets, said, strict=True):
        for turn in zip(history.references, texts, targets, strict=True):
            yield history.category, Turn(*turn)
