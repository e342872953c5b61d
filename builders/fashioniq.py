"""FashionIQ (Wu et al. 2021): single-turn pairs of dresses, shirts and tops with two relative captions each.

Raw layout, as published::

    captions/cap.CATEGORY.SPLIT.json          [{"candidate", "target", "captions"}, ...]; test hides its targets
    image_splits/split.CATEGORY.SPLIT.json    [image, ...]

Each category is a retrieval domain with a gallery of its own; an image may be listed under two categories. The
published val is the test part here, because the published test part hides what to find.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from builders import _sources
from mtbench.core.errors import Problems
from mtbench.core.types import Pair
from mtbench.data.raw import Faults, Option, Published, RawDataset
from mtbench.data.readers import read_names, records_of

CATEGORIES = ("dress", "shirt", "toptee")
SPLITS = ("train", "val")
HIDDEN = "test"


class FashionIQ:
    """FashionIQ: pairs of dresses, shirts and tops, two captions each."""

    summary = "FashionIQ (Wu et al. 2021): 24,016 pairs of dresses, shirts and tops"
    licence = "CDLA"
    sources = _sources.FASHIONIQ
    chains = "leaf-suffix"
    split = "official"
    gallery = "split-list"
    official: ClassVar[Mapping[str, str]] = {"train": "train", "val": "test"}
    options: tuple[Option, ...] = ()
    published = (
        Published(
            "Multi-turn FashionIQ before its human filter, as recovered",
            "all",
            {2: 6670, 3: 2545, 4: 941},
            "chains of the release, Yuan & Lam, SIGIR 2021",
        ),
    )

    def read(self, raw: Path, **options: Any) -> RawDataset:
        """Read train and val of the three categories; the test pairs, which have no target, are counted."""
        problems, faults = Problems(raw), Faults()
        lists = {
            (split, category): read_names(raw / "image_splits" / f"split.{category}.{split}.json", problems)
            for category in CATEGORIES
            for split in SPLITS
        }
        pairs = [
            pair
            for (split, category), listed in lists.items()
            for pair in read_pairs(raw, category, split, problems, faults, listed)
        ]
        for category in CATEGORIES:
            hidden = raw / "captions" / f"cap.{category}.{HIDDEN}.json"
            if hidden.is_file():
                count = sum(1 for record in records_of(hidden, problems) if record.text("candidate"))
                faults.add("hidden-target", hidden.name, count)
        problems.raise_if_any()
        return RawDataset(
            pairs=pairs, image_lists={key: sorted(listed) for key, listed in lists.items()}, faults=faults
        )


def read_pairs(
    raw: Path,
    category: str,
    split: str,
    problems: Problems,
    faults: Faults,
    listed: Sequence[str] | None = None,
) -> list[Pair]:
    """The pairs of one caption file; ``listed`` is what its images must be among, if anything.

    An empty caption beside another one is left out and counted. Shared with the importer of Multi-turn FashionIQ,
    which compares its hops with these pairs.
    """
    known = None if listed is None else set(listed)
    pairs: list[Pair] = []
    seen: dict[tuple[str, str], str] = {}
    for number, record in enumerate(records_of(raw / "captions" / f"cap.{category}.{split}.json", problems)):
        reference, target, feedback = (
            record.text("candidate"),
            record.text("target"),
            record.texts("captions"),
        )
        if not record.ok:
            continue
        if known is not None:
            for name in sorted({reference, target} - known):
                problems.add(record.where, f"{name} is not in split.{category}.{split}.json")
        if (reference, target) in seen:
            problems.add(record.where, f"the same pair as in {seen[reference, target]}")
        seen[reference, target] = record.where
        if "" in feedback:
            faults.add("empty-caption", record.where)
            feedback = tuple(caption for caption in feedback if caption)
        pairs.append(Pair(f"{category}.{split}.{number:05}", reference, feedback, target, category, split))
    return pairs
