"""Image and text embeddings of any CLIP checkpoint (Radford et al., 2021), through transformers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.features.imaging import files_of, open_pictures
from mtbench.features.needs import (
    checkpoint_folder,
    checkpoint_sha256,
    model_name,
    need,
    torch_device,
    version,
)
from mtbench.features.protocol import Array
from mtbench.features.vectors import normalised, skip_empty

logger = logging.getLogger(__name__)


class Clip:
    """CLIP: image files and texts in one space, any checkpoint by name or path. Frozen.

    Args:
        model: a name on the Hugging Face hub, such as ``openai/clip-vit-base-patch32``, or a folder.
        batch: how many images or texts go through the network at once.
        device: ``auto`` takes a GPU where there is one.
    """

    proxy = "image"
    reads_text = True

    def __init__(self, *, model: str, batch: int = 32, device: str = "auto") -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        self.model = model
        self.batch = batch
        self.device = device
        self._warned = False

    def settings(self) -> dict[str, Any]:
        """The model by name and by the hash of its files, and the versions that run it."""
        return {
            "encoder": "clip",
            "model": model_name(self.model),
            "weights": checkpoint_sha256(self._folder),
            "transformers": version("transformers"),
            "torch": version("torch"),
            "pillow": version("pillow"),
        }

    def fit(self, images: Sequence[Image], texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def check(self, images: Sequence[Image], texts: Sequence[str], folder: Path | None) -> None:
        """Name every image without a file, and load the model, before the first image is encoded."""
        files_of(images, folder)
        _ = self._network

    def encode_images(self, images: Sequence[Image], folder: Path | None) -> Array:
        """Vectors of images, float32 (n, d) of length 1.

        Raises:
            MtbenchError: files that are missing or cannot be read, all of them.
        """
        _, prepare, _ = self._network
        pictures = open_pictures(images, folder)
        blocks: Iterable[list[Any]] = iter(lambda: list(islice(pictures, self.batch)), [])
        return np.concatenate(
            [self._run("get_image_features", prepare(images=block, return_tensors="pt")) for block in blocks]
        )

    def encode_texts(self, texts: Sequence[str]) -> Array:
        """Vectors of texts, float32 (n, d) of length 1; zeros for an empty text."""
        network, _, _ = self._network
        return skip_empty(texts, int(network.config.projection_dim), self._encode)

    def _encode(self, texts: list[str]) -> Array:
        network, _, tokenise = self._network
        limit = int(network.config.text_config.max_position_embeddings)
        long = sum(len(ids) > limit for ids in tokenise(texts, verbose=False)["input_ids"])
        if long and not self._warned:
            self._warned = True  # once for each run: every block of long dialogues would say it again
            logger.warning("%s reads %d tokens; longer texts (%d here) are cut at their end", self.model, limit, long)
        blocks = [texts[start : start + self.batch] for start in range(0, len(texts), self.batch)]
        return np.concatenate(
            [
                self._run(
                    "get_text_features",
                    tokenise(block, padding=True, truncation=True, max_length=limit, return_tensors="pt"),
                )
                for block in blocks
            ]
        )

    def _run(self, method: str, inputs: Any) -> Array:
        """One batch through the network, float32 (n, d)."""
        torch = need("torch", extra="neural")
        network, _, _ = self._network
        with torch.inference_mode():
            found = getattr(network, method)(**inputs.to(network.device))
            # transformers 5 wraps what transformers 4 returns bare
            vectors = found if isinstance(found, torch.Tensor) else found.pooler_output
            return normalised(vectors.float().cpu().numpy())

    @cached_property
    def _folder(self) -> Path:
        return checkpoint_folder(self.model)

    @cached_property
    def _network(self) -> tuple[Any, Any, Any]:
        """The model, what prepares its images and what splits its texts."""
        library = need("transformers", extra="neural")
        device = torch_device(self.device)
        # Pillow's resizing on every machine: torchvision's differs, and is used only where it is installed.
        portable = {"backend": "pil"} if int(library.__version__.split(".")[0]) >= 5 else {"use_fast": False}
        folder = str(self._folder)
        try:
            network = library.CLIPModel.from_pretrained(folder, use_safetensors=True)
            prepare = library.AutoImageProcessor.from_pretrained(folder, **portable)
            tokenise = library.AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise MtbenchError(f"{self.model} cannot be loaded as a CLIP model: {error}") from error
        return network.to(device).eval(), prepare, tokenise
