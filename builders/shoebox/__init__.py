"""Shoebox: shoes that the project draws itself, with true attributes, feedback and captions.

Raw layout: that of Shoes, with the images and some files for studies beside. Drawn on first use where ``--raw``
does not exist; the same options give the same bytes::

    relative_captions_shoes.json    as published for Shoes
    train_im_names.txt
    eval_im_names.txt
    images/                         the pictures
    image_captions.json             {image: a caption that names some of its attributes}
    attributes.json                 {image: {attribute: value}}, the truth
    feedback_attributes.json        what each relative caption asks for
    shoebox.json                    seed and options
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from builders.shoes import read_shoes
from mtbench.core.errors import MtbenchError
from mtbench.data.raw import Option, Published, RawDataset
from mtbench.data.sources import Source

LARGEST = 100_000


class Shoebox:
    """Shoebox: drawn shoes with known attributes, any number of them."""

    summary = "drawn shoes with known attributes, made on the spot: any number, from a seed"
    licence = "Apache-2.0"
    sources: tuple[Source, ...] = ()
    chains = "one-per-target"
    split = "official"
    gallery = "split-list"
    official: ClassVar[Mapping[str, str]] = {"train": "train", "eval": "test"}
    published: tuple[Published, ...] = ()
    options = (
        Option("size", "number of images, up to 100,000", int, default=1200),
        Option("seed", "seed of the drawing", int, default=0),
        Option("width", "width of a picture in pixels; it is three quarters as high", int, default=192),
    )

    def prepare(self, raw: Path, *, size: int, seed: int, width: int) -> Mapping[str, Path]:
        """Draw the raw files, unless they are there already with these options.

        Raises:
            MtbenchError: options out of range, or ``raw`` holds something else.
        """
        from builders.shoebox.generate import ShoeboxOptions, generate

        if size > LARGEST:
            raise MtbenchError(f"shoebox: --size may be {LARGEST:,} at most, not {size:,}")
        try:
            generate(raw, ShoeboxOptions(images=size, seed=seed, width=width, height=width * 3 // 4))
        except (ValueError, OSError) as error:
            raise MtbenchError(f"shoebox: {error}") from error
        return {"images": raw / "images", "image_captions": raw / "image_captions.json"}

    def read(self, raw: Path, **options: Any) -> RawDataset:
        """Read the drawn files exactly as the ``shoes`` builder reads its own."""
        return read_shoes(raw, category="shoebox")
