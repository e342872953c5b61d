"""Dialogues as transactions: lines of JSON that `mtbench build dialogues` makes a benchmark of.

A line is ``{"id", "category", "split", "target", "turns": [{"reference", "feedback": [...]}]}``. The target of a turn
is the reference of the next, and that of the last turn the target of the dialogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtbench.core.files import atomic_file, write_json
from mtbench.core.types import Gallery, Image
from mtbench.simulation.dialogue import Dialogues


def line_of(
    name: str, category: str, references: Sequence[str], feedback: Sequence[str], target: str, *, split: str = "test"
) -> dict[str, Any]:
    """One dialogue as a transaction."""
    turns = [{"reference": r, "feedback": [text]} for r, text in zip(references, feedback, strict=True)]
    return {"id": name, "category": category, "split": split, "target": target, "turns": turns}


def lines_of(found: Dialogues, *, prefix: str = "0", split: str = "test") -> list[dict[str, Any]]:
    """The dialogues in which the user kept to one target; the others are no transactions."""
    rows = []
    for row, opening in enumerate(found.openings):
        n = int(found.lengths[row])
        if n and len(set(found.targets[row, :n])) == 1:
            name = f"{opening.category}.simulated.{prefix}-{row:04d}"
            shown, said, target = found.shown[row][:n], found.said[row], found.targets[row, 0]
            rows.append(line_of(name, opening.category, shown, said, target, split=split))
    return rows


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write dialogues a line each."""
    with atomic_file(path) as temporary:
        text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
        temporary.write_text(text, encoding="utf-8")


def write_searched(folder: Path, galleries: Mapping[str, Gallery], images: Mapping[str, Image]) -> None:
    """What was searched beside the dialogues, so that they can be built into a benchmark with the same gallery."""
    write_json(folder / "candidates.json", {name: list(gallery.image_ids) for name, gallery in galleries.items()})
    shown = sorted({image for gallery in galleries.values() for image in gallery.image_ids})
    captions = {image: images[image].caption for image in shown if images[image].caption}
    if captions:
        write_json(folder / "image_captions.json", captions)
