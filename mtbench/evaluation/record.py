"""What a result says of how it was made: packages, commit, seconds of each phase, and what plugins returned."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import mtbench
from mtbench.core.errors import MtbenchError

PACKAGES = ("numpy", "scipy", "scikit-learn", "pyarrow", "torch", "sentence-transformers", "transformers")


def environment() -> dict[str, Any]:
    """Versions, and the commit of the source tree where there is one."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "mtbench": mtbench.__version__,
        "python": platform.python_version(),
        "packages": versions,
        "git": _git(Path(mtbench.__file__).parent),
    }


class Phases:
    """Seconds of each phase of a long job."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a block; blocks of one name add up."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = self.seconds.get(name, 0.0) + time.perf_counter() - start
            self.seconds[name] = round(spent, 3)


def plain(value: Any, what: str) -> dict[str, Any]:
    """What a plugin returned, as JSON.

    Raises:
        MtbenchError: ``what`` returned no mapping, or something that JSON has no form for.
    """

    def number(value: Any) -> Any:
        if isinstance(value, (np.generic, np.ndarray)):
            return value.tolist()
        raise TypeError(f"{value!r} is no JSON")

    if value is not None and not isinstance(value, Mapping):
        raise MtbenchError(f"{what} must return a mapping, or None, not {type(value).__name__}")
    try:
        found: dict[str, Any] = json.loads(json.dumps(dict(value or {}), default=number, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise MtbenchError(f"{what} must return what can be written as JSON: {error}") from error
    return found


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit and dirty flag of the checkout that holds ``folder``; None outside one."""

    def ask(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        if Path(ask("rev-parse", "--show-toplevel")) / "mtbench" != folder.resolve():
            return None  # installed inside a checkout, as into its .venv: the commit says nothing of it
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
