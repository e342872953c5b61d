"""A benchmark on disk, read back: transactions, galleries, images, protocol, revision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mtbench.chains.leakage import leaks_of
from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.files import json_sha256
from mtbench.core.types import SPLITS, Gallery, History, Image, Protocol, Transaction, Turn
from mtbench.data.images import describe
from mtbench.data.tables import read_table
from mtbench.data.truth import Truth
from mtbench.data.truth_files import read_truth

SCHEMA_VERSION = 1
"""Raised when a file of a benchmark changes its meaning."""

IMAGE_COLUMNS = ("image_id", "category", "caption", "attributes", "path", "gallery")


class Benchmark:
    """Transactions + galleries + protocol + content hash, as `mtbench build` wrote them.

    Args:
        path: the folder.
        verify: recompute the revision and refuse a folder whose content was changed.
    """

    def __init__(self, path: Path, *, verify: bool = True) -> None:
        self.path = path
        manifest = path / "benchmark.json"
        if not manifest.is_file():
            raise MtbenchError(f"{path} is no benchmark: it has no benchmark.json. Make one: mtbench build --help")
        try:
            self.manifest: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
            version = self.manifest["schema_version"]
            self.name: str = self.manifest["name"]
            self.revision: str = self.manifest["revision"]
            self.protocol = Protocol(**self.manifest["protocol"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MtbenchError(f"{manifest} is not a benchmark manifest: {error!r}. Build it again.") from error
        if version != SCHEMA_VERSION:
            raise MtbenchError(f"{manifest} has schema version {version}; this mtbench reads {SCHEMA_VERSION}")
        if verify:
            self.verify()

    def __repr__(self) -> str:
        return f"Benchmark({self.name!r}, revision={self.revision[:12]!r})"

    def transactions(self, split: str) -> list[Transaction]:
        """The transactions of ``train``, ``dev`` or ``test``, in the order of the file."""
        return self._transactions[check_split(split)]

    def leaks(self, split: str) -> list[dict[str, bool]]:
        """For each transaction of ``test`` or ``dev``, which leaks it has (`mtbench.chains.leakage`)."""
        return leaks_of(self._transactions, split)

    def gallery(self, split: str, category: str) -> Gallery:
        """The candidates for transactions of one split and category."""
        try:
            return self.galleries[check_split(split), category]
        except KeyError:
            known = {name for _, name in self.galleries}
            raise unknown(f"category of {self.name}", category, known) from None

    @cached_property
    def _transactions(self) -> dict[str, list[Transaction]]:
        return {split: read_transactions(self._file("transactions", split)) for split in SPLITS}

    @cached_property
    def _image_rows(self) -> dict[str, list[dict[str, Any]]]:
        return {split: read_table(self._file("images", split), IMAGE_COLUMNS) for split in SPLITS}

    @cached_property
    def galleries(self) -> Mapping[tuple[str, str], Gallery]:
        """Every gallery by (split, category)."""
        return galleries_of(self._image_rows, self.protocol.gallery)

    @cached_property
    def images(self) -> Mapping[str, Image]:
        """Every image by id, whatever its split and category, sorted by id."""
        found: dict[str, Image] = {}
        for rows in self._image_rows.values():
            for row in rows:
                found.setdefault(
                    row["image_id"],
                    Image(
                        row["image_id"],
                        row["category"],
                        row["caption"],
                        tuple(row["attributes"]),
                        row["path"],
                        row.get("sha256"),
                    ),
                )
        return dict(sorted(found.items()))

    @cached_property
    def truth(self) -> Truth | None:
        """What is known for certain about images and feedback; None where nothing is. It is no part of the revision.

        Raises:
            MtbenchError: its files are missing, damaged, or not those that were built.
        """
        facts = self.manifest.get("truth")
        return None if facts is None else read_truth(self.path, facts)

    @cached_property
    def image_folder(self) -> Path | None:
        """The folder that image paths start from, on this machine; None where only text is at hand."""
        local = self.path / "local.json"
        if not local.is_file():
            return None
        try:
            folder = json.loads(local.read_text(encoding="utf-8"))["images"]
            if not isinstance(folder, str) or not folder:
                raise TypeError(f"{folder!r} is no folder name")
            found = (self.path / folder).resolve()
            if found == found.parent:  # a downloaded benchmark must not read the whole machine
                raise ValueError(f"{folder!r} is the whole file system")
            return found
        except (ValueError, KeyError, TypeError) as error:
            raise MtbenchError(
                f"{local} names no image folder: {error!r}. Delete it, or build with --images"
            ) from error

    def histories(self, split: str) -> list[History]:
        """What a model sees of each transaction, captions joined as the protocol says."""
        return [t.history(joiner=self.protocol.joiner) for t in self.transactions(split)]

    def verify(self) -> None:
        """Recompute the revision.

        Raises:
            MtbenchError: the transactions, galleries or truth are not those that were built.
        """
        words = describe(self._image_rows)
        for proxy, facts in self.manifest.get("proxies", {}).items():
            if words.get(proxy) != facts:
                raise MtbenchError(
                    f"{self.path}: its {proxy} column is not the one that benchmark.json describes: a file was "
                    "changed after the build. Build it again."
                )
        found = revision(self._transactions, self.galleries.values(), self.protocol)
        if found != self.revision:
            raise MtbenchError(
                f"{self.path}: its content has revision {found[:12]}, but benchmark.json says {self.revision[:12]}: "
                "a file was changed after the build. Build it again."
            )
        _ = self.truth  # reading it compares it with the manifest

    def push_to_hub(self, repository: str, *, private: bool = False, token: str | None = None) -> str:
        """Upload the folder as a dataset repository of the Hugging Face hub; returns its address."""
        from mtbench.data.hub import push

        return push(self.path, repository, private=private, token=token)

    def _file(self, kind: str, split: str) -> Path:
        path = self.path / kind / f"{split}.parquet"
        if not path.is_file():
            raise MtbenchError(f"{self.path}: {kind}/{split}.parquet is missing. Build it again.")
        return path


def load(path: str | Path) -> Benchmark:
    """Open a benchmark folder and check that its content is what was built."""
    return Benchmark(Path(path))


def galleries_of(rows: Mapping[str, Sequence[Mapping[str, Any]]], rule: str) -> dict[tuple[str, str], Gallery]:
    """The galleries that the image tables of the splits declare, by (split, category)."""
    members: dict[tuple[str, str], list[str]] = {}
    for split, part in rows.items():
        for row in part:
            if row["gallery"]:
                members.setdefault((split, row["category"]), []).append(row["image_id"])
    return {key: Gallery(*key, rule=rule, image_ids=tuple(sorted(ids))) for key, ids in sorted(members.items())}


def check_split(split: str) -> str:
    """``split`` itself, or an error that names the three there are."""
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    return split


def read_transactions(path: Path) -> list[Transaction]:
    """The transactions of one split."""
    try:
        return [
            Transaction(
                row["transaction_id"],
                row["category"],
                tuple(Turn(t["reference"], tuple(t["feedback"]), t["target"]) for t in row["turns"]),
                tuple(row["source_pairs"]),
                tuple(row["flags"]),
            )
            for row in read_table(path)
        ]
    except (KeyError, TypeError) as error:
        raise MtbenchError(f"{path} has not the columns of a benchmark: {error!r}. Build it again.") from error


def revision(
    transactions: Mapping[str, Sequence[Transaction]], galleries: Iterable[Gallery], protocol: Protocol
) -> str:
    """The content hash of what is scored: ids, turns, candidates and protocol.

    It is taken over the values, not over Parquet's bytes, which change with the version of the writer. Flags and
    whatever stands for the images (captions, attributes, files) are left out: the same task keeps one revision,
    whether its images are at hand or not, and each result names its proxy beside it.
    """
    return json_sha256(
        {
            "transactions": {
                split: [
                    [
                        t.transaction_id,
                        t.category,
                        [[turn.reference, turn.feedback, turn.target] for turn in t.turns],
                    ]
                    for t in rows
                ]
                for split, rows in transactions.items()
            },
            "galleries": sorted([g.split, g.category, g.rule, g.sha256] for g in galleries),
            "protocol": protocol.__dict__,
        }
    )
