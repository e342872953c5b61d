"""Small arithmetic on vectors that every encoder shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mtbench.features.protocol import Array


def normalised(vectors: Array) -> Array:
    """Rows of length 1, float32; a row of zeros stays zeros."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return unit


def skip_empty(texts: Sequence[str], dim: int, encode: Callable[[list[str]], Array]) -> Array:
    """``encode`` on the texts that hold a word; zeros for the others, which have nothing to compare.

    Returns:
        float32 (len(texts), dim).
    """
    filled = [row for row, text in enumerate(texts) if text.strip()]
    vectors = np.zeros((len(texts), dim), np.float32)
    if filled:
        vectors[filled] = encode([texts[row] for row in filled])
    return vectors
