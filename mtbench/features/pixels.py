"""Colour and shape straight from the pixels: Lab histograms on a 3 x 3 grid, and oriented gradients.

Needs no model and no network, so that image features exist everywhere; it knows images only, no texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtbench.core.types import Image
from mtbench.features.imaging import files_of, open_pictures
from mtbench.features.needs import need, version
from mtbench.features.protocol import Array
from mtbench.features.vectors import normalised

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

GRID = 3
BINS = 8
RANGES = ((0.0, 100.0), (-60.0, 60.0), (-60.0, 60.0))
"""Lightness, green to red, blue to yellow. Colours beyond +-60 are rare; they go to the end bins."""


class Pixels:
    """Colour histograms and HOG of image files: no network, no words, each part of length 1.

    Args:
        size: images are fitted into a white square of this many pixels, at least 32.
    """

    proxy = "image"
    reads_text = False

    def __init__(self, *, size: int = 128) -> None:
        if not 32 <= size <= 1024:
            raise ValueError(f"size must be 32 to 1024, not {size}")
        self.size = size

    def settings(self) -> dict[str, Any]:
        """The options, and the versions that decode and describe images."""
        return {
            "encoder": "pixels",
            "size": self.size,
            "pillow": version("pillow"),
            "scikit-image": version("scikit-image"),
        }

    def fit(self, images: Sequence[Image], texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def check(self, images: Sequence[Image], texts: Sequence[str], folder: Path | None) -> None:
        """Name every image without a file before the first is encoded."""
        need("skimage", extra="pixels")
        files_of(images, folder)

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        """Descriptors of images, float32 (n, d).

        Raises:
            MtbenchError: files that are missing or cannot be read, all of them.
        """
        return np.stack([self._describe(picture) for picture in open_pictures(images, folder)])

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """Not possible: pixels have no words."""
        raise NotImplementedError("the pixels encoder reads no text")

    def _describe(self, picture: Picture) -> Array:
        """Colour and shape of one image, float32 (d,)."""
        from PIL import Image as Pillow
        from PIL import ImageOps

        colour = need("skimage.color", extra="pixels")
        feature = need("skimage.feature", extra="pixels")
        square = ImageOps.pad(picture, (self.size, self.size), Pillow.Resampling.BILINEAR, color="white")
        pixels = np.asarray(square, np.float64) / 255
        shape = feature.hog(
            pixels.mean(axis=2),
            orientations=9,
            pixels_per_cell=(self.size // 8, self.size // 8),
            cells_per_block=(2, 2),
            block_norm="L2-Hys",
        )
        parts = [_histograms(colour.rgb2lab(pixels)), shape]
        both: Array = normalised(np.concatenate([normalised(part[None]) for part in parts], axis=1))[0]
        return both


def _histograms(lab: Array) -> Array:
    """Square roots of the shares of each bin, by channel and cell: dot products become Bhattacharyya's."""
    cells = [cell for band in np.array_split(lab, GRID) for cell in np.array_split(band, GRID, axis=1)]
    found = []
    for cell in cells:
        for channel, (low, high) in enumerate(RANGES):
            values = np.clip(cell[..., channel], low, high)
            found.append(np.histogram(values, bins=BINS, range=(low, high))[0] / values.size)
    return np.sqrt(np.concatenate(found))
