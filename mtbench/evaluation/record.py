"""What a result says of how it was made: packages, commit, source of the model, seconds of each phase."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mtbench

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
