"""The raw layouts of the published datasets in miniature, written as they are published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CATEGORIES = ("dress", "shirt", "toptee")

SHOE_PAIRS = [("a", "b"), ("b", "c"), ("c", "d"), ("b", "e"), ("x", "y"), ("y", "z")]
"""Two parts: the first four pairs lie in the training images, the last two in the evaluation images."""


def write(path: Path, content: Any) -> Path:
    """Write text or bytes as they are, anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def shoe(reference: Any, target: Any, caption: Any = None) -> dict[str, Any]:
    """A record of the relative captions; the caption says where it leads."""
    caption = f"more like {target}" if caption is None else caption
    return {"ReferenceImageName": reference, "ImageName": target, "RelativeCaption": caption}


def write_shoes(
    folder: Path,
    records: Sequence[Any] = tuple(shoe(*pair) for pair in SHOE_PAIRS),
    *,
    train: Sequence[str] = ("a", "b", "c", "d", "e"),
    evaluation: Sequence[str] = ("x", "y", "z"),
    captions: Sequence[Any] | None = None,
) -> Path:
    """The Shoes files; returns their folder."""
    write(folder / "relative_captions_shoes.json", list(records))
    write(folder / "train_im_names.txt", "".join(f"{name}\n" for name in train))
    write(folder / "eval_im_names.txt", "".join(f"{name}\n" for name in evaluation))
    if captions is not None:
        write(folder / "captions_shoes.json", captions)
    return folder


def captions_to(target: str) -> list[str]:
    """The two captions that every raw FashionIQ pair to ``target`` has here, unless a test says otherwise."""
    return [f"is {target}", f"more like {target}"]


def pair(candidate: str, target: str, captions: Any = None) -> dict[str, Any]:
    """A record of the FashionIQ captions."""
    return {
        "candidate": candidate,
        "target": target,
        "captions": captions_to(target) if captions is None else captions,
    }


def write_fashioniq(
    folder: Path,
    pairs: Mapping[tuple[str, str], Sequence[Any]],
    *,
    lists: Mapping[tuple[str, str], Sequence[str]] | None = None,
    hidden: Mapping[str, Sequence[Any]] | None = None,
) -> Path:
    """The FashionIQ files; ``pairs`` and ``lists`` by (category, split). A list not given holds what the pairs show."""
    for category in CATEGORIES:
        for split in ("train", "val", "test"):
            records = (hidden or {}).get(category, []) if split == "test" else pairs.get((category, split), [])
            shown = {image for record in records for key, image in record.items() if key in ("candidate", "target")}
            listed = (lists or {}).get((category, split), sorted(shown))
            write(folder / "captions" / f"cap.{category}.{split}.json", list(records))
            write(folder / "image_splits" / f"split.{category}.{split}.json", list(listed))
    return folder


def session(*references: Any, to: str) -> dict[str, Any]:
    """A released session: references are images, or (image, captions); a bare image has those of the raw pair."""
    shown = [step if isinstance(step, tuple) else (step, None) for step in references]
    ends = [image for image, _ in shown[1:]] + [to]
    return {
        "target": [f"http://shop/{to}.jpg", to],
        "reference": [
            [f"http://shop/{image}.jpg", captions_to(end) if captions is None else captions, image]
            for (image, captions), end in zip(shown, ends, strict=True)
        ],
    }


def write_multiturn(
    folder: Path,
    sessions: Mapping[tuple[str, str], Sequence[Any]],
    *,
    lists: Mapping[tuple[str, str], Sequence[str]] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Path:
    """The Multi-turn FashionIQ files; a list not given holds what the sessions show."""
    for category in CATEGORIES:
        for split in ("train", "val"):
            here = sessions.get((category, split), [])
            shown = {image for s in here for image in (s["target"][1], *(step[2] for step in s["reference"]))}
            write(folder / "data" / f"{category}.{split}.json", list(here))
            listed = (lists or {}).get((category, split), sorted(shown))
            write(folder / "image_splits" / f"split.{category}.{split}.json", list(listed))
    for split in ("train", "val"):
        write(folder / "attr" / f"asin2attr.all.{split}.new.json", attributes or {} if split == "train" else {})
    return folder
