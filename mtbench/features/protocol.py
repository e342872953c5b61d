"""What an encoder is: the one door between images or texts and vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mtbench.core.types import Image

Array = npt.NDArray[np.float32]

PROXIES = ("image", "user features", "caption", "attributes", "caption+attributes", "truth")
"""What may stand for an image. Scores of different proxies never share a column."""


class Encoder(Protocol):
    """Turns images, and where it can texts, into vectors of one space. No base class is needed.

    Options arrive as keyword arguments of the constructor.

    Attributes:
        proxy: what stands for the images, one of `PROXIES`.
        reads_text: whether `encode_texts` works; without it only the images have vectors.
    """

    proxy: str
    reads_text: bool

    def settings(self) -> dict[str, Any]:
        """Everything that changes the vectors, as JSON: options, versions, hashes of weights."""
        ...

    def fit(self, images: Sequence[Image], texts: Sequence[str]) -> None:
        """Learn from the images and feedback of the training split. Does nothing for a frozen encoder."""
        ...

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        """Vectors of images, float32 (n, d). Paths of the images start at ``folder``."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, d)."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """An encoder whose learning is kept beside its vectors, so that a new text does not make it learn again."""

    def learned(self) -> dict[str, npt.NDArray[Any]]:
        """What `fit` learned, as plain arrays by name."""
        ...

    def recall(self, learned: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the place of `fit`. Raises KeyError or ValueError for arrays that are not of this encoder."""
        ...


def image_text(image: Image, proxy: str) -> str:
    """The words that stand for an image under a text proxy; empty where it has none."""
    parts = []
    if "caption" in proxy and image.caption:
        parts.append(image.caption)
    if "attributes" in proxy:
        parts.extend(image.attributes)
    return " ".join(parts)
