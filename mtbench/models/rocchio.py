"""Relevance feedback: the classical baseline, which knows only whether an image was closer (Rocchio 1971)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtbench.core.types import History
from mtbench.models.protocol import Array, Catalogue

NEGATIVE, NEUTRAL = "not closer", "start"


class Rocchio:
    """alpha * first image + beta * mean of the images that were closer - gamma * mean of those that were not.

    What is said is read for three remarks alone, those of the simulator ``relevance``: ``closer`` makes the reference
    of its turn positive, ``not closer`` negative, and ``start`` neither. Any other text counts as positive: whoever
    describes a change goes on from the image that is shown. On such feedback it is the
    first image + 0.75 * mean of the references, the first among them.

    Args:
        alpha: of the first image.
        beta: of the positive images.
        gamma: of the negative images.
    """

    similarity = "cosine"

    def __init__(self, *, alpha: float = 1.0, beta: float = 0.75, gamma: float = 0.15) -> None:
        if min(alpha, beta, gamma) < 0:
            raise ValueError(f"alpha, beta and gamma must be 0 or more, not {alpha}, {beta} and {gamma}")
        self.alpha, self.beta, self.gamma = alpha, beta, gamma

    def embed_histories(self, histories: Sequence[History], catalogue: Catalogue) -> Array:
        """Query vectors, float32 (B, d)."""
        shown = list(dict.fromkeys(image for history in histories for image in history.references))
        vectors = dict(zip(shown, self.embed_images(shown, catalogue), strict=True))
        return np.stack([self._query(history, vectors) for history in histories])

    def embed_images(self, image_ids: Sequence[str], catalogue: Catalogue) -> Array:
        """Image features at length 1, float32 (G, d)."""
        vectors = np.asarray(catalogue.image_features(image_ids), np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(norms == 0, 1, norms), np.float32)

    def _query(self, history: History, vectors: dict[str, Array]) -> Array:
        remarks = [" ".join(text.lower().split()).rstrip(".!") for text in history.feedback]
        turns = list(zip((vectors[image] for image in history.references), remarks, strict=True))
        query = self.alpha * vectors[history.references[0]]
        for weight, images in (
            (self.beta, [vector for vector, said in turns if said not in (NEGATIVE, NEUTRAL)]),
            (-self.gamma, [vector for vector, said in turns if said == NEGATIVE]),
        ):
            if images:
                query = query + weight * np.mean(images, axis=0)
        return np.asarray(query, np.float32)
