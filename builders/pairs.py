"""Any table of pairs: CSV, TSV, JSON, JSON Lines or Parquet, with the columns named on the command line.

Rows with the same reference, target, category and split are one pair with several captions only if
``--merge-captions`` is given; otherwise a pair that occurs twice is a fault of the file.

Under ``--split official`` a validation part (``val``, ``valid`` or ``validation``) is dev where the table has a
``test`` part as well; where it has none, validation is what is tested on, as published for FashionIQ.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from builders._tables import read_table
from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.core.types import SPLITS, Pair
from mtbench.data.raw import Faults, Option, Published, RawDataset
from mtbench.data.sources import Source

VALIDATION = ("val", "valid", "validation")
PART_OF = {
    "train": "train",
    "dev": "dev",
    **dict.fromkeys(VALIDATION, "test"),
    "test": "test",
}


class Pairs:
    """Your own table of pairs."""

    summary = "any CSV, TSV, JSON, JSON Lines or Parquet table of pairs"
    licence = "your own"
    sources: tuple[Source, ...] = ()
    chains = "one-per-target"
    split = "edge-target-disjoint"
    gallery = "all-images"
    official: ClassVar[Mapping[str, str]] = PART_OF
    published: tuple[Published, ...] = ()
    options = (
        Option("reference", "column of the reference image", required=True),
        Option("target", "column of the target image", required=True),
        Option("feedback", "column of the feedback; repeat it for several captions", required=True, multiple=True),
        Option("category", "column of the category: each has a gallery of its own [default: one for all]"),
        Option("split-column", f"column of the published split: {', '.join(PART_OF)} [default: all train]"),
        Option("merge-captions", "join the captions of rows that name the same pair", bool, default=False),
    )

    def read(
        self,
        raw: Path,
        *,
        reference: str,
        target: str,
        feedback: Sequence[str],
        category: str | None = None,
        split_column: str | None = None,
        merge_captions: bool = False,
        **options: Any,
    ) -> RawDataset:
        """Read one table.

        Raises:
            MtbenchError: an unknown column, an empty field, a pair twice, a split of another name.
        """
        feedback = [feedback] if isinstance(feedback, str) else feedback
        if not feedback:
            raise MtbenchError("name a column of feedback: --feedback COLUMN")
        table = read_table(raw)
        rows = len(next(iter(table.values()), []))
        if not rows:
            raise MtbenchError(f"{raw} holds no pair")
        columns = [reference, target, *feedback, *(name for name in (category, split_column) if name)]
        missing = sorted(set(columns) - set(table))
        if missing:
            raise MtbenchError(
                f"{raw} has no column {', '.join(map(repr, missing))}. It has: {', '.join(map(repr, table))}"
            )
        problems, faults = Problems(raw), Faults()
        references, targets = (_texts(table[name], name, problems) for name in (reference, target))
        categories = _texts(table[category], category, problems) if category else [""] * rows
        splits = _texts(table[split_column], split_column, problems) if split_column else ["train"] * rows
        captions = [_captions(values) for values in zip(*(table[name] for name in feedback), strict=True)]
        found: dict[tuple[str, str, str, str], Pair] = {}
        for row, key in enumerate(zip(categories, splits, references, targets, strict=True)):
            where, texts = f"row {row + 1}", captions[row]
            if split_column and splits[row] and splits[row] not in PART_OF:
                problems.add(where, str(unknown("split", splits[row], PART_OF)))
            if not all(isinstance(text, str) for text in texts):
                problems.add(where, f"the feedback must be text, not {reprlib.repr(texts)}")
                continue
            kept = tuple(text.strip() for text in texts if text.strip())
            if len(kept) < len(texts) and kept:
                faults.add("empty-caption", where)
            if not kept:
                problems.add(where, "the feedback is empty")
            if not (key[2] and key[3]):
                continue
            if key in found and not merge_captions:
                first = int(found[key].pair_id.rpartition(".")[2]) + 1
                problems.add(where, f"the same pair as row {first}; for several captions add --merge-captions")
            elif key in found:
                old = found[key]
                merged = (*old.feedback, *(text for text in kept if text not in old.feedback))
                found[key] = Pair(old.pair_id, old.reference, merged, old.target, old.category, old.split)
            else:
                found[key] = Pair(f"pairs.{row:05}", key[2], kept, key[3], key[0] or "all", key[1])
        problems.raise_if_any()
        official, notes = _parts_of(splits)
        if not split_column:
            notes.append(f"No split column: every pair counts as {SPLITS[0]} before the re-split.")
        return RawDataset(pairs=list(found.values()), official=official, faults=faults, notes=notes)


def _parts_of(splits: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Which part each published split is, and what to say of it: validation is for tuning if there is a test."""
    found = set(splits)
    tested = "test" in found
    official = {**PART_OF, **dict.fromkeys(VALIDATION, "dev" if tested else "test")}
    because = "the table has a published test part as well" if tested else "the table has no other test part"
    names = [name for name in VALIDATION if name in found]
    return official, [f"The published split {name!r} is {official[name]}: {because}." for name in names]


def _texts(column: Sequence[Any], name: str, problems: Problems) -> list[str]:
    """A column in which every field must hold a name; whole numbers are taken as names."""
    texts = []
    for row, value in enumerate(column, 1):
        text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
        if not text:
            empty = value is None or isinstance(value, str)
            problems.add(f"row {row}", f"{name!r} is empty" if empty else f"{name!r} is {reprlib.repr(value)}")
        texts.append(text)
    return texts


def _captions(values: Sequence[Any]) -> list[Any]:
    """The captions of one row: each feedback column holds a text, a list of texts, or nothing."""
    captions: list[Any] = []
    for value in values:
        if isinstance(value, list):
            captions.extend(value)
        elif value is not None and value == value:  # NaN is how pandas writes a missing value
            captions.append(value)
    return captions
