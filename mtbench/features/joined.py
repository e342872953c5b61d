"""Several stored features side by side, such as ``pixels+clip``: the same thing stands for images in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.features.protocol import Array
from mtbench.features.stored import StoredFeatures
from mtbench.features.vectors import normalised

WORDS = {"caption", "attributes", "caption+attributes"}


class JoinedFeatures:
    """The parts' vectors, each of length 1, side by side; satisfies `mtbench.models.protocol.Features`.

    A part without texts adds zeros to the text vectors: its images still count among images, and a text is
    compared through the other parts alone. The parts must agree on what stands for an image, because scores
    of different proxies never share a column: captions and attributes join to ``caption+attributes``, but
    nothing joins pixels with words.

    Raises:
        MtbenchError: a part twice, or proxies that do not join.
    """

    def __init__(self, parts: Sequence[StoredFeatures]) -> None:
        self.parts = tuple(parts)
        self.name = "+".join(part.name for part in parts)
        if len({part.name for part in parts}) < len(parts):
            raise MtbenchError(f"features {self.name!r} name a part twice")
        self.proxy = _joined_proxy(self.name, [part.proxy for part in parts])
        self.reads_text = any(part.reads_text for part in parts)
        self.dim = sum(part.dim for part in parts)

    def images(self, image_ids: Sequence[str]) -> Array:
        """Vectors of images, float32 (n, dim)."""
        return np.concatenate([normalised(part.images(image_ids)) for part in self.parts], axis=1)

    def texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, dim). Raises MtbenchError if no part reads text."""
        if not self.reads_text:
            raise MtbenchError(f"features {self.name!r} ({self.proxy}) know images only, no texts")
        return np.concatenate(
            [
                normalised(part.texts(texts)) if part.reads_text else np.zeros((len(texts), part.dim), np.float32)
                for part in self.parts
            ],
            axis=1,
        )

    def describe(self) -> dict[str, Any]:
        """What a result record says of its features: of the whole, and of each part."""
        parts = [part.describe() for part in self.parts]
        return {
            "name": self.name,
            "encoder": "+".join(part["encoder"] for part in parts),
            "settings": {part["name"]: part["settings"] for part in parts},
            "proxy": self.proxy,
            "dim": self.dim,
            "key": "+".join(part["key"] for part in parts),
        }


def _joined_proxy(name: str, proxies: Sequence[str]) -> str:
    found = set(proxies)
    if len(found) == 1:
        return proxies[0]
    if found <= WORDS:
        return "caption+attributes"
    raise MtbenchError(
        f"features {name!r} cannot be joined: their images stand as {' and '.join(sorted(found))}, "
        "and a score must say which one it is for"
    )
