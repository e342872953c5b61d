"""Images of a benchmark for a page: a picture drawn anew where there is a file, else words."""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Image
from mtbench.data.benchmark import Benchmark
from mtbench.features.imaging import FORMATS, files_of, open_picture
from mtbench.web.kept import Kept

SIDE = 640
"""Pixels of the longer side."""

LARGEST = 30 << 20
"""Bytes of a file beyond which it is not opened."""

KEPT = 512
"""Pictures held in memory, some 20 MB."""

WORDS = 400
TAGS = 8


@dataclass(frozen=True)
class Card:
    """What a page shows of an image.

    Attributes:
        image: its id.
        words: its caption, else its attributes, else its id.
        tags: attribute words, where they are not the words already.
        src: the address of its picture; None where there is none.
        size: pixels of the picture, where they are known.
    """

    image: str
    words: str
    tags: tuple[str, ...]
    src: str | None
    size: tuple[int, int] | None = None


class Pictures:
    """Images by token: a path is never asked for, none leads out of the image folder, and what was not named stays in.

    Args:
        benchmark: whose images.
        salt: what tokens are made with, so that an address tells nothing.
    """

    def __init__(self, benchmark: Benchmark, salt: str = "") -> None:
        self.images = benchmark.images
        self.folder = benchmark.image_folder
        self.salt = salt
        self._tokens: dict[str, str] = {}
        self._looks_fine: set[str] = set()
        self._broken: set[str] = set()  # what was no picture once is not opened again
        self._kept: Kept[str, bytes] = Kept(KEPT)
        self._decoding = threading.Lock()  # a small file may unpack to hundreds of megabytes: never two at once

    def name(self, image_ids: Iterable[str]) -> None:
        """Give out these images."""
        self._tokens.update({self.token(image): image for image in image_ids})

    def token(self, image_id: str) -> str:
        """The name of an image in an address."""
        return hashlib.sha256(f"{self.salt}\t{image_id}".encode()).hexdigest()[:20]

    def by_token(self, token: str) -> bytes | None:
        """The JPEG at an address; None where there is none to give."""
        image = self._tokens.get(token)
        return None if image is None else self.jpeg(image)

    def jpeg(self, image_id: str) -> bytes | None:
        """The picture of an image, named or not; None where there is none that can be shown."""
        known = self._kept.get(image_id)
        if known is not None or image_id in self._broken:
            return known
        with self._decoding:
            known = self._kept.get(image_id)  # somebody else may have asked meanwhile
            if known is not None or image_id in self._broken:
                return known
            made = self._read(image_id)
            return None if made is None else self._kept.put(image_id, made)

    def address(self, image_id: str) -> str:
        """Where the picture of a named image is."""
        return f"/picture/{self.token(image_id)}"

    def words(self, image_id: str) -> str:
        """The caption, or else attribute words; empty where there are none."""
        image = self.images.get(image_id)
        return _cut((image.caption or ", ".join(image.attributes)) if image else "")

    def card(self, image_id: str) -> Card:
        """What to show of an image.

        Of a file only its beginning is read, so that a page of large ones is quick. One that turns out to be broken
        when its pixels are asked for is a card from then on.
        """
        image = self.images[image_id]
        tags = tuple(map(_cut, image.attributes[:TAGS])) if image.caption else ()
        src = self.address(image_id) if self._can_show(image) else None
        return Card(image_id, self.words(image_id) or image_id, tags, src)

    def cards(self, image_ids: Sequence[str]) -> list[Card]:
        """What to show of some images."""
        return [self.card(image_id) for image_id in image_ids]

    def _read(self, image_id: str) -> bytes | None:
        """A picture; None where there is none that can be shown.

        Only pixels leave this: whatever else is in a file, such as a script in an SVG, does not.
        """
        image = self.images.get(image_id)
        path = self._file(image) if image is not None else None
        if path is None:
            return None
        try:
            picture = open_picture(path, 2 * SIDE)
            picture.thumbnail((SIDE, SIDE))
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=88)
        except Exception:  # whatever is wrong with a file, the page shows words
            self._broken.add(image_id)
            return None
        return stream.getvalue()

    def _can_show(self, image: Image) -> bool:
        """Whether there is a file that begins as a picture does, and was not found to be broken."""
        name, path = image.image_id, self._file(image)
        if path is None or name in self._broken:
            return False
        if name not in self._looks_fine:
            (self._looks_fine if _begins_well(path) else self._broken).add(name)
        return name in self._looks_fine

    def _file(self, image: Image) -> Path | None:
        """The file in the image folder; None for none, or one that is too large."""
        if image.path is None or self.folder is None:
            return None
        try:
            path = files_of([image], self.folder)[image.image_id]
            return path if path.stat().st_size <= LARGEST else None
        except (MtbenchError, OSError, ValueError):
            return None


def _begins_well(path: Path) -> bool:
    """Whether the first bytes of a file are those of a picture, and not of too large a one."""
    from PIL import Image as Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pillow.open(path, formats=FORMATS) as picture:
                return picture.width * picture.height <= (Pillow.MAX_IMAGE_PIXELS or picture.width * picture.height)
    except Exception:  # decoders raise all kinds of errors on broken files
        return False


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Pixels across and down of a picture that was given out."""
    from PIL import Image as Pillow

    with Pillow.open(io.BytesIO(jpeg)) as picture:
        return picture.size


def _cut(text: str) -> str:
    """One line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= WORDS else f"{line[: WORDS - 1]}…"
