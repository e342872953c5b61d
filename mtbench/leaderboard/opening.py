"""Opening a board from a benchmark: its answers sealed, its galleries pinned, the leaks of training data counted."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.chains.leakage import KINDS, leaks
from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file, atomic_folder, file_sha256, json_sha256
from mtbench.core.types import Transaction
from mtbench.data.benchmark import Benchmark
from mtbench.evaluation.study import clusters_of
from mtbench.leaderboard.board import GALLERY, LEAK, TRANSACTIONS, Board, Known, Quoted, board_toml, read_board
from mtbench.leaderboard.limits import check_name
from mtbench.leaderboard.seals import Sealer

OWN = ("train", "dev")
"""Parts of the benchmark itself that a submission may have learned from."""


@dataclass(frozen=True)
class Opening:
    """What a person decides of a new board; the rest is the benchmark's.

    Attributes:
        title, about: for people; the title of an earlier version by default.
        part: ``all`` transactions of test, or the ``clean`` ones, of which train and dev hold no pair.
        leaks_allowed: whether submissions may have learned from what leaks.
        build: the command that makes the benchmark.
        pretraining: data sets, by the name that submissions will declare, whose leaks are to be counted.
        quoted: published numbers.
    """

    title: str = ""
    about: str = ""
    part: str = "all"
    leaks_allowed: bool = False
    build: str = ""
    pretraining: Mapping[str, Sequence[Transaction]] | None = None
    quoted: tuple[Quoted, ...] = ()


def open_board(root: Path, name: str, benchmark: Benchmark, opening: Opening) -> Board:
    """Write a board, or a new version of one: the old one, with its submissions, moves to ``versions/``.

    The salt follows from name and revision, so that the same benchmark gives the same files.

    Raises:
        MtbenchError: a bad name, a benchmark without test transactions, or a board of this very revision.
    """
    check_name(name, "a board")
    if opening.part not in ("all", "clean"):
        raise MtbenchError(f"the part of a board must be all or clean, not {opening.part!r}")
    transactions, _ = _chosen(benchmark, opening.part)
    old = read_board(root / name) if (root / name / "board.toml").is_file() else None
    if old is not None and old.benchmark["revision"] == benchmark.revision:
        raise MtbenchError(
            f"{root / name} is a board of this very revision ({benchmark.revision[:12]}); a new version needs a "
            "benchmark of another one"
        )
    salt = json_sha256([name, benchmark.revision])[:32]
    categories = sorted({t.category for t in transactions})
    galleries = [benchmark.gallery("test", category) for category in categories]
    board = Board(
        root / name,
        title=opening.title or (old.title if old else name),
        about=opening.about or (old.about if old else ""),
        version=old.version + 1 if old else 1,
        benchmark={
            **{"name": benchmark.name, "revision": benchmark.revision, "split": "test", "part": opening.part},
            **{"n": len(transactions), "build": opening.build},
        },
        protocol=asdict(benchmark.protocol),
        galleries=tuple(
            {"category": g.category, "rule": g.rule, "images": len(g), "sha256": g.sha256} for g in galleries
        ),
        leaks_allowed=opening.leaks_allowed,
        salt=salt,
        files={},
        training=tuple(_known(benchmark, transactions, opening.pretraining or {})),
        quoted=opening.quoted or (old.quoted if old else ()),
    )
    with atomic_folder(root / f".{name}.new") as folder:
        for file, table in sealed_tables(benchmark, opening.part, salt).items():
            pq.write_table(table, folder / file, compression="zstd")
        files = {path.name: file_sha256(path) for path in sorted(folder.glob("*.parquet"))}
        board = replace(board, files=files)
        (folder / "board.toml").write_text(board_toml(board), encoding="utf-8")
    _move_in(root / f".{name}.new", root / name, old)
    return read_board(root / name)


def write_board(board: Board) -> None:
    """Write ``board.toml`` again, after its words or quoted rows were changed."""
    with atomic_file(board.folder / "board.toml") as temporary:
        temporary.write_text(board_toml(board), encoding="utf-8")


def sealed_tables(benchmark: Benchmark, part: str, salt: str) -> dict[str, pa.Table]:
    """The sealed files of a board, by name."""
    transactions, kinds = _chosen(benchmark, part)
    categories = sorted({t.category for t in transactions})
    return {
        "transactions.parquet": _sealed(benchmark, transactions, kinds, salt),
        "gallery.parquet": _gallery(benchmark, categories, salt),
    }


def _chosen(benchmark: Benchmark, part: str) -> tuple[list[Transaction], list[Mapping[str, bool]]]:
    """The transactions that a board ranks, and the leaks of each.

    Raises:
        MtbenchError: there are none.
    """
    every = zip(benchmark.transactions("test"), benchmark.leaks("test"), strict=True)
    kept = [(t, leak) for t, leak in every if part == "all" or not leak[LEAK]]
    if not kept:
        raise MtbenchError(f"{benchmark.path} has no {part} test transactions to rank")
    return [t for t, _ in kept], [leak for _, leak in kept]


def _move_in(new: Path, folder: Path, old: Board | None) -> None:
    """Put a new board in its place, and an old one below it."""
    if old is None:
        new.rename(folder)
        return
    shelf = new / "versions"
    shelf.mkdir()
    if (folder / "versions").is_dir():
        for path in (folder / "versions").iterdir():
            shutil.copytree(path, shelf / path.name)
    shutil.copytree(folder, shelf / str(old.version), ignore=shutil.ignore_patterns("versions"))
    aside = folder.with_name(f".{folder.name}.old")
    folder.rename(aside)
    new.rename(folder)
    shutil.rmtree(aside)


def _known(
    benchmark: Benchmark, transactions: Sequence[Transaction], more: Mapping[str, Sequence[Transaction]]
) -> list[Known]:
    """How many transactions each data set gives away."""
    sets = {part: benchmark.transactions(part) for part in OWN} | dict(more)
    return [
        Known(name, sum(leak[LEAK] for leak in leaks(transactions, known)), len(transactions))
        for name, known in sets.items()
        if known
    ]


def _sealed(
    benchmark: Benchmark, transactions: Sequence[Transaction], kinds: Sequence[Mapping[str, bool]], salt: str
) -> pa.Table:
    sealer = Sealer(salt)
    clusters = clusters_of(benchmark, transactions)
    number = {cluster: i for i, cluster in enumerate(sorted(set(clusters)))}
    rows = []
    for transaction, cluster, leak in zip(transactions, clusters, kinds, strict=True):
        seal = sealer.of("turn", transaction.transaction_id)
        shown = dict.fromkeys(turn.reference for turn in transaction.turns)
        rows.append(
            {
                "transaction_id": transaction.transaction_id,
                "category": transaction.category,
                "turns": len(transaction.turns),
                "cluster": number[cluster],
                **{kind: leak[kind] for kind in KINDS},
                "target": seal(transaction.target),
                "references": [seal(image) for image in shown],
            }
        )
    return pa.Table.from_pylist(rows, schema=TRANSACTIONS)


def _gallery(benchmark: Benchmark, categories: Sequence[str], salt: str) -> pa.Table:
    """The candidates in the order of their seals, which is that of no list anybody has."""
    sealer, rows = Sealer(salt), []
    shown: dict[str, set[str]] = {category: set() for category in categories}
    for t in benchmark.transactions("test"):
        if t.category in shown:
            shown[t.category].update(turn.reference for turn in t.turns)
    for category in categories:
        seal = sealer.of("gallery", category)
        images = sorted((seal(image), image) for image in benchmark.gallery("test", category).image_ids)
        rows += [
            {"category": category, "image": sealed, "known_query": image in shown[category]} for sealed, image in images
        ]
    return pa.Table.from_pylist(rows, schema=GALLERY)
