"""Training transactions as tables of numbers: which image, which text, which target, padded on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtbench.core.errors import MtbenchError
from mtbench.models.protocol import Catalogue, Fold

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """n transactions of up to T turns; everything lies on one device.

    Attributes:
        images: vectors of the images that occur, float32 (I, D).
        texts: vectors of the feedback that occurs, float32 (X, D).
        references: row of the image that each turn shows, int64 (n, T).
        feedback: row of its text, int64 (n, T).
        targets: row of the image that it led to, int64 (n, T).
        mask: which turns are real, bool (n, T).
        categories: of each transaction, as numbers, (n,).
    """

    images: Tensor
    texts: Tensor
    references: Tensor
    feedback: Tensor
    targets: Tensor
    mask: Tensor
    categories: Indices

    def single_turns(self) -> Examples:
        """Every distinct turn as a transaction of its own, in the order of their first occurrence."""
        columns = [part[self.mask].cpu().numpy() for part in (self.references, self.feedback, self.targets)]
        of = np.repeat(self.categories, self.mask.sum(1).cpu().numpy())
        rows = np.stack([*columns, of], axis=1)
        _, first = np.unique(rows, axis=0, return_index=True)
        rows = rows[np.sort(first)]
        references, feedback, targets = (torch.from_numpy(rows[:, [k]]).to(self.images.device) for k in range(3))
        mask = torch.ones_like(references, dtype=torch.bool)
        return Examples(self.images, self.texts, references, feedback, targets, mask, rows[:, 3])


def examples_of(fold: Fold, catalogue: Catalogue, *, device: str = "cpu") -> Examples:
    """The transactions of a fold.

    Raises:
        MtbenchError: there are none, or the features know no texts.
    """
    if not fold.histories:
        raise MtbenchError("the train part has no transactions to learn from")
    if not catalogue.features.reads_text:
        raise MtbenchError("these features know images only; a model that learns from feedback needs vectors of it too")
    image_rows: dict[str, int] = {}
    text_rows: dict[str, int] = {}
    shape = (len(fold.histories), max(map(len, fold.histories)))
    references, feedback, targets = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    mask = np.zeros(shape, dtype=bool)
    for row, (history, led_to) in enumerate(zip(fold.histories, fold.targets, strict=True)):
        n = len(history)
        references[row, :n] = [image_rows.setdefault(image, len(image_rows)) for image in history.references]
        feedback[row, :n] = [text_rows.setdefault(text, len(text_rows)) for text in history.feedback]
        targets[row, :n] = [image_rows.setdefault(image, len(image_rows)) for image in led_to]
        mask[row, :n] = True
    texts = catalogue.text_features(list(text_rows))
    assert texts is not None  # the features read texts
    _, categories = np.unique([history.category for history in fold.histories], return_inverse=True)
    columns = {"references": references, "feedback": feedback, "targets": targets, "mask": mask}
    tables = {"images": catalogue.image_features(list(image_rows)), "texts": texts, **columns}
    tensors = {name: torch.from_numpy(np.asarray(part)).to(device) for name, part in tables.items()}
    return Examples(**tensors, categories=categories.astype(np.int64))


def batches_of(categories: Indices, size: int, rng: np.random.Generator) -> list[Indices]:
    """All rows once, drawn into batches of one category and of about equal size, at most ``size`` each.

    A batch of one category has the negatives that its gallery will have; none is much smaller than the others, so
    that no loss is a comparison with two or three.
    """
    batches = []
    for category in np.unique(categories):
        rows = rng.permutation(np.flatnonzero(categories == category))
        batches += np.array_split(rows, -(-len(rows) // size))
    return [batches[number] for number in rng.permutation(len(batches))]


def padded(lengths: Sequence[int]) -> tuple[Indices, npt.NDArray[np.bool_]]:
    """Where the turns of histories go that stand one after the other: rows (n, T), 0 where padded, and the mask.

    >>> padded([2, 1])[0].tolist()
    [[0, 1], [2, 0]]
    """
    counts = np.asarray(lengths, dtype=np.int64)
    place = np.arange(counts.max())
    mask = place[None, :] < counts[:, None]
    rows = np.where(mask, (np.cumsum(counts) - counts)[:, None] + place[None, :], 0)
    return rows, mask
