"""The truth on disk: ``truth/images.parquet`` and ``truth/dialogues.parquet``, with a hash over their values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError, Problems
from mtbench.core.files import json_sha256
from mtbench.data.tables import read_table
from mtbench.data.truth import Dialogue, Truth

FOLDER = "truth"
FILES = ("truth/images.parquet", "truth/dialogues.parquet")
REQUEST = pa.struct({"attribute": pa.string(), "value": pa.string()})
DIALOGUES = pa.schema(
    {
        "transaction_id": pa.string(),
        "kind": pa.string(),
        "last_turn": pa.int64(),
        "block": pa.string(),
        "requests": pa.list_(pa.list_(REQUEST)),
        "relevant": pa.list_(pa.string()),
    }
)


def describe_truth(truth: Truth) -> dict[str, Any]:
    """What benchmark.json says of the truth: counts, and the hash of its values, which Parquet does not change."""
    kinds: dict[str, int] = {}
    for dialogue in truth.dialogues.values():
        kinds[dialogue.kind] = kinds.get(dialogue.kind, 0) + 1
    values = {
        "attributes": {image: dict(attributes) for image, attributes in truth.attributes.items()},
        "dialogues": {
            name: [d.kind, d.last_turn, d.block, [dict(turn) for turn in d.requests], list(d.relevant)]
            for name, d in truth.dialogues.items()
        },
    }
    return {
        "images": len(truth.attributes),
        "dialogues": len(truth.dialogues),
        "kinds": dict(sorted(kinds.items())),
        "sha256": json_sha256(values),
    }


def write_truth(folder: Path, truth: Truth) -> None:
    """Write both files below ``folder``, the benchmark; the same truth gives the same bytes."""
    (folder / FOLDER).mkdir()
    names = sorted({name for attributes in truth.attributes.values() for name in attributes})
    images = {
        "image_id": pa.array(list(truth.attributes), pa.string()),
        "attributes": pa.array(
            [dict(attributes) for attributes in truth.attributes.values()],
            pa.struct({name: pa.string() for name in names}),
        ),
    }
    dialogues = [
        {
            "transaction_id": name,
            "kind": d.kind,
            "last_turn": d.last_turn,
            "block": d.block,
            "requests": [[{"attribute": key, "value": turn[key]} for key in sorted(turn)] for turn in d.requests],
            "relevant": list(d.relevant),
        }
        for name, d in truth.dialogues.items()
    ]
    tables = (pa.table(images), pa.Table.from_pylist(dialogues, schema=DIALOGUES))
    for file, table in zip(FILES, tables, strict=True):
        pq.write_table(table, folder / file, compression="zstd")


def read_truth(folder: Path, facts: Mapping[str, Any]) -> Truth:
    """The truth of the benchmark in ``folder``.

    Args:
        folder: the benchmark.
        facts: what its manifest says of the truth.

    Raises:
        MtbenchError: a file is missing or damaged, or holds other values than the manifest describes.
    """
    problems = Problems(folder, hint="Build it again.")
    for file in FILES:
        if not (folder / file).is_file():
            problems.add(file, "is missing")
    problems.raise_if_any()
    images, dialogues = (read_table(folder / file) for file in FILES)
    try:
        truth = Truth(
            {row["image_id"]: {k: v for k, v in row["attributes"].items() if v is not None} for row in images},
            {row["transaction_id"]: _dialogue(row) for row in dialogues},
        )
        found = describe_truth(truth)
    except (KeyError, TypeError, AttributeError) as error:
        raise MtbenchError(f"{folder}: its truth has not the columns of one: {error!r}. Build it again.") from error
    if found != facts:
        raise MtbenchError(
            f"{folder}: its truth is not the one that benchmark.json describes: a file was changed after the build. "
            "Build it again."
        )
    return truth


def _dialogue(row: Mapping[str, Any]) -> Dialogue:
    return Dialogue(
        tuple({request["attribute"]: request["value"] for request in turn} for turn in row["requests"]),
        tuple(row["relevant"]),
        row["kind"],
        row["last_turn"],
        row["block"],
    )
