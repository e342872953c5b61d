"""A board: what is ranked, by which rules, and with sealed answers, so that anybody can score a submission.

```
leaderboards/BOARD/
  board.toml             what the board is: benchmark, protocol, measures, rules, known training data, quoted rows
  transactions.parquet   per transaction: id, category, turns, cluster, leaks, seals of its target and references
  gallery.parquet        per candidate: category, seal, whether it is a known query (a reference of the split)
  removed.toml           submissions that were taken down, each with a reason
  submissions/NAME/      see `mtbench.leaderboard.submission`
  versions/1/            the board of an earlier revision, the same files
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mtbench.chains.leakage import KINDS
from mtbench.core.errors import MtbenchError, Problems, unknown
from mtbench.core.files import file_sha256
from mtbench.leaderboard.limits import NAME, check_name, read_toml
from mtbench.leaderboard.seals import Sealer
from mtbench.leaderboard.table_file import check_size, read_table

SCHEMA = 1
MEASURES = ("mean", "R@5", "R@8", "R@1", "R@10")
"""What a board reports, the headline first. All read 10 candidates at most, which every submission has."""
DEPTH = 50
"""Candidates of each transaction that a submission lists, at least."""
DEEPEST = 100
"""And at most, but for a tie group that must not be cut."""
PROXIES = ("image", "features", "caption", "attributes", "caption+attributes", "none")
"""What stood for the images: pixels; features from somebody's encoder of pixels; words; nothing at all."""
LEAK = "edge"
"""The leak that tells the clean part from the leaked one: a pair of the transaction is in train or dev."""


@dataclass(frozen=True)
class Known:
    """Training data whose leaks into the board were counted when it was opened.

    Attributes:
        data: its name, which submissions declare.
        leaks: transactions of the board of which it holds a pair.
        of: how many there are.
    """

    data: str
    leaks: int
    of: int


@dataclass(frozen=True)
class Quoted:
    """A number that a paper printed: no ranking was seen, so that nothing of it was checked.

    Attributes:
        measures: shares in 0..1 by name.
        why: what keeps it from being compared.
    """

    system: str
    source: str
    proxy: str
    measures: Mapping[str, float]
    why: str


@dataclass(frozen=True)
class Board:
    """What ``board.toml`` says.

    Attributes:
        folder: where it lies; its name is the board's, or for an earlier version that of the folder above.
        title, about: for people.
        version: counted from 1; a new revision of the benchmark opens a new one.
        benchmark: ``name``, ``revision``, ``split``, ``part`` (``all`` or ``clean``), ``n``, ``build`` (a command).
        protocol: that of the benchmark.
        galleries: ``category``, ``rule``, ``images``, ``sha256`` of each.
        leaks_allowed: whether a submission may have learned from what leaks; its scores are marked all the same.
        salt: of the seals.
        files: SHA-256 of the sealed files.
        training: data sets whose leaks are known.
        quoted: published numbers.
    """

    folder: Path
    title: str
    about: str
    version: int
    benchmark: Mapping[str, Any]
    protocol: Mapping[str, Any]
    galleries: tuple[Mapping[str, Any], ...]
    leaks_allowed: bool
    salt: str
    files: Mapping[str, str]
    training: tuple[Known, ...] = ()
    quoted: tuple[Quoted, ...] = ()
    measures: tuple[str, ...] = MEASURES
    depth: int = DEPTH

    @property
    def name(self) -> str:
        """What it is called: its folder."""
        return self.folder.parent.parent.name if self.folder.parent.name == "versions" else self.folder.name

    @property
    def label(self) -> str:
        """Its name, and of an earlier version its place."""
        return self.name if self.folder.parent.name != "versions" else f"{self.name}/versions/{self.folder.name}"

    @property
    def submissions(self) -> Path:
        """The folder of its submissions."""
        return self.folder / "submissions"

    @cached_property
    def sealer(self) -> Sealer:
        """Makes its seals."""
        return Sealer(self.salt)

    @cached_property
    def sealed(self) -> Sealed:
        """The transactions, read on first use."""
        return read_sealed(self)

    def size(self, category: str) -> int:
        """How many candidates a category has."""
        return next(int(g["images"]) for g in self.galleries if g["category"] == category)


@dataclass(frozen=True)
class Sealed:
    """The transactions of a board, in the order in which every submission lists them.

    Attributes:
        ids, categories: of each, (n,) of str.
        turns: int64 (n,).
        clusters: what each is one piece of evidence with, int64 (n,).
        leaks: bool (n,) by kind of leak.
        targets: the seal of each target.
        references: the seals of the images shown.
        galleries: by category, the seal of each candidate and whether it is a known query.
    """

    ids: npt.NDArray[np.object_]
    categories: npt.NDArray[np.object_]
    turns: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    leaks: Mapping[str, npt.NDArray[np.bool_]]
    targets: tuple[bytes, ...]
    references: tuple[tuple[bytes, ...], ...]
    galleries: Mapping[str, Mapping[bytes, bool]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def n_clusters(self) -> int:
        """How many pieces of evidence there are."""
        return len(np.unique(self.clusters))

    @property
    def clean(self) -> npt.NDArray[np.bool_]:
        """Those that nothing of train or dev gives away, bool (n,)."""
        return ~self.leaks[LEAK]


def boards(root: Path) -> list[Board]:
    """Every board below ``root``, by name, each followed by its earlier versions, the newest first.

    Raises:
        MtbenchError: there is no board, or some cannot be read; all problems at once.
    """
    problems, found = Problems(root), []
    for folder in sorted(path.parent for path in root.glob("*/board.toml")):
        earlier = sorted(folder.glob("versions/*/board.toml"), key=lambda path: (len(path.parent.name), str(path)))
        for one in [folder, *(path.parent for path in reversed(earlier))]:
            try:
                found.append(read_board(one))
            except MtbenchError as error:
                problems.add(str(one.relative_to(root)), str(error).removeprefix(f"{one}/"))
    problems.raise_if_any()
    if not found:
        raise MtbenchError(
            f"{root} holds no board (BOARD/board.toml). Give the folder of the boards with --root, or make one: "
            "mtbench leaderboard open --help"
        )
    return found


def board_named(root: Path, name: str) -> Board:
    """The newest version of one board.

    Raises:
        MtbenchError: there is none of that name, or it cannot be read.
    """
    if not NAME.fullmatch(name) or not (root / name / "board.toml").is_file():
        known = sorted(path.parent.name for path in root.glob("*/board.toml"))
        where = f"Boards are looked for in {root}; --root gives another folder."
        raise unknown("board", name, known, hint=where)
    return read_board(root / name)


def read_board(folder: Path) -> Board:
    """One board, its text checked; the sealed files are read when they are needed.

    Raises:
        MtbenchError: ``board.toml`` is not what `write_board` writes.
    """
    path = folder / "board.toml"
    found = read_toml(path)
    try:
        if found.pop("schema") != SCHEMA:
            raise ValueError(f"this mtbench reads schema {SCHEMA}")
        known = {f.name for f in fields(Board)} - {"folder"}
        if extra := sorted(set(found) - known):
            raise ValueError(f"unknown: {', '.join(extra)}")
        if folder.parent.name != "versions":
            check_name(folder.name, "a board")
        found["training"] = tuple(Known(**row) for row in found.get("training", ()))
        found["quoted"] = tuple(Quoted(**row) for row in found.get("quoted", ()))
        found["galleries"] = tuple(found["galleries"])
        found["measures"] = tuple(found["measures"])
        return Board(folder, **found)
    except (KeyError, TypeError, ValueError) as error:
        raise MtbenchError(f"{path} is no board: {error}") from error


def board_toml(board: Board) -> str:
    """The text of ``board.toml``."""
    import tomli_w

    values = asdict(board)
    del values["folder"]
    return tomli_w.dumps({"schema": SCHEMA, **values})


TRANSACTIONS = pa.schema(
    [
        pa.field("transaction_id", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("turns", pa.int64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        *(pa.field(kind, pa.bool_(), nullable=False) for kind in KINDS),
        pa.field("target", pa.binary(), nullable=False),
        pa.field("references", pa.list_(pa.binary()), nullable=False),
    ]
)
GALLERY = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),
        pa.field("known_query", pa.bool_(), nullable=False),
    ]
)


MOST_SEALED = 16 << 20
"""Bytes of a sealed file; 2,400 transactions take 200 kB."""


def read_sealed(board: Board) -> Sealed:
    """The sealed files of a board.

    Raises:
        MtbenchError: they are missing, too large, of other columns, or not those that ``board.toml`` pins.
    """
    tables = []
    for name, schema in (("transactions.parquet", TRANSACTIONS), ("gallery.parquet", GALLERY)):
        path = board.folder / name
        check_size(path, MOST_SEALED)
        if file_sha256(path) != board.files.get(name):
            raise MtbenchError(f"{path} is not the file that board.toml pins; fetch the board again")
        tables.append(read_table(path, schema, MOST_SEALED))
    table, gallery = tables
    columns = {name: table.column(name).to_pylist() for name in ("transaction_id", "category", "target", "references")}
    galleries: dict[str, dict[bytes, bool]] = {}
    for category, image, known in zip(*(gallery.column(name).to_pylist() for name in GALLERY.names), strict=True):
        galleries.setdefault(category, {})[image] = known
    return Sealed(
        np.array(columns["transaction_id"], dtype=object),
        np.array(columns["category"], dtype=object),
        table.column("turns").to_numpy(),
        table.column("cluster").to_numpy(),
        {kind: table.column(kind).to_numpy(zero_copy_only=False) for kind in KINDS},
        tuple(columns["target"]),
        tuple(map(tuple, columns["references"])),
        galleries,
    )
