"""A folder that is absent or whole: written into `ROOT.partial`, and renamed to ROOT at the very end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

_STAMP = "shoebox.json"


def make_folder(root: Path, stamp: Mapping[str, object], fill: Callable[[Path], None]) -> None:
    """Make `root` whole: what `fill` writes, and the stamp that tells which data set it is.

    Raises FileExistsError where `root` holds something without this stamp.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        if _has_stamp(root, stamp):
            return
        raise FileExistsError(
            f"{root} exists and is not the shoebox data set asked for; remove it or name another folder."
        )
    partial = root.with_name(root.name + ".partial")
    if partial.exists() and not _has_stamp(partial, stamp):
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    write_json(partial / _STAMP, stamp)
    fill(partial)
    for draft in partial.rglob("*.tmp"):
        draft.unlink()
    partial.replace(root)


def write_text(path: Path, text: str) -> None:
    """Write a file that is whole or not there."""
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(text, encoding="utf-8", newline="\n")
    draft.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write indented JSON with sorted keys."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _has_stamp(folder: Path, stamp: Mapping[str, object]) -> bool:
    try:
        return bool(json.loads((folder / _STAMP).read_text(encoding="utf-8")) == stamp)
    except (OSError, ValueError):
        return False
