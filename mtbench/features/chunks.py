"""Long work in pieces: each block of vectors is a file, so that a run that was stopped goes on from there."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.files import atomic_file, write_json
from mtbench.features.protocol import Array

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Chunks:
    """A working folder of numbered blocks, ``images-00000.npy`` and so on.

    Args:
        folder: the working folder. One of another key or block size is cleared.
        key: what the vectors depend on.
        batch: rows of a block.
    """

    def __init__(self, folder: Path, *, key: str, batch: int) -> None:
        self.folder = folder
        self.batch = batch
        self.dim: int | None = None
        state = {"key": key, "batch": batch}
        if folder.exists() and _state(folder) != state:
            shutil.rmtree(folder)
        write_json(folder / "state.json", state)

    def run(
        self,
        kind: str,
        items: Sequence[T],
        encode: Callable[[Sequence[T]], Array],
        *,
        label: Callable[[T], str],
        progress: bool,
    ) -> None:
        """Encode and write every block of ``items`` that is not there yet.

        Raises:
            MtbenchError: vectors of a wrong shape, or values that are not finite: all the items are named.
        """
        from tqdm import tqdm

        problems = Problems(f"vectors of {kind}", hint="The encoder must give finite numbers")
        done = len(items) - sum(len(block) for _, block in self.pending(kind, items))
        if done:
            logger.info("%s: %d of %d are there from an earlier run", kind, done, len(items))
        with tqdm(total=len(items), initial=done, desc=kind, unit=kind[:-1], disable=not progress) as bar:
            for path, block in self.pending(kind, items):
                vectors = self._shaped(encode(block), kind, [label(item) for item in block])
                finite: list[bool] = np.isfinite(vectors).all(axis=1).tolist()  # type: ignore[assignment]
                for item, good in zip(block, finite, strict=True):
                    if not good:
                        problems.add(label(item), "its vector has NaN or infinite values")
                if all(finite):
                    _save(path, vectors)
                bar.update(len(block))
        problems.raise_if_any()

    def pending(self, kind: str, items: Sequence[T]) -> Iterator[tuple[Path, Sequence[T]]]:
        """The blocks still to do: the file of each and its items."""
        for number, start in enumerate(range(0, len(items), self.batch)):
            block = items[start : start + self.batch]
            path = self._file(kind, number)
            found = _load(path)
            if found is None or found.ndim != 2 or len(found) != len(block):
                yield path, block
            else:
                self.dim = found.shape[1]

    def assemble(self, kind: str, rows: int, path: Path) -> None:
        """Write all blocks of one kind as one ``.npy`` file, float32 (rows, dim), block by block.

        Not through a memory map: on a full disk that ends the process instead of raising an error.
        """
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, self.dim)}
        with path.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for number in range(-(-rows // self.batch)):
                stream.write(np.load(self._file(kind, number), allow_pickle=False).astype("<f4").tobytes())

    def _file(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:05d}.npy"

    def _shaped(self, vectors: Array, kind: str, names: list[str]) -> Array:
        """``vectors`` as float32, or an error if they are not one row of the same width for each name."""
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is reported as such
            found = np.asarray(vectors).astype(np.float32)
        where = f"{kind} {names[0]} to {names[-1]}"
        if found.ndim != 2 or len(found) != len(names) or not found.shape[1]:
            raise MtbenchError(f"{where}: the encoder returned vectors of shape {found.shape}, not ({len(names)}, dim)")
        if self.dim is not None and found.shape[1] != self.dim:
            raise MtbenchError(
                f"{where}: the encoder returned vectors of width {found.shape[1]}, after {self.dim} before"
            )
        self.dim = found.shape[1]
        return found


def _state(folder: Path) -> object:
    try:
        return json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _load(path: Path) -> Array | None:
    """A block from an earlier run, mapped not read; None if it is not there or not whole."""
    try:
        block: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return block


def _save(path: Path, vectors: Array) -> None:
    try:
        with atomic_file(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, vectors, allow_pickle=False)
    except OSError as error:
        raise MtbenchError(
            f"cannot write {path}: {error.strerror}. What is encoded so far is kept: mend this and run again"
        ) from error
