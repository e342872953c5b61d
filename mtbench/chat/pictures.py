"""Images of a benchmark for a page: a picture drawn anew where there is a file, else words."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.data.benchmark import Benchmark
from mtbench.features.imaging import files_of, open_picture

SIDE = 480
"""Pixels of the longer side."""

LARGEST = 30 << 20
"""Bytes of a file beyond which it is not opened."""

KEPT = 500
WORDS = 160


@dataclass(frozen=True)
class Card:
    """What a page shows of an image.

    Attributes:
        image: its id.
        words: its caption, else its attributes, else its id.
        attributes: its attribute words, where they are not the words already.
        has_picture: whether there is a file.
    """

    image: str
    words: str
    attributes: tuple[str, ...]
    has_picture: bool


class Pictures:
    """Cards and pictures by image id. A path is never asked for, and none leads out of the image folder."""

    def __init__(self, benchmark: Benchmark) -> None:
        self.images = benchmark.images
        self.folder = benchmark.image_folder
        self._made: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._words = {
            image_id: " ".join((image.caption or "", *image.attributes, image_id)).casefold()
            for image_id, image in self.images.items()
        }

    def card(self, image_id: str) -> Card:
        """What to show of an image."""
        image = self.images[image_id]
        words = " ".join((image.caption or "").split()) or ", ".join(image.attributes) or image_id
        attributes = image.attributes if image.caption else ()
        return Card(image_id, _cut(words), tuple(map(_cut, attributes[:8])), self._has_file(image))

    def cards(self, image_ids: Sequence[str]) -> list[Card]:
        """What to show of some images."""
        return [self.card(image_id) for image_id in image_ids]

    def search(self, query: str, image_ids: Sequence[str]) -> Iterator[str]:
        """The images whose words hold all words of the query."""
        wanted = query.casefold().split()
        return (image for image in image_ids if all(word in self._words[image] for word in wanted))

    def jpeg(self, image_id: str) -> bytes | None:
        """A picture; None where there is none that can be shown.

        Only pixels leave this: whatever else is in a file, such as a script in an SVG, does not.
        """
        with self._lock:
            if image_id in self._made:
                self._made.move_to_end(image_id)
                return self._made[image_id]
        if image_id not in self.images:
            return None
        try:
            path = files_of([self.images[image_id]], self.folder)[image_id]
            if path.stat().st_size > LARGEST:
                return None
            picture = open_picture(path)
            picture.thumbnail((SIDE, SIDE))
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=90)
        except (MtbenchError, OSError, ValueError):
            return None
        with self._lock:
            self._made[image_id] = stream.getvalue()
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        return stream.getvalue()

    def _has_file(self, image: Image) -> bool:
        if image.path is None or self.folder is None:
            return False
        try:
            return bool(files_of([image], self.folder))
        except (MtbenchError, OSError, ValueError):
            return False


def _cut(text: str) -> str:
    return text if len(text) <= WORDS else text[: WORDS - 2] + " …"
