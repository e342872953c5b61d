"""Images of a benchmark as small pictures inside the page, or as words where there is no file that can be shown."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field

from mtbench.core.errors import MtbenchError
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.comparison.comparable import printable
from mtbench.features.imaging import files_of, open_picture
from mtbench.report.blocks import Thumb
from mtbench.report.gather import cut

SIDE = 144
"""Pixels of the longer side."""

LARGEST = 30 << 20
"""Bytes of a file beyond which it is not opened."""

WORDS = 90


@dataclass
class Thumbnails:
    """Makes thumbnails until they are too much for one page.

    Args:
        benchmark: whose images; a path in it never leads out of its image folder.
        budget: characters of all data addresses together.

    Attributes:
        broken: ids of images whose file cannot be shown, sorted.
        left_out: how many pictures the page had no room for.
    """

    benchmark: Benchmark
    budget: int = 4_000_000
    left_out: int = 0
    _made: dict[str, Thumb] = field(default_factory=dict)
    _broken: set[str] = field(default_factory=set)

    @property
    def broken(self) -> list[str]:
        """Ids of images whose file cannot be shown."""
        return sorted(self._broken)

    def __call__(self, image_id: str) -> Thumb:
        """The thumbnail of an image; its words alone where there is nothing else."""
        if image_id not in self._made:
            name = cut(printable(image_id), WORDS)
            self._made[image_id] = Thumb(name, self._words(image_id), self._picture(image_id))
        thumb = self._made[image_id]
        size = len(thumb.src or "")
        if size > self.budget:
            self.left_out += 1
            return Thumb(thumb.image_id, thumb.words)
        self.budget -= size
        return thumb

    def _words(self, image_id: str) -> str:
        image = self.benchmark.images.get(image_id)
        words = (image.caption or ", ".join(image.attributes)) if image else ""
        return cut(" ".join(words.split()), WORDS)

    def _picture(self, image_id: str) -> str | None:
        image = self.benchmark.images.get(image_id)
        if image is None or image.path is None or self.benchmark.image_folder is None:
            return None
        try:
            path = files_of([image], self.benchmark.image_folder)[image_id]
            if path.stat().st_size > LARGEST:
                raise MtbenchError("too large")
            picture = open_picture(path)
            picture.thumbnail((SIDE, SIDE))
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=80, optimize=True)
        except (MtbenchError, OSError, ValueError):
            self._broken.add(cut(printable(image_id), WORDS))
            return None
        return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
