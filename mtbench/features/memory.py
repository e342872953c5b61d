"""TF-IDF vectors kept in memory, for data that is on no disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.features.protocol import Array
from mtbench.features.tfidf import TfIdf


class MemoryFeatures:
    """TF-IDF vectors of the images and texts, nothing on disk; satisfies `mtbench.models.protocol.Features`."""

    reads_text = True

    def __init__(self, images: Mapping[str, Image], words: Any, seen: Iterable[str], texts: Sequence[str]) -> None:
        self.proxy = str(words)
        self._encoder = TfIdf(text=words, dims=64)
        self._encoder.fit([images[image_id] for image_id in seen if image_id in images], texts)
        self._of_images = dict(images)
        self._known: dict[tuple[str, str], Array] = {}
        self._dim = self._encoder.encode_texts([""]).shape[1]

    def images(self, image_ids: Sequence[str]) -> Array:
        """Vectors of images, float32 (n, dim)."""
        unknown = sorted({image_id for image_id in image_ids if image_id not in self._of_images})
        if unknown:
            raise MtbenchError(f"features: no such image: {', '.join(unknown[:3])}")
        return self._rows("image", image_ids, lambda new: [self._of_images[image_id] for image_id in new])

    def texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, dim)."""
        return self._rows("text", texts, None)

    def describe(self) -> dict[str, Any]:
        """Their name and proxy."""
        return {"name": "tfidf in memory", "proxy": self.proxy}

    def _rows(self, kind: str, keys: Sequence[str], look_up: Any) -> Array:
        new = sorted({key for key in keys if (kind, key) not in self._known})
        if new:
            made = self._encoder.encode_images(look_up(new), None) if look_up else self._encoder.encode_texts(new)
            self._known.update(((kind, key), row) for key, row in zip(new, made, strict=True))
        return np.array([self._known[kind, key] for key in keys], np.float32).reshape(len(keys), self._dim)
