"""Shoes (Guo et al. 2018): single-turn pairs of shoe images with one relative caption each.

Raw layout, as published::

    relative_captions_shoes.json    [{"ReferenceImageName", "ImageName", "RelativeCaption"}, ...]
    train_im_names.txt              one image name on each line
    eval_im_names.txt
    captions_shoes.json             optional: [{"ImageName", "Caption"}, ...]

All images are one retrieval domain, ``shoes``, with one gallery; the ten kinds in the file names are subcategories.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from builders import _sources
from mtbench.core.errors import Problems
from mtbench.core.types import Pair
from mtbench.data.raw import Option, Published, RawDataset
from mtbench.data.readers import read_names, records_of

LISTS = {"train": "train_im_names.txt", "eval": "eval_im_names.txt"}
PAIRS = "relative_captions_shoes.json"
CAPTIONS = "captions_shoes.json"
KIND = re.compile(r"img_womens_(.+)_\d+\.\w+$")


class Shoes:
    """Shoes: relative captions of shoe images, ten kinds, one gallery."""

    summary = "Shoes (Guo et al. 2018): 10,751 pairs of shoe images"
    licence = "MIT"
    sources = _sources.SHOES
    chains = "one-per-target"
    split = "official"
    gallery = "split-list"
    official: ClassVar[Mapping[str, str]] = {"train": "train", "eval": "test"}
    options: tuple[Option, ...] = ()
    published = (
        Published("Multi-turn Shoes (unreleased)", "train", {2: 1659, 3: 1036, 4: 982}, "FashionNTM, ICCV 2023"),
        Published("Multi-turn Shoes (unreleased)", "test", {2: 296, 3: 96, 4: 28}, "FashionNTM, ICCV 2023"),
    )

    def read(self, raw: Path, **options: Any) -> RawDataset:
        """Read the three published files, and the fourth where it is there."""
        return read_shoes(raw, category="shoes")


def read_shoes(raw: Path, *, category: str) -> RawDataset:
    """Read raw files in the published Shoes layout.

    Raises:
        MtbenchError: a malformed record, an image in no list or in both, a pair across the lists, a pair twice.
    """
    problems = Problems(raw)
    names = {split: read_names(raw / file, problems) for split, file in LISTS.items()}
    split_of: dict[str, str] = {}
    for split, listed in names.items():
        for name in listed:
            if split_of.setdefault(name, split) != split:
                problems.add(LISTS[split], f"{name} is also in {LISTS[split_of[name]]}")
    pairs: list[Pair] = []
    seen: dict[tuple[str, str], str] = {}
    for number, record in enumerate(records_of(raw / PAIRS, problems)):
        reference, target = record.text("ReferenceImageName"), record.text("ImageName")
        feedback = record.text("RelativeCaption")
        if not record.ok:
            continue
        strangers = [name for name in (reference, target) if name not in split_of]
        for name in strangers:
            problems.add(record.where, f"{name} is in no image list")
        if strangers:
            continue
        if split_of[reference] != split_of[target]:
            problems.add(record.where, f"the pair crosses from {split_of[reference]} to {split_of[target]}")
        if (reference, target) in seen:
            problems.add(record.where, f"the same pair as in {seen[reference, target]}")
        seen[reference, target] = record.where
        pairs.append(
            Pair(f"{category}.{number:05}", reference, (feedback.strip(),), target, category, split_of[target])
        )
    problems.raise_if_any()
    return RawDataset(
        pairs=pairs,
        image_lists={(split, category): sorted(listed) for split, listed in names.items()},
        subcategories={name: found[1] for name in split_of if (found := KIND.match(name))},
        notes=_caption_note(raw, names["eval"], {pair.target for pair in pairs if pair.split == "eval"}),
    )


def _caption_note(raw: Path, gallery: Sequence[str], targets: set[str]) -> list[str]:
    """Why the annotators' captions stand for no image: having one is a hint that an image is a target."""
    path = raw / CAPTIONS
    if not path.is_file():
        return []
    problems = Problems(raw)
    captioned = {record.text("ImageName") for record in records_of(path, problems)}
    problems.raise_if_any()
    share = [sum(name in captioned for name in names) / max(1, len(names)) for names in (gallery, targets)]
    return [
        f"{CAPTIONS} covers {share[0]:.0%} of the evaluation images, but {share[1]:.0%} of the images that are a "
        "target there: having a caption is itself a hint, so it is not used to stand for images."
    ]
