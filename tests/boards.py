"""Boards to attack and to check: beads of two kinds, one after the other on strings, some of them known from train.

::

    round beads r000 ... r069     square beads s000 ... s054

A string of beads is a chain of annotated pairs. Some pairs of test are in train as well: a leaking split.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tiny import _IMAGES, _TRANSACTIONS

from mtbench.core.types import SPLITS, Gallery, Protocol, Transaction, Turn
from mtbench.data.benchmark import Benchmark, revision
from mtbench.leaderboard.board import Board, read_board
from mtbench.leaderboard.opening import Opening, open_board
from mtbench.leaderboard.submit import prepare

SIZES = {"round": 70, "square": 55}
META: dict[str, Any] = {
    "title": "A system",
    "authors": ["A. Author"],
    "summary": "Ranks at random.",
    "proxy": "none",
    "date": "2026-01-31",
}


def write_beads(path: Path, *, seed: int = 0, strings: int = 24) -> Benchmark:
    """A benchmark of two categories, with shared targets, targets among the references, and leaks."""
    rng = np.random.default_rng(seed)
    test: list[Transaction] = []
    for category, size in SIZES.items():
        for i in range(strings):
            length = int(rng.integers(2, 5))
            beads = [f"{category[0]}{bead:03d}" for bead in rng.permutation(size)[: length + 1]]
            if i % 3 == 0:
                beads[-1] = f"{category[0]}000"  # many strings end in it
                beads[:-1] = [bead if bead != beads[-1] else f"{category[0]}{size - 1:03d}" for bead in beads[:-1]]
            turns = tuple(Turn(a, ("is next",), b) for a, b in pairwise(beads))
            test.append(Transaction(f"{category}.test.{i:04d}", category, turns))
    train = [Transaction(f"{t.category}.train.{n:04d}", t.category, t.turns) for n, t in enumerate(test[::4])]
    return _write(path, {"train": train, "dev": [], "test": test})


def _write(path: Path, transactions: Mapping[str, Sequence[Transaction]]) -> Benchmark:
    protocol = Protocol()
    images = {
        split: [
            {
                **{"image_id": f"{category[0]}{i:03d}", "category": category, "subcategory": None, "caption": "a bead"},
                **{"attributes": [], "path": None, "present": False, "gallery": True},
            }
            for category, size in SIZES.items()
            for i in range(size)
        ]
        for split in SPLITS
    }
    for kind in ("transactions", "images"):
        (path / kind).mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        dialogues = [{**asdict(t), "n_turns": len(t.turns), "target": t.target} for t in transactions[split]]
        pq.write_table(pa.Table.from_pylist(dialogues, _TRANSACTIONS), path / "transactions" / f"{split}.parquet")
        pq.write_table(pa.Table.from_pylist(images[split], _IMAGES), path / "images" / f"{split}.parquet")
    galleries = [
        Gallery(split, category, protocol.gallery, tuple(f"{category[0]}{i:03d}" for i in range(size)))
        for split in SPLITS
        for category, size in SIZES.items()
    ]
    manifest = {
        **{"schema_version": 1, "name": "beads", "protocol": asdict(protocol)},
        "revision": revision({split: list(transactions[split]) for split in SPLITS}, galleries, protocol),
    }
    (path / "benchmark.json").write_text(json.dumps(manifest), encoding="utf-8")
    return Benchmark(path)


def write_trec(path: Path, lists: Mapping[str, Sequence[tuple[str, float]]]) -> Path:
    """A run in TREC text: of each transaction, images with scores, the best first."""
    path.write_text(
        "".join(
            f"{name} Q0 {image} {rank} {score:g} made\n"
            for name, listed in lists.items()
            for rank, (image, score) in enumerate(listed, start=1)
        ),
        encoding="utf-8",
    )
    return path


def random_lists(benchmark: Benchmark, seed: int, *, scores: int = 10_000) -> dict[str, list[tuple[str, float]]]:
    """Whole galleries in a random order; the fewer scores there are to draw from, the more of them tie."""
    rng = np.random.default_rng(seed)
    lists = {}
    for t in benchmark.transactions("test"):
        images = benchmark.gallery("test", t.category).image_ids
        drawn = rng.integers(0, scores, len(images))
        order = np.argsort(-drawn, kind="stable")
        lists[t.transaction_id] = [(images[i], float(drawn[i])) for i in order]
    return lists


def submit(board: Board, run: Path, name: str, **meta: Any) -> Path:
    """A submission of a run, as anybody makes it; its folder."""
    ready = prepare(board, run, {**META, "name": name, **meta})
    ready.write()
    return ready.folder


def open_beads(root: Path, benchmark: Benchmark, *, systems: int = 4, **opening: Any) -> Board:
    """A board with some random systems: ``a-0`` and so on."""
    board = open_board(root / "boards", "beads", benchmark, Opening(title="Beads", **opening))
    for i in range(systems):
        submit(board, write_trec(root / f"{i}.trec", random_lists(benchmark, i)), f"a-{i}")
    return board


def copy_of(board: Board, folder: Path) -> Board:
    """The board in a folder of its own, to be tampered with."""
    shutil.copytree(board.folder.parent, folder / "boards", symlinks=True)
    return read_board(folder / "boards" / board.name)


class Killer(type(Path())):  # type: ignore[misc]
    """A folder that ends the process that looks at it, as a file would for which the reader is not prepared."""

    def is_symlink(self) -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        return True
