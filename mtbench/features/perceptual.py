"""Perceptual hashes of image files: copies of one picture get nearly the same bits, whatever their bytes.

256 bits of structure (``imagehash.phash``, 16 x 16) beside 42 of colour (``imagehash.colorhash``): structure alone is
blind to colour, and would call every colour variant of a shoe a copy. 64 bits, the usual size, are too few for
products on white: on the shoebox, whose 1,200 pictures all differ, they put 889 within 4 bits of another one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.types import Image
from mtbench.features.imaging import files_of, open_picture
from mtbench.features.needs import need

STRUCTURE, COLOUR = 16, 3
BITS = STRUCTURE**2 + 14 * COLOUR


def perceptual_hashes(
    images: Sequence[Image], folder: Path | None, *, progress: bool = False
) -> dict[str, NDArray[np.bool_]]:
    """The hash of each image by id, `BITS` bits.

    Raises:
        MtbenchError: ``imagehash`` is not installed, or files are missing or cannot be read; all are named.
    """
    imagehash = need("imagehash", extra="report")
    files = files_of(images, folder)
    problems = Problems(f"images in {folder}", hint="Replace these files and run again")

    def hashed(path: Path) -> NDArray[np.bool_] | MtbenchError:
        try:
            picture = open_picture(path)
        except MtbenchError as error:
            return error
        parts = (imagehash.phash(picture, STRUCTURE), imagehash.colorhash(picture, COLOUR))
        return np.concatenate([part.hash.ravel() for part in parts]).astype(bool)

    found: dict[str, NDArray[np.bool_]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding releases Python's lock
        results = tqdm(
            pool.map(hashed, files.values()), "hashing", total=len(files), disable=not progress, unit="image"
        )
        for (image_id, path), result in zip(files.items(), results, strict=True):
            if isinstance(result, MtbenchError):
                problems.add(image_id, f"{path.name} {result}")
            else:
                found[image_id] = result
    problems.raise_if_any()
    return found
