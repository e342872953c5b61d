"""Vectors that were made elsewhere, from a file: any network can take part without a line of code here."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.files import file_sha256
from mtbench.core.types import Image
from mtbench.features.protocol import Array
from mtbench.features.tables import read_vectors

logger = logging.getLogger(__name__)

TEXTS_HINT = "Which texts are needed: mtbench.features.content.all_texts(mtbench.load(FOLDER))"


class Precomputed:
    """Vectors of your own (npz, safetensors, Parquet), by image id, and by text if there is a file of texts.

    Args:
        file: vectors of all images of the benchmark, in one of the forms of `mtbench.features.tables`.
        texts: vectors of the same width for texts, in the same forms; the id is the text itself.
    """

    proxy = "user features"

    def __init__(self, *, file: Path, texts: Path | None = None) -> None:
        self.file = Path(file)
        self.texts = Path(texts) if texts is not None else None
        self.reads_text = texts is not None

    def settings(self) -> dict[str, Any]:
        """The hashes of the files."""
        return {
            "encoder": "precomputed",
            "file": _sha256(self.file),
            "texts": _sha256(self.texts) if self.texts is not None else None,
        }

    def fit(self, images: Sequence[Image], texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def check(self, images: Sequence[Image], texts: Sequence[str], folder: Path | None) -> None:
        """Compare ids: every image and text without a vector is an error, a vector too many a warning."""
        wanted = [image.image_id for image in images]
        _find(self.file, self._images, wanted, "image of the benchmark")
        extra = len(self._images.keys() - set(wanted))
        if extra:
            logger.warning("%s: %d vectors are for ids that the benchmark does not have", self.file, extra)
        if self.texts is not None:
            _find(self.texts, self._texts, texts, "text of the benchmark", hint=TEXTS_HINT)
            widths = {len(next(iter(found.values()))) for found in (self._images, self._texts)}
            if len(widths) > 1:
                raise MtbenchError(f"{self.file} and {self.texts} have vectors of different widths: {sorted(widths)}")

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        """The vectors of images as they are, float32 (n, d)."""
        return _find(self.file, self._images, [image.image_id for image in images], "image of the benchmark")

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """The vectors of texts as they are, float32 (n, d)."""
        if self.texts is None:
            raise MtbenchError(f"{self.file} has no texts; give them with --set texts=FILE")
        return _find(self.texts, self._texts, texts, "text of the benchmark", hint=TEXTS_HINT)

    @cached_property
    def _images(self) -> Mapping[str, Array]:
        return read_vectors(self.file)

    @cached_property
    def _texts(self) -> Mapping[str, Array]:
        assert self.texts is not None
        return read_vectors(self.texts, key="text")


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise MtbenchError(f"{path} does not exist")
    return file_sha256(path)


def _find(path: Path, vectors: Mapping[str, Array], wanted: Sequence[str], what: str, *, hint: str = "") -> Array:
    """Rows of ``vectors``, or one error that counts and names all that are missing."""
    problems = Problems(path, hint=hint)
    for name in wanted:
        if name not in vectors:
            problems.add(repr(name), f"no vector for this {what}")
    problems.raise_if_any()
    return np.stack([vectors[name] for name in wanted])
