"""What a feature store holds of a benchmark, and the hash by which it is known again.

Every image of the benchmark, and every text that a model asks for as a rule: the feedback of each turn, its
captions joined, and the turns of each transaction joined once more (what the ``cat`` model reads).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.files import json_sha256
from mtbench.core.types import SPLITS, Image
from mtbench.data.benchmark import Benchmark
from mtbench.features.protocol import PROXIES, image_text


@runtime_checkable
class Checked(Protocol):
    """An encoder that can tell early, before hours of work, what will be missing. A method it may add."""

    def check(self, images: Sequence[Image], texts: Sequence[str], folder: Path | None) -> None:
        """Raise one `MtbenchError` that lists everything that cannot be encoded."""
        ...


@dataclass(frozen=True)
class Content:
    """The images, sorted by id, and the texts, sorted and unique, that one encoder is asked for."""

    images: tuple[Image, ...]
    texts: tuple[str, ...]
    proxy: str
    revision: str

    @property
    def image_ids(self) -> list[str]:
        """The rows of ``images.npy``."""
        return [image.image_id for image in self.images]

    @property
    def sha256(self) -> str:
        """Hash of the revision, the image ids with the words that stand for them, and the texts.

        Image files are left out: a benchmark and its features can be used where the images are not at hand.
        """
        images = [[image.image_id, image_text(image, self.proxy)] for image in self.images]
        return json_sha256({"revision": self.revision, "images": images, "texts": self.texts})


def content(benchmark: Benchmark, *, proxy: str, reads_text: bool) -> Content:
    """What an encoder of this ``proxy``, with or without texts, is asked to encode of ``benchmark``.

    Raises:
        MtbenchError: no images, an unknown proxy, or a text proxy and not one image with words.
    """
    if proxy not in PROXIES:
        raise unknown("image proxy", proxy, PROXIES)
    images = tuple(benchmark.images.values())
    if not images:
        raise MtbenchError(f"{benchmark.path} has no images to encode")
    if reads_words(proxy) and not any(image_text(image, proxy) for image in images):
        raise MtbenchError(
            f"{benchmark.path}: no image has a {proxy.replace('+', ' or ')}. "
            "Build the benchmark again with --image-captions FILE"
        )
    texts = tuple(all_texts(benchmark)) if reads_text else ()
    return Content(images, texts, proxy, benchmark.revision)


def reads_words(proxy: str) -> bool:
    """Whether words, not pixels or vectors of a user's own, stand for the images."""
    return "caption" in proxy or "attributes" in proxy


def all_texts(benchmark: Benchmark) -> list[str]:
    """Every text to encode, sorted and unique: the turns and the whole transactions of all splits."""
    found: set[str] = set()
    for split in SPLITS:
        for history in benchmark.histories(split):
            found.update(history.feedback)
            found.add(benchmark.protocol.joiner.join(history.feedback))
    return sorted(found)


def training_part(benchmark: Benchmark) -> tuple[list[Image], list[str]]:
    """What an encoder may learn from: the images and the feedback of the train transactions.

    Under the gallery rule ``split-list`` the published training images belong to it as well; under ``all-images``
    the train gallery holds the test images too, and teaches nothing. Both lists are sorted and unique, because
    one pair of images takes part in many transactions.
    """
    transactions = benchmark.transactions("train")
    ids = {image_id for transaction in transactions for image_id in transaction.images}
    if benchmark.protocol.gallery == "split-list":
        for (split, _), gallery in benchmark.galleries.items():
            if split == "train":
                ids.update(gallery.image_ids)
    texts = {text for history in benchmark.histories("train") for text in history.feedback}
    return [benchmark.images[i] for i in sorted(ids)], sorted(texts)
