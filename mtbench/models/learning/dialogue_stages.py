"""The galleries that a model talks about in training and on dev, with the simulated user, and the words of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from mtbench.core.errors import MtbenchError
from mtbench.core.registry import SIMULATORS
from mtbench.models.learning.dialogues import Stage, Talk, draw, hold, percentile
from mtbench.models.learning.trainer import draw_seed
from mtbench.models.learning.vocabulary import Vocabulary
from mtbench.models.nets.dialog_manager import Network
from mtbench.models.protocol import Catalogue, Fold
from mtbench.users.made import parted, taught, user_of
from mtbench.users.protocol import Simulator, World
from mtbench.users.world import training_world

Galleries: TypeAlias = Mapping[str, Sequence[str]]

HELD_OUT = 0.15
"""Of the images that the galleries of train and dev share, this part is kept to choose on."""

HEARD = 4096
"""Situations in which the user is listened to before training, to learn the words."""


@dataclass(frozen=True)
class Stages:
    """Where a model learns, and where it is judged.

    Attributes:
        train, dev: a stage for each gallery with two images or more (see `parts_of`); dev may have none.
        words: that have a token.
    """

    train: tuple[Stage, ...]
    dev: tuple[Stage, ...]
    words: tuple[str, ...]

    @property
    def features(self) -> int:
        """The size of the vectors."""
        return self.train[0].features.shape[1]

    @torch.no_grad()
    def scores(self, net: Network, dialogues: int, turns: int) -> Mapping[str, float]:
        """On dev, macro: ``mean``, the rank percentile over all turns; ``R@5`` after the last. The same users always.

        Args:
            net: the model.
            dialogues: so many in all, about.
            turns: of each.
        """
        found = []
        for number, stage in enumerate(self.dev):
            rng, n = np.random.default_rng(draw_seed("dev", number)), -(-dialogues // len(self.dev))
            (openings,) = draw([len(stage.image_ids)], n, rng, batch=n, turns=0, others=0)
            ranks, sizes = hold(net, stage, net.gallery(stage.features), Talk.of(openings), turns)
            found.append((percentile(ranks, sizes).mean(), (ranks[:, -1] <= 5).float().mean()))
        mean, recall = (float(torch.stack(part).mean()) for part in zip(*found, strict=True))
        return {"mean": mean, "R@5": recall}


def registered(text: str) -> Simulator:
    """A registered simulator with its options: a checkpoint names it, and must not name code of its own.

    Raises:
        MtbenchError: it is not registered, or does not take these options.
    """
    name, _ = parted(text)
    if name not in SIMULATORS.names():
        raise MtbenchError(f"simulator {name!r} is not registered. There are: {', '.join(SIMULATORS.names())}")
    return user_of(text)


def stages_of(
    train: Fold,
    dev: Fold,
    catalogue: Catalogue,
    simulator: Simulator,
    *,
    around: Catalogue | None = None,
    words: Sequence[str] | None = None,
    keeps: Path | None = None,
    device: str = "cpu",
) -> Stages:
    """Galleries and user of both parts. A user who learns does so now, from the training part.

    Args:
        train, dev: the parts.
        catalogue: what the model may look up: vectors of the images.
        simulator: who talks.
        around: what the user may look up; None for the same.
        words: that have a token; None for those of the training texts and of what the user says here.
        keeps: a folder for what the user learns.
        device: where the vectors go.

    Raises:
        MtbenchError: no gallery of the train part has two images, or the user cannot speak here.
    """
    mine, theirs = parts_of(train, dev)
    around = around or catalogue
    world = training_world(train, dev, around, galleries=mine)
    taught(simulator, world, keeps=keeps)
    plain = Vocabulary(())
    own = _stages(mine, catalogue, simulator, world, plain, device)
    if not own:
        raise MtbenchError("no gallery of the train part has two images to talk about")
    if words is None:
        written = [text for history in train.histories for text in history.feedback]
        words = Vocabulary.of([*written, *_heard(own)]).words
    known = Vocabulary(words)
    there = training_world(train, dev, around, galleries=theirs)
    return Stages(
        tuple(_stages(mine, catalogue, simulator, world, known, device)),
        tuple(_stages(theirs, catalogue, simulator, there, known, device)),
        known.words,
    )


def parts_of(train: Fold, dev: Fold) -> tuple[Galleries, Galleries]:
    """The images to learn from and those to choose the best epoch on, by category: no image is in both.

    Dialogues are learned from images, not from transactions, and the dev part of a benchmark may have the gallery of
    the train part: on that every epoch is better than the one before. So where they share images, about `HELD_OUT` of
    those, by a hash of their names, are held out from training; the others are no candidates on dev.
    """
    mine, theirs = {}, {}
    for category, gallery in sorted(train.galleries.items()):
        others = dev.galleries[category].image_ids if category in dev.galleries else ()
        shared = {*gallery.image_ids} & {*others}
        held = {image for image in shared if draw_seed("held out", image) % 1000 < 1000 * HELD_OUT}
        if len(gallery) - len(held) < 2:
            held = set()
        mine[category] = tuple(image for image in gallery.image_ids if image not in held)
        theirs[category] = tuple(image for image in others if image in held or image not in shared)
    return mine, theirs


def _stages(
    galleries: Galleries, catalogue: Catalogue, simulator: Simulator, world: World, vocabulary: Vocabulary, device: str
) -> list[Stage]:
    """A stage for each gallery that has something to talk about."""
    found = []
    for category, images in sorted(galleries.items()):
        if len(images) >= 2:
            features = torch.from_numpy(np.asarray(catalogue.image_features(images))).to(device)
            found.append(Stage(category, tuple(images), features, simulator, world, vocabulary))
    return found


def _heard(stages: Sequence[Stage]) -> list[str]:
    """What the user says of random images."""
    rng = np.random.default_rng(draw_seed("heard"))
    batches = draw([len(stage.image_ids) for stage in stages], HEARD, rng, batch=256, turns=0, others=0)
    talks = [Talk.of(openings).answer(stages[openings.stage]) for openings in batches]
    return [said[0] for talk in talks for said in talk.said]
