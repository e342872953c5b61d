"""The source of plugins and of this package, known by its hash."""

from __future__ import annotations

import hashlib
import inspect
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import mtbench
from mtbench.core.errors import MtbenchError
from mtbench.core.files import file_sha256


def source_sha256(plugin: type) -> str:
    """Hash of what defines a plugin: an edited plugin is another one. Empty for one without a file.

    The Python files beside its own count too, because it may import them; of a plugin in this package that is
    `library_sha256`.
    """
    try:
        file = Path(inspect.getfile(plugin))
        if file.is_relative_to(Path(mtbench.__file__).parent):
            return file_sha256(file)
        return _hash_of(sorted(file.parent.glob("*.py")))
    except (OSError, TypeError):  # defined in a session, not in a file
        return ""


@contextmanager
def blame(*plugins: type | None) -> Iterator[None]:
    """Turn an exception out of somebody's own plugin into one line with its place; those of this package pass."""
    try:
        yield
    except MtbenchError:
        raise
    except (Exception, SystemExit) as error:
        files = {Path(inspect.getfile(plugin)).resolve() for plugin in plugins if plugin and _is_foreign(plugin)}
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if Path(frame.filename).resolve() in files:
                what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                raise MtbenchError(f"{what} ({frame.filename}, line {frame.lineno}, in {frame.name})") from error
        raise


def _is_foreign(plugin: type) -> bool:
    try:
        return not Path(inspect.getfile(plugin)).is_relative_to(Path(mtbench.__file__).parent)
    except (OSError, TypeError):
        return False


@lru_cache
def library_sha256(*parts: str) -> str:
    """Hash of every Python file of this package, or of some of its subpackages: other code is another result."""
    home = Path(mtbench.__file__).parent
    return _hash_of(sorted(file for part in parts or (".",) for file in (home / part).rglob("*.py")))


def _hash_of(files: Iterable[Path]) -> str:
    return hashlib.sha256("".join(file_sha256(file) for file in files).encode()).hexdigest()
