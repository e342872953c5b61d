"""Dialogues to learn from: galleries, openings drawn from them, and many dialogues held at once, a turn at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtbench.models.learning.examples import Indices
from mtbench.models.learning.vocabulary import Vocabulary, trimmed
from mtbench.models.nets.dialog_manager import Network, Seen
from mtbench.users.protocol import Simulator, Situation, World, heard

MOST_TURNS = 64
"""A dialogue has fewer: each turn has a seed of its own."""


@dataclass(frozen=True)
class Stage:
    """Where dialogues are held: one gallery, and a user who knows it.

    Attributes:
        category: its name.
        image_ids: the candidates, G of them.
        features: their vectors, float32 (G, D).
        simulator, world: the user.
        vocabulary: the words that have a token.
    """

    category: str
    image_ids: tuple[str, ...]
    features: Tensor
    simulator: Simulator
    world: World
    vocabulary: Vocabulary

    def at(self, values: npt.NDArray[np.generic]) -> Tensor:
        """An array where the features are."""
        return torch.from_numpy(values).to(self.features.device)


@dataclass(frozen=True)
class Openings:
    """How n dialogues on one stage begin, and what is drawn for them.

    Attributes:
        stage: the number of the stage.
        targets, first: columns of the gallery, each dialogue's own two, (n,).
        seeds: of what is drawn at the turns of each, (n,).
        others: images that are not the target, to compare with, (n, T, N).
    """

    stage: int
    targets: Indices
    first: Indices
    seeds: Indices
    others: Indices

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Talk:
    """n dialogues that are all at the same turn. What a model remembers of them is kept apart.

    Attributes:
        targets: columns of what the users want, (n,).
        shown: columns of the images shown, the last one not yet spoken of, (n, t + 1).
        said: what the users said, (n,) of t texts each.
        seeds: of each dialogue, (n,).
    """

    targets: Indices
    shown: Indices
    said: tuple[tuple[str, ...], ...]
    seeds: Indices

    @classmethod
    def of(cls, openings: Openings) -> Talk:
        """The dialogues before their first turn."""
        return cls(openings.targets, openings.first[:, None], ((),) * len(openings), openings.seeds)

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, rows: npt.NDArray[np.generic]) -> Talk:
        """Some of the dialogues; one may be there several times, and go on in several ways."""
        said = tuple(self.said[row] for row in np.arange(len(self))[rows].tolist())
        return Talk(self.targets[rows], self.shown[rows], said, self.seeds[rows])

    def show(self, columns: Indices) -> Talk:
        """The same with one more image shown in each, (n,)."""
        return replace(self, shown=np.concatenate([self.shown, columns[:, None]], axis=1))

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Where the target is shown now: such a dialogue is over, (n,)."""
        found: npt.NDArray[np.bool_] = self.shown[:, -1] == self.targets
        return found

    def answer(self, stage: Stage) -> Talk:
        """The same with what the users say of the last image; one call for all.

        Raises:
            MtbenchError: the simulator does not say one plain text for each.
        """
        names, turn = stage.image_ids, self.shown.shape[1] - 1
        situations = [
            Situation(
                stage.category,
                names[target],
                names[shown[-1]],
                tuple(names[column] for column in shown[:-1]),
                said,
                seed * MOST_TURNS + turn,
            )
            for target, shown, said, seed in zip(
                self.targets.tolist(), self.shown.tolist(), self.said, self.seeds.tolist(), strict=True
            )
        ]
        texts = heard(stage.simulator, situations, stage.world) if situations else []
        return replace(self, said=tuple((*said, text) for said, text in zip(self.said, texts, strict=True)))

    def tokens(self, stage: Stage) -> Tensor:
        """Of the last texts, (n, L)."""
        return stage.at(trimmed(stage.vocabulary.tokens([said[-1] for said in self.said])))


def read(net: Network, stage: Stage, talk: Talk, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
    """The states of a network after the last answers, and what it remembers: (n, d) each."""
    images = net.image(stage.features[stage.at(talk.shown[:, -1])])
    return net.step(images, net.text(talk.tokens(stage)), hidden)


def draw(
    sizes: Sequence[int], n: int, rng: np.random.Generator, *, batch: int, turns: int, others: int
) -> list[Openings]:
    """Openings for about n dialogues in batches of one stage: targets and first images even over its gallery.

    Args:
        sizes: of the galleries; each has dialogues in proportion to its size.
        n: at least as many as a batch holds.
        rng: draws.
        batch: dialogues in a batch.
        turns, others: for so many turns, so many images to compare with.
    """
    total, found = sum(sizes), []
    for stage, size in enumerate(sizes):
        for _ in range(max(1, round(n * size / total / batch))):
            targets = rng.integers(size, size=batch)
            first, compared = (_but(targets, size, rng, shape) for shape in ((), (turns, others)))
            found.append(Openings(stage, targets, first, rng.integers(1 << 50, size=batch), compared))
    return [found[place] for place in rng.permutation(len(found))]


def _but(targets: Indices, size: int, rng: np.random.Generator, shape: tuple[int, ...]) -> Indices:
    """Columns drawn evenly that are not the target, (n, *shape)."""
    drawn = rng.integers(size - 1, size=(len(targets), *shape))
    return drawn + (drawn >= targets.reshape(-1, *[1] * len(shape)))


def standing(scores: Tensor, talk: Talk) -> tuple[Tensor, Tensor]:
    """Where the targets stand among what was not shown: ranks from 1, expected over ties, (n,).

    Args:
        scores: of every candidate, (n, G).
        talk: the dialogues; none has shown its target.

    Returns:
        The scores, -inf for what was shown, and the ranks.
    """
    rows = torch.arange(len(talk), device=scores.device)
    targets, shown = (torch.from_numpy(part).to(scores.device) for part in (talk.targets, talk.shown))
    left = scores.scatter(1, shown, -torch.inf)
    # What is above minus what is below, in one pass: to count what is above and what is tied takes 5 times as long.
    more = (left - left[rows, targets][:, None]).sign_().sum(1)
    return left, 0.5 * (more + left.shape[1] + 1)


def best(left: Tensor) -> Indices:
    """The column of the highest score of each row, of equals the first, (n,)."""
    if left.device.type == "cpu":
        found: Indices = left.detach().numpy().argmax(axis=1)  # torch takes 7 times as long
        return found
    return left.argmax(1).cpu().numpy()


def hold(
    net: Network,
    stage: Stage,
    seen: Seen,
    talk: Talk,
    turns: int,
    hidden: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Go on greedily for so many turns: the ranks of the targets, 1 once they are shown; and the candidates left.

    Args:
        net: the model; no gradient is kept.
        stage, seen: where, and the gallery as the model sees it.
        talk: the dialogues; some may be over.
        turns: how many more.
        hidden: what the model remembers.

    Returns:
        Both float32 (n, turns).
    """
    ranks = torch.ones(len(talk), turns, device=seen.squares.device)
    sizes = len(stage.image_ids) - talk.shown.shape[1] - torch.arange(turns, device=ranks.device)
    going = np.flatnonzero(~talk.found)
    talk, hidden = talk.rows(going), hidden[stage.at(going)] if hidden is not None else None
    with torch.no_grad():
        for turn in range(turns):
            if not len(talk):
                break
            talk = talk.answer(stage)
            states, hidden = read(net, stage, talk, hidden)
            left, rank = standing(net.scores(states, seen), talk)
            ranks[stage.at(going), turn] = rank
            if turn == turns - 1:
                break
            talk = talk.show(best(left))
            live = np.flatnonzero(~talk.found)
            going, talk, hidden = going[live], talk.rows(live), hidden[stage.at(live)]
    return ranks, (sizes + 0.0).clamp(min=1).expand_as(ranks)


def percentile(ranks: Tensor, candidates: Tensor) -> Tensor:
    """1 - (rank - 1) / (candidates - 1): the reward (Guo et al., section 4)."""
    return 1 - (ranks - 1) / (candidates - 1).clamp(min=1)
