"""What people see of an image: its picture, or a card of its words; and nothing that tells where it comes from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Hashable, Iterable
from functools import lru_cache

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.features.imaging import files_of, open_picture

SIDE = 640
"""Pixels of the longer side."""

LARGEST = 30 << 20
"""Bytes of a file beyond which it is not opened."""

WORDS = 400
KEPT = 512
"""Pictures held in memory, some 20 MB."""


class Pictures:
    """Images of a benchmark by token; what was not named is not given out.

    Args:
        benchmark: whose images; a path in it never leads out of its image folder.
        salt: what tokens are made with, so that an address tells nothing.
    """

    def __init__(self, benchmark: Benchmark, salt: str = "") -> None:
        self.benchmark = benchmark
        self.salt = salt
        self._tokens: dict[str, str] = {}
        self._bytes = lru_cache(maxsize=KEPT)(self._read)

    def name(self, image_ids: Iterable[str]) -> None:
        """Give out these images."""
        self._tokens.update({self.token(image): image for image in image_ids})

    def token(self, image_id: str) -> str:
        """The name of an image in an address."""
        return hashlib.sha256(f"{self.salt}\t{image_id}".encode()).hexdigest()[:20]

    def by_token(self, token: str) -> bytes | None:
        """A JPEG, made anew from the pixels; None where there is none to give."""
        image = self._tokens.get(token)
        return None if image is None else self._bytes(image)

    def shows(self, image_id: str) -> bool:
        """Whether there is a picture."""
        return self._bytes(image_id) is not None

    def words(self, image_id: str) -> str:
        """The caption, or else attribute words; empty where there are none."""
        image = self.benchmark.images.get(image_id)
        words = " ".join(((image.caption or ", ".join(image.attributes)) if image else "").split())
        return words if len(words) <= WORDS else f"{words[: WORDS - 1]}…"

    def look(self, image_id: str) -> Hashable | None:
        """See `mtbench.study.tops.Look`: bytes of a picture, or the words of a card."""
        found = self._bytes(image_id)
        return hashlib.sha256(found).digest() if found is not None else self.words(image_id) or None

    def _read(self, image_id: str) -> bytes | None:
        image, folder = self.benchmark.images.get(image_id), self.benchmark.image_folder
        if image is None or image.path is None or folder is None:
            return None
        try:
            path = files_of([image], folder)[image_id]
            if path.stat().st_size > LARGEST:
                return None
            picture = open_picture(path)
            picture.thumbnail((SIDE, SIDE))
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=88)
        except (MtbenchError, OSError, ValueError):
            return None
        return stream.getvalue()
