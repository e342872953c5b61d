"""Writing without halves: every file and folder appears whole, by a rename."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtbench.core.errors import MtbenchError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it when the block ends without an error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise MtbenchError(f"cannot write {path}: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes private files
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replaces: str | None = None) -> Iterator[Path]:
    """A temporary folder beside ``path`` that becomes ``path`` when the block ends without an error.

    Args:
        path: the folder to make.
        replaces: an existing folder is replaced only if it holds this file, which tells that it is of our making.

    Raises:
        MtbenchError: ``path`` exists and may not be replaced, or cannot be written.
    """
    check_free(path, replaces=replaces)
    path = path.resolve()  # behind a symbolic link is what gets replaced
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise MtbenchError(f"cannot write {path}: {error.strerror}") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            old = temporary.with_name(temporary.name + ".old")
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_free(path: Path, *, replaces: str | None = None) -> None:
    """Refuse early, before long work, a folder that holds something, unless it holds the file ``replaces``."""
    check_folder(path)
    if path.resolve() == Path.cwd():
        raise MtbenchError(f"{path} is the folder you are in; give another folder")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if replaces is None:
        raise MtbenchError(f"{path} exists and is not empty; give another folder, or add --overwrite")
    if not (path / replaces).is_file():
        raise MtbenchError(f"{path} holds no {replaces}, so it is nothing to overwrite; give another folder")


def check_folder(path: Path) -> None:
    """Refuse early, before long work, a path that cannot become a folder or be written into."""
    for place in (path, *path.parents):
        if place.exists():
            if not place.is_dir():
                raise MtbenchError(f"{place} is a file; give another folder")
            if not os.access(place, os.W_OK):
                raise MtbenchError(f"{place} cannot be written into; give another folder")
            return


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
        return digest.hexdigest()


def json_sha256(value: Any) -> str:
    """SHA-256 of a value's canonical JSON: sorted keys, no blanks."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
