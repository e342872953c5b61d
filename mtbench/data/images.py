"""The image table of a benchmark: which images are candidates where, and what stands for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.core.files import file_sha256, json_sha256
from mtbench.core.types import SPLITS, Transaction
from mtbench.data.raw import RawDataset

GALLERIES = ("split-list", "session-images", "all-images")
"""The rules that say what is a candidate, for each split and category:

``split-list``      the published image lists of the splits that the part's transactions come from
``session-images``  the images that occur in the part's transactions
``all-images``      every image of the category, whatever its split
"""

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}


@dataclass
class Proxies:
    """What stands for the images of a benchmark: captions, attribute words, files."""

    captions: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Path below the image folder, and SHA-256 of the bytes."""


def image_rows(
    parts: Mapping[str, Sequence[Transaction]],
    raw_splits: Mapping[str, Sequence[str]],
    raw: RawDataset,
    rule: str,
    proxies: Proxies,
) -> dict[str, list[dict[str, Any]]]:
    """The rows of ``images/{train,dev,test}.parquet``: candidates, and what else the transactions show.

    Args:
        parts: the transactions of each part.
        raw_splits: the published splits that each part stands for.
        raw: image lists and labels.
        rule: one of `GALLERIES`.
        proxies: what is known of the images.
    """
    if rule not in GALLERIES:
        raise unknown("gallery rule", rule, GALLERIES)
    if rule == "split-list" and not raw.image_lists:
        raise MtbenchError("these raw files have no image lists; add --gallery all-images or session-images")
    every: dict[str, set[str]] = {}
    for (_, category), listed in raw.image_lists.items():
        every.setdefault(category, set()).update(listed)
    for pair in raw.pairs:
        every.setdefault(pair.category, set()).update((pair.reference, pair.target))
    for transactions in parts.values():
        for transaction in transactions:
            every.setdefault(transaction.category, set()).update(transaction.images)

    rows: dict[str, list[dict[str, Any]]] = {}
    for split in SPLITS:
        shown: dict[str, set[str]] = {}
        for transaction in parts[split]:
            shown.setdefault(transaction.category, set()).update(transaction.images)
        rows[split] = []
        for category in sorted(every):
            here = shown.get(category, set())
            if rule == "split-list":
                lists = (raw.image_lists.get((name, category), []) for name in raw_splits[split])
                candidates = set().union(*lists)
            else:
                candidates = here if rule == "session-images" else every[category]
            rows[split] += [
                _row(image, category, image in candidates, raw, proxies) for image in sorted(candidates | here)
            ]
    _check_targets(parts, rows)
    return rows


def _row(image: str, category: str, candidate: bool, raw: RawDataset, proxies: Proxies) -> dict[str, Any]:
    path, sha256 = proxies.files.get(image, (None, None))
    return {
        "image_id": image,
        "category": category,
        "subcategory": raw.subcategories.get(image),
        "caption": proxies.captions.get(image),
        "attributes": list(proxies.attributes.get(image, ())),
        "path": path,
        "sha256": sha256,
        "present": path is not None,
        "gallery": candidate,
    }


def _check_targets(parts: Mapping[str, Sequence[Transaction]], rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """A target outside its gallery could never be found."""
    problems = Problems("gallery", hint="Choose --gallery all-images.")
    for split, transactions in parts.items():
        candidates = {(row["category"], row["image_id"]) for row in rows[split] if row["gallery"]}
        for transaction in transactions:
            if (transaction.category, transaction.target) not in candidates:
                problems.add(transaction.transaction_id, f"its target {transaction.target} is no candidate")
    problems.raise_if_any()


def describe(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Coverage and content hash of each proxy, over the distinct images of all parts."""
    images = {row["image_id"]: row for part in rows.values() for row in part}
    found = {}
    for proxy, column in (("caption", "caption"), ("attributes", "attributes"), ("image", "sha256")):
        known = sorted([image, row[column]] for image, row in images.items() if row.get(column))
        if known:
            found[proxy] = {"coverage": round(len(known) / len(images), 4), "sha256": json_sha256(known)}
    return found


def index_files(folder: Path, wanted: set[str], *, progress: bool = True) -> dict[str, tuple[str, str]]:
    """Find image files at any depth below ``folder`` whose name or path below it is a wanted id, suffix or not.

    Returns:
        path below the folder and SHA-256, by image id.

    Raises:
        MtbenchError: no such folder, no wanted image in it, two files for one image, or a link out of the folder.
    """
    if not folder.is_dir():
        raise MtbenchError(f"the image folder {folder} does not exist")
    problems = Problems(folder)
    home = folder.resolve()
    paths: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        below = path.relative_to(folder)
        names = (below.as_posix(), below.with_suffix("").as_posix(), path.name, path.stem)
        image = next((name for name in names if name in wanted), None)
        if image is not None:
            if image in paths:
                problems.add(image, f"two files: {paths[image].relative_to(folder)}, {below}")
            if not path.resolve().is_relative_to(home):
                problems.add(image, f"{below} is a link that leads out of the folder")
            paths[image] = path
    problems.raise_if_any()
    if not paths:
        raise MtbenchError(f"{folder} holds no image of this data: files are named like {min(wanted)}")
    rows = tqdm(sorted(paths.items()), desc="images", unit="file", disable=not progress)
    return {image: (path.relative_to(folder).as_posix(), file_sha256(path)) for image, path in rows}
