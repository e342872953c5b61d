"""What a simulated user may know while a model learns from talking with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mtbench.core.types import Turn
from mtbench.models.protocol import Catalogue, Fold
from mtbench.users.protocol import World


def training_world(train: Fold, dev: Fold, catalogue: Catalogue, *, galleries: Mapping[str, Sequence[str]]) -> World:
    """What users may know who talk with a model that learns: some images, and what was said in training.

    Args:
        train: the training part.
        dev: what a user who learns may choose on; only said of images, as that of a `World`.
        catalogue: what the user may look up, or the model: then what the user looks up is not noted.
        galleries: the candidates by category. Of other images, but for those that annotators spoke of in training, a
            user knows nothing.
    """
    turns, dev_turns = list(_turns(train)), list(_turns(dev))
    spoken_of = [image for _, turn in (*turns, *dev_turns) for image in (turn.reference, turn.target)]
    known = catalogue.part([*(image for images in galleries.values() for image in images), *spoken_of])

    return World(
        known.images, known, turns, dev_turns, truth=known.known_truth, joiner=catalogue.joiner, galleries=galleries
    )


def _turns(fold: Fold) -> Iterator[tuple[str, Turn]]:
    """Every turn with its category."""
    said = fold.said or [tuple((text,) for text in history.feedback) for history in fold.histories]
    for history, targets, texts in zip(fold.histories, fold.targets, said, strict=True):
        for turn in zip(history.references, texts, targets, strict=True):
            yield history.category, Turn(*turn)
