"""The state of a training on disk, so that it goes on where it was killed: one safetensors file a phase.

``phase-N.safetensors`` holds the weights of a finished phase, ``now.safetensors`` weights, best weights and optimizer
of the phase in training. What else there is to know stands in the head of the same file, so that no file is ever
older than another.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mtbench.core.errors import MtbenchError
from mtbench.models.learning.tensors import read_tensors, write_tensors
from mtbench.models.learning.trainer import Progress

EVERY_SECONDS = 20.0
"""A phase in training is saved this often at most: a large memory with its optimizer takes a second to write."""

logger = logging.getLogger(__name__)


class Folder:
    """Keeps the state of one training in a folder; satisfies `trainer.Store`.

    Args:
        path: the folder, made on first use.
        key: of everything that the training depends on. What is there under another key is not read.
        every: seconds between two saves of a phase in training.
    """

    def __init__(self, path: Path, key: str, *, every: float = EVERY_SECONDS) -> None:
        self.path = path
        self.key = key
        self.every = every
        self._saved = time.monotonic()

    def finished(self, phase: int) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The weights of a finished phase and its record; None where it is not finished."""
        found = self._read(f"phase-{phase}")
        return found and (found[0], found[1]["found"])

    def begun(self, phase: int) -> tuple[dict[str, Tensor], Progress] | None:
        """The weights and the progress of the phase that was interrupted; None where none was."""
        found = self._read("now")
        if found is None or found[1]["phase"] != phase:
            return None
        tensors, record = found
        optimizer: dict[Any, Any] = {}
        for name, value in _part(tensors, "optimizer").items():
            number, _, key = name.partition(".")
            optimizer.setdefault(int(number), {})[key] = value
        at = Progress(record["epoch"], optimizer, record["best_epoch"], _part(tensors, "best"), record["epochs"])
        return _part(tensors, "weights"), at

    def finish(self, phase: int, weights: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Keep a finished phase, and drop what was kept of it on the way."""
        write_tensors(self.path / f"phase-{phase}.safetensors", weights, {"key": self.key, "found": record})
        (self.path / "now.safetensors").unlink(missing_ok=True)

    def keep(self, phase: int, weights: Mapping[str, Tensor], progress: Progress) -> None:
        """Keep a phase after an epoch, unless that was done a moment ago."""
        if time.monotonic() - self._saved < self.every:
            return
        parts = {
            "weights": weights,
            "best": progress.best,
            "optimizer": {f"{n}.{key}": v for n, state in progress.optimizer.items() for key, v in state.items()},
        }
        tensors = {f"{part}/{name}": value for part, named in parts.items() for name, value in named.items()}
        record = {"phase": phase, "epoch": progress.epoch, "best_epoch": progress.best_epoch, "epochs": progress.epochs}
        write_tensors(self.path / "now.safetensors", tensors, {"key": self.key, **record})
        self._saved = time.monotonic()

    def told(self) -> str:
        """Where the same training goes on, in words."""
        finished, now = len([*self.path.glob("phase-*.safetensors")]), self._read("now")
        if now is None and not finished:
            return f"the same command starts anew: no epoch was saved yet (every {self.every:g} s)"
        place = f"phase {finished}" if now is None else f"epoch {now[1]['epoch']} of phase {now[1]['phase'] + 1}"
        return f"the same command goes on after {place}, saved in {self.path}"

    def drop(self) -> None:
        """Remove the folder: the training is over."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _read(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        path = self.path / f"{name}.safetensors"
        if not path.exists():
            return None
        try:
            tensors, record = read_tensors(path)
        except MtbenchError as error:
            logger.warning("%s; that part of the training starts anew", error)
            return None
        if record.get("key") != self.key:
            logger.warning("%s is of another training, and is not used; that part starts anew", path)
            return None
        return tensors, record


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.partition("/")[2]: value for name, value in tensors.items() if name.startswith(f"{part}/")}
