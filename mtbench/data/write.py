"""Writes a benchmark folder: Parquet tables, manifest, dataset card, Croissant; all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.files import atomic_folder, file_sha256, write_json
from mtbench.core.types import SPLITS, Transaction
from mtbench.data.card import card
from mtbench.data.croissant import croissant
from mtbench.data.truth import Truth
from mtbench.data.truth_files import FILES, write_truth

TURN = pa.struct({"reference": pa.string(), "feedback": pa.list_(pa.string()), "target": pa.string()})
TRANSACTIONS = pa.schema(
    {
        "transaction_id": pa.string(),
        "category": pa.string(),
        "n_turns": pa.int32(),
        "turns": pa.list_(TURN),
        "target": pa.string(),
        "source_pairs": pa.list_(pa.string()),
        "flags": pa.list_(pa.string()),
    }
)
IMAGES = pa.schema(
    {
        "image_id": pa.string(),
        "category": pa.string(),
        "subcategory": pa.string(),
        "caption": pa.string(),
        "attributes": pa.list_(pa.string()),
        "path": pa.string(),
        "sha256": pa.string(),
        "present": pa.bool_(),
        "gallery": pa.bool_(),
    }
)
SCHEMAS = {"transactions": TRANSACTIONS, "images": IMAGES}


def write_benchmark(
    out: Path,
    manifest: Mapping[str, Any],
    parts: Mapping[str, Sequence[Transaction]],
    images: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    truth: Truth | None = None,
    local: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write ``out``. The same arguments give the same bytes (with the same version of pyarrow).

    Args:
        out: the folder; appears by a rename.
        manifest: becomes ``benchmark.json``, and what the card and Croissant are made of.
        parts: transactions by split.
        images: rows of the image tables by split.
        truth: what is known for certain; it gets a folder of its own.
        local: facts about this machine (``local.json``): where the image files are. Never hashed, never uploaded.
        overwrite: replace a folder that is there.
    """
    with atomic_folder(out, replaces="benchmark.json" if overwrite else None) as folder:
        files = {}
        for kind, schema in SCHEMAS.items():
            (folder / kind).mkdir()
            for split in SPLITS:
                rows = images[split] if kind == "images" else [transaction_row(t) for t in parts[split]]
                path = folder / kind / f"{split}.parquet"
                pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")
                files[f"{kind}/{split}.parquet"] = (file_sha256(path), path.stat().st_size)
        if truth:
            write_truth(folder, truth)
            files.update({file: (file_sha256(folder / file), (folder / file).stat().st_size) for file in FILES})
        tables = {f"{kind}/{s}": schema.names for kind, schema in SCHEMAS.items() for s in SPLITS}
        write_json(folder / "benchmark.json", manifest)
        write_json(folder / "croissant.json", croissant(dict(manifest), tables, files))
        (folder / "README.md").write_text(card(dict(manifest)), encoding="utf-8")
        if local:
            write_json(folder / "local.json", local)


def transaction_row(transaction: Transaction) -> dict[str, Any]:
    """A transaction as a row of its table."""
    return {
        "transaction_id": transaction.transaction_id,
        "category": transaction.category,
        "n_turns": len(transaction.turns),
        "turns": [
            {"reference": turn.reference, "feedback": list(turn.feedback), "target": turn.target}
            for turn in transaction.turns
        ],
        "target": transaction.target,
        "source_pairs": list(transaction.source_pairs),
        "flags": list(transaction.flags),
    }
