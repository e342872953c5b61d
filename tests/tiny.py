"""A benchmark small enough to check by hand, written as `mtbench build` writes one.

Three dresses and a shirt to train on, and other ones to test on::

    train   red --"is blue"--> blue --"is longer"--> long          (dress)
    dev     d1  --"is shorter"--> d2 --"has dots" + "is green"--> d3
    test    t1  --"is zebra striped"--> t2 --"is plain"--> t3
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.types import SPLITS, Gallery, Protocol, Transaction, Turn
from mtbench.data.benchmark import Benchmark, revision

TRANSACTIONS: dict[str, list[Transaction]] = {
    "train": [
        Transaction(
            "dress.train.0000",
            "dress",
            (Turn("red", ("is blue",), "blue"), Turn("blue", ("is longer",), "long")),
        )
    ],
    "dev": [
        Transaction(
            "dress.dev.0000",
            "dress",
            (Turn("d1", ("is shorter",), "d2"), Turn("d2", ("has dots", "is green"), "d3")),
        )
    ],
    "test": [
        Transaction(
            "dress.test.0000",
            "dress",
            (Turn("t1", ("is zebra striped",), "t2"), Turn("t2", ("is plain",), "t3")),
        )
    ],
}

CAPTIONS: dict[str, dict[str, str | None]] = {
    "train": {"red": "a red dress", "blue": "a blue dress", "long": "a long blue dress", "shirt": "a shirt"},
    "dev": {"d1": "a long dress", "d2": "a short dress", "d3": "a green dress with dots"},
    "test": {"t1": "a plain dress", "t2": "a zebra dress", "t3": None},
}

_TURN = pa.struct([("reference", pa.string()), ("feedback", pa.list_(pa.string())), ("target", pa.string())])
_TRANSACTIONS = pa.schema(
    [
        ("transaction_id", pa.string()),
        ("category", pa.string()),
        ("n_turns", pa.int64()),
        ("turns", pa.list_(_TURN)),
        ("target", pa.string()),
        ("source_pairs", pa.list_(pa.string())),
        ("flags", pa.list_(pa.string())),
    ]
)
_IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("category", pa.string()),
        ("subcategory", pa.string()),
        ("caption", pa.string()),
        ("attributes", pa.list_(pa.string())),
        ("path", pa.string()),
        ("present", pa.bool_()),
        ("gallery", pa.bool_()),
    ]
)


def write_tiny_benchmark(
    path: Path,
    *,
    name: str = "tiny",
    transactions: Mapping[str, Sequence[Transaction]] = TRANSACTIONS,
    captions: Mapping[str, Mapping[str, str | None]] = CAPTIONS,
    attributes: Mapping[str, Sequence[str]] | None = None,
    images: Path | None = None,
    protocol: Protocol | None = None,
) -> Benchmark:
    """Write a benchmark of dresses and open it.

    Args:
        path: the folder to make.
        name: of the benchmark.
        transactions: by split; a missing split is empty.
        captions: of every image of each split, by id; all images are in the gallery of their split.
        attributes: words of some images by id.
        images: a folder with ``ID.png`` for every image; none by default.
        protocol: the default one if not given.
    """
    protocol = protocol or Protocol()
    rows: dict[str, list[dict[str, Any]]] = {
        split: [
            {
                "image_id": image_id,
                "category": "dress",
                "subcategory": None,
                "caption": caption,
                "attributes": list((attributes or {}).get(image_id, ())),
                "path": f"{image_id}.png" if images is not None else None,
                "present": images is not None,
                "gallery": True,
            }
            for image_id, caption in sorted(captions.get(split, {}).items())
        ]
        for split in SPLITS
    }
    for split in SPLITS:
        for kind in ("transactions", "images"):
            (path / kind).mkdir(parents=True, exist_ok=True)
        dialogues = [{**asdict(t), "n_turns": len(t.turns), "target": t.target} for t in transactions.get(split, ())]
        pq.write_table(pa.Table.from_pylist(dialogues, _TRANSACTIONS), path / "transactions" / f"{split}.parquet")
        pq.write_table(pa.Table.from_pylist(rows[split], _IMAGES), path / "images" / f"{split}.parquet")
    galleries = [
        Gallery(split, "dress", protocol.gallery, tuple(row["image_id"] for row in rows[split]))
        for split in SPLITS
        if rows[split]
    ]
    manifest = {
        "schema_version": 1,
        "name": name,
        "revision": revision({split: list(transactions.get(split, ())) for split in SPLITS}, galleries, protocol),
        "protocol": asdict(protocol),
    }
    (path / "benchmark.json").write_text(json.dumps(manifest), encoding="utf-8")
    if images is not None:
        (path / "local.json").write_text(json.dumps({"images": str(images.resolve())}), encoding="utf-8")
    return Benchmark(path)
