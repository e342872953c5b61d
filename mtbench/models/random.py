"""Chance: the floor of every table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from mtbench.core.types import History
from mtbench.models.protocol import Array, Catalogue


class Random:
    """Ranks the gallery at random, by a hash of the history: the same for the same seed, whatever the batch.

    Args:
        seed: of the hash.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def score(self, histories: Sequence[History], image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Uniform scores, float32 (B, G). A draw belongs to an image, and not to its place in the gallery."""
        draws = np.stack([self._generator(history).random(len(image_ids), np.float32) for history in histories])
        place = np.empty(len(image_ids), dtype=np.int64)
        place[np.argsort(list(image_ids))] = np.arange(len(image_ids))
        return draws[:, place]

    def _generator(self, history: History) -> np.random.Generator:
        digest = hashlib.sha256(repr((self.seed, history)).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))
