"""What CFIR learns from, and its loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtbench.core.errors import MtbenchError
from mtbench.core.types import History
from mtbench.models.learning.examples import Indices, padded
from mtbench.models.learning.vocabulary import Grouped, Vocabulary, groups_of, trimmed
from mtbench.models.protocol import Catalogue, Fold


class Batch(NamedTuple):
    """Some histories, and their targets as candidates: each image once, and each text once."""

    tokens: Indices
    """Of the different groups of attribute words, then of the different feedback, (U + X, L)."""
    different: int
    """U."""
    members: Indices
    """See `mtbench.models.nets.cfir.Groups`."""
    starts: Indices
    columns: Indices
    """Images that are candidates, (G,)."""
    labels: Indices
    """The column of the target of each history, (B,)."""
    shown: Indices
    """The image of every turn of all histories, one after the other."""
    said: Indices
    """Its feedback, as a row of the different feedback."""
    places: Indices
    """Where the turns of each history stand in these, (B, T)."""
    mask: npt.NDArray[np.bool_]
    """Which are real, (B, T)."""


@dataclass(frozen=True)
class Lessons:
    """Every different history of the training transactions, and the image that it led to.

    Attributes:
        histories: n of them.
        targets: rows of the images that they led to, (n,).
        categories: of the histories, as numbers, (n,).
        images, texts: rows of all images and all feedback.
        features: vectors of the images, (I, D).
        vocabulary: the words of feedback and groups.
        tokens: of the feedback, (X, L).
        grouped: the groups of attribute words of the images.
    """

    histories: Sequence[History]
    targets: Indices
    categories: Indices
    images: Mapping[str, int]
    texts: Mapping[str, int]
    features: Tensor
    vocabulary: Vocabulary
    tokens: Indices
    grouped: Grouped

    @classmethod
    def of(cls, train: Fold, catalogue: Catalogue, *, every: bool, groups: int, device: str) -> Lessons:
        """What a fold has to teach: the target of ``every`` turn, or of the last.

        Raises:
            MtbenchError: there are no transactions.
        """
        if not train.histories:
            raise MtbenchError("the train part has no transactions to learn from")
        pairs: dict[tuple[History, str], None] = {}
        for history, targets in zip(train.histories, train.targets, strict=True):
            for n in range(1 if every else len(history), len(history) + 1):
                pairs[history.first(n), targets[n - 1]] = None
        histories = [history for history, _ in pairs]
        shown, said = asked_in(histories)
        images = _rows([*shown, *(target for _, target in pairs)])
        texts = _rows(said)
        words = [groups_of(image, catalogue, groups) for image in images]
        vocabulary = Vocabulary.of([*texts, *dict.fromkeys(group for some in words for group in some)])
        _, categories = np.unique([history.category for history in histories], return_inverse=True)
        return cls(
            histories,
            np.array([images[target] for _, target in pairs], dtype=np.int64),
            categories.astype(np.int64),
            images,
            texts,
            torch.from_numpy(np.ascontiguousarray(catalogue.image_features(list(images)))).to(device),
            vocabulary,
            vocabulary.tokens(list(texts)),
            Grouped.of(words, vocabulary),
        )

    def batch(self, rows: Indices) -> Batch:
        """The histories in these rows."""
        histories = [self.histories[row] for row in rows.tolist()]
        columns, labels = np.unique(self.targets[rows], return_inverse=True)
        groups, members, starts = self.grouped.some(columns)
        shown, said = asked_in(histories)
        different, of = np.unique([self.texts[text] for text in said], return_inverse=True)
        feedback = trimmed(self.tokens[different])
        tokens = np.zeros((len(groups) + len(feedback), max(groups.shape[1], feedback.shape[1])), dtype=np.int64)
        tokens[: len(groups), : groups.shape[1]] = groups
        tokens[len(groups) :, : feedback.shape[1]] = feedback
        places, mask = padded([len(history) for history in histories])
        images = np.array([self.images[image] for image in shown], dtype=np.int64)
        return Batch(tokens, len(groups), members, starts, columns, labels, images, of, places, mask)


def batch_hard(distances: Tensor, labels: Tensor, margin: float) -> Tensor:
    """The triplet loss: for each history the nearest wrong candidate, for each target the nearest wrong history.

    Args:
        distances: squared, of histories and candidates (B, G).
        labels: column of the target of each history, (B,). No other history with the same target is a negative.
        margin: 1 in the paper.
    """
    own = distances.gather(1, labels[:, None]).squeeze(1)
    wrong = labels[:, None] != torch.arange(distances.shape[1], device=distances.device)
    others = distances.masked_fill(~wrong, torch.inf)  # where there is none, it is far enough
    nearest = torch.cat([others.min(dim=1).values, others.min(dim=0).values[labels]])
    return torch.relu(torch.cat([own, own]) - nearest + margin).mean()


def asked_in(histories: Sequence[History]) -> tuple[list[str], list[str]]:
    """The images shown and the feedback, turn by turn, of all histories one after the other."""
    shown = [image for history in histories for image in history.references]
    return shown, [text for history in histories for text in history.feedback]


def _rows(names: Sequence[str]) -> dict[str, int]:
    """The different ones, numbered as they first occur."""
    return {name: row for row, name in enumerate(dict.fromkeys(names))}
