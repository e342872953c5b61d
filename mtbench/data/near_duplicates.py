"""Images that look the same under two names: a leak that names cannot show.

A held-out transaction is counted where its final target, or any of its images, has a near-duplicate among the images
of the known transactions of its category (`mtbench.chains.leakage.AGAINST` says which are known). An image that is
known under its own name is no near-duplicate of itself: that is the plain leak, which the audit counts anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtbench.chains.leakage import AGAINST, Parts
from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction

DISTANCE = 5
"""Bits, of the 298 of `mtbench.features.perceptual`, that two copies may differ by.

One bit less than a picture of one colour and its variant in another colour. Measured on the 1,200 shoebox pictures:

============================================  =====  =====  =====  =====  =====
bits                                              4      5      6      8     12
============================================  =====  =====  =====  =====  =====
found again when saved as JPEG of quality 75    79%    89%    96%    99%   100%
found again at half the size                    94%    97%    99%   100%   100%
found again after both                          60%    72%    84%    96%   100%
like another one, though none is a copy          34     45     62    117    224
============================================  =====  =====  =====  =====  =====

So the count is of images to look at, not of proven copies.
"""

EXAMPLES = 5
"""Pairs named per split, the nearest first."""

ROWS, COLUMNS = 1024, 8192
"""Size of a block of distances: 32 MiB."""

Hashes = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, order=True, slots=True)
class Twin:
    """A held-out image and the known image nearest to it."""

    distance: int
    category: str
    image: str
    known: str


def near_duplicates(parts: Parts, hashes: Hashes, *, distance: int = DISTANCE) -> dict[str, Any]:
    """Counts of held-out transactions with a near-duplicate, by split.

    Args:
        parts: transactions by split.
        hashes: bits by image id, all of one length; an image without is in no pair.
        distance: how many bits may differ.

    Returns:
        ``{"test": {"transactions", "final_target", "image", "examples": [{"image", "known", "category",
        "distance"}]}, "dev": ...}``

    Raises:
        MtbenchError: ``distance`` is negative.
    """
    if distance < 0:
        raise MtbenchError(f"--distance must be 0 or more bits, not {distance}")
    found = {}
    for split, against in AGAINST.items():
        known = _shown([t for name in against for t in parts[name]])
        twins: dict[tuple[str, str], Twin] = {}
        for category, images in _shown(parts[split]).items():
            for twin in nearest(sorted(images), sorted(known.get(category, ())), hashes, category=category):
                if twin.distance <= distance:
                    twins[category, twin.image] = twin
        rows = parts[split]
        found[split] = {
            "transactions": len(rows),
            "final_target": sum((t.category, t.target) in twins for t in rows),
            "image": sum(any((t.category, image) in twins for image in t.images) for t in rows),
            "examples": [
                {"image": t.image, "known": t.known, "category": t.category, "distance": t.distance}
                for t in sorted(twins.values())[:EXAMPLES]
            ],
        }
    return found


def nearest(images: Sequence[str], known: Sequence[str], hashes: Hashes, *, category: str = "") -> list[Twin]:
    """For each image the nearest known one of another name, the first of several; block by block.

    With bits as +1 and -1, a product of matrices counts agreements less disagreements: exact in single precision.
    """
    images = [image for image in images if image in hashes]
    known = [image for image in known if image in hashes]
    if not images or not known:
        return []
    mine, theirs = _signs(images, hashes), _signs(known, hashes)
    bits = mine.shape[1]
    own = {image: column for column, image in enumerate(known)}
    found = []
    for top in range(0, len(images), ROWS):
        block = mine[top : top + ROWS]
        least = np.full(len(block), bits + 1)
        column_of = np.zeros(len(block), dtype=np.int64)
        for left in range(0, len(known), COLUMNS):
            distances = (bits - block @ theirs[left : left + COLUMNS].T) / 2
            for row, image in enumerate(images[top : top + ROWS]):
                column = own.get(image, -1) - left
                if 0 <= column < distances.shape[1]:
                    distances[row, column] = bits + 1
            here = distances.argmin(axis=1)
            values = distances[np.arange(len(block)), here]
            better = values < least
            least[better], column_of[better] = values[better], here[better] + left
        for row, image in enumerate(images[top : top + ROWS]):
            if least[row] <= bits:
                found.append(Twin(int(least[row]), category, image, known[int(column_of[row])]))
    return found


def _signs(images: Sequence[str], hashes: Hashes) -> NDArray[np.float32]:
    return np.stack([hashes[image] for image in images]).astype(np.float32) * 2 - 1


def _shown(transactions: Sequence[Transaction]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for transaction in transactions:
        found.setdefault(transaction.category, set()).update(transaction.images)
    return found
