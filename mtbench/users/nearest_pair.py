"""A user who repeats what an annotator said of the most similar pair of the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtbench.core.errors import MtbenchError
from mtbench.users.protocol import Situation, World

Vectors = npt.NDArray[np.float64]

PAIRS_AT_ONCE = 8192
SITUATIONS_AT_ONCE = 512
DECIMALS = 6
"""Cosines are compared to so many: their last bits depend on what else is multiplied beside them."""


@dataclass(frozen=True)
class _Pairs:
    """The training pairs of one category: vectors of its images, and per pair the rows of its two images."""

    vectors: Vectors
    references: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    texts: Sequence[str]


class NearestPair:
    """Replays the human feedback of the training pair that looks most like (what is shown, what is wanted).

    Pairs are compared by the cosine of [image(reference); image(target)], each image at length 1; of equals the first
    in the training part speaks. Only pairs of the same category are asked.

    Args:
        features: the name of stored features to compare images by; those of the words if empty.
    """

    def __init__(self, *, features: str = "") -> None:
        self.features = features
        self._known: dict[str, _Pairs] = {}

    def learn(self, world: World) -> Mapping[str, Any]:
        """Gather the pairs; returns how many there are of each category.

        Raises:
            MtbenchError: the training part has no turn at all.
        """
        turns = dict.fromkeys((category, turn) for category, turn in world.turns)
        if not turns:
            raise MtbenchError("this user repeats what annotators said in train, which has no turns")
        self._known = {}
        for category in sorted({category for category, _ in turns}):
            own = [turn for name, turn in turns if name == category]
            images = list(dict.fromkeys(image for turn in own for image in (turn.reference, turn.target)))
            row = {image: number for number, image in enumerate(images)}
            self._known[category] = _Pairs(
                _unit(world, images),
                np.array([row[turn.reference] for turn in own], np.int64),
                np.array([row[turn.target] for turn in own], np.int64),
                [" ".join(world.joiner.join(turn.feedback).split()) for turn in own],  # people leave odd blanks
            )
        return {"pairs": {category: len(pairs.texts) for category, pairs in self._known.items()}}

    def say(self, situations: Sequence[Situation], world: World) -> list[str]:
        """What was said of the nearest pair of each.

        Raises:
            MtbenchError: it has not learned, or the training part has no turn of a category.
        """
        if not self._known:
            raise MtbenchError("nearest-pair has not learned yet")
        said = [""] * len(situations)
        for category in sorted({one.category for one in situations}):
            if category not in self._known:
                raise MtbenchError(
                    f"this user repeats what annotators said in train, which has no turns of {category!r}; it has: "
                    f"{', '.join(self._known)}"
                )
            rows = [row for row, one in enumerate(situations) if one.category == category]
            for start in range(0, len(rows), SITUATIONS_AT_ONCE):
                some = rows[start : start + SITUATIONS_AT_ONCE]
                nearest = _nearest([situations[row] for row in some], self._known[category], world)
                for row, pair in zip(some, nearest.tolist(), strict=True):
                    said[row] = self._known[category].texts[pair]
        return said


def _nearest(situations: Sequence[Situation], pairs: _Pairs, world: World) -> npt.NDArray[np.int64]:
    """The number of the nearest pair for each situation, (n,)."""
    shown = _unit(world, [one.shown for one in situations])
    wanted = _unit(world, [one.target for one in situations])
    length = _length(shown, wanted)[:, None]
    best = np.full(len(situations), -np.inf)
    found = np.zeros(len(situations), np.int64)
    for start in range(0, len(pairs.texts), PAIRS_AT_ONCE):
        block = slice(start, start + PAIRS_AT_ONCE)
        references, targets = pairs.vectors[pairs.references[block]], pairs.vectors[pairs.targets[block]]
        # The product of the joined vectors is the sum of those of their halves.
        products = shown @ references.T + wanted @ targets.T
        cosines = np.round(products / (length * _length(references, targets)), DECIMALS)
        at = cosines.argmax(axis=1)
        top = cosines[np.arange(len(at)), at]
        better = top > best
        best[better], found[better] = top[better], at[better] + start
    return found


def _length(first: Vectors, second: Vectors) -> Vectors:
    """Of the joined vectors; 1 for those of two images that show nothing."""
    length = np.sqrt((first**2).sum(axis=1) + (second**2).sum(axis=1))
    return np.where(length == 0, 1.0, length)


def _unit(world: World, images: Sequence[str]) -> Vectors:
    """Vectors of images at length 1, (n, d); zero for an image that shows nothing."""
    vectors = np.asarray(world.catalogue.image_features(images), np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms == 0, 1, norms))
