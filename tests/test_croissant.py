"""The Croissant description, read by the reference implementation from a folder of tiny Parquet files."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.files import file_sha256
from mtbench.core.types import SPLITS
from mtbench.data.croissant import croissant
from mtbench.data.write import SCHEMAS

mlc = importlib.import_module("mlcroissant")

ROWS: dict[str, list[dict[str, Any]]] = {
    "transactions": [
        {
            "transaction_id": "dress.test.0000",
            "category": "dress",
            "n_turns": 2,
            "turns": [
                {"reference": "a", "feedback": ["is red", "is longer"], "target": "b"},
                {"reference": "b", "feedback": ["is blue"], "target": "c"},
            ],
            "target": "c",
            "source_pairs": [],
            "flags": ["edited"],
        }
    ],
    "images": [
        {"image_id": "a", "category": "dress", "attributes": ["red"], "present": False, "gallery": True},
        {"image_id": "a", "category": "shirt", "attributes": ["red"], "present": False, "gallery": True},
        {"image_id": "b", "category": "dress", "caption": "a dress", "present": True, "gallery": False},
    ],
}
MANIFEST = {"name": "tiny", "revision": "ab12" * 16, "licence": "MIT"}


def write_folder(folder: Path) -> Path:
    tables, files = {}, {}
    for kind, schema in SCHEMAS.items():
        (folder / kind).mkdir()
        for split in SPLITS:
            path = folder / kind / f"{split}.parquet"
            pq.write_table(pa.Table.from_pylist([] if split == "dev" else ROWS[kind], schema=schema), path)
            tables[f"{kind}/{split}"] = schema.names
            files[f"{kind}/{split}.parquet"] = (file_sha256(path), path.stat().st_size)
    (folder / "croissant.json").write_text(json.dumps(croissant(MANIFEST, tables, files)))
    return folder / "croissant.json"


def test_the_reference_implementation_finds_no_error_and_misses_only_the_date(tmp_path: Path) -> None:
    issues = mlc.Dataset(jsonld=write_folder(tmp_path)).metadata.ctx.issues
    assert not issues.errors
    assert [issue for issue in issues.warnings if "datePublished" not in str(issue)] == []


def test_the_version_is_the_revision_and_the_licence_that_of_the_annotations(tmp_path: Path) -> None:
    dataset = mlc.Dataset(jsonld=write_folder(tmp_path))
    assert dataset.metadata.version == "1.0.0+ab12ab12ab12"
    assert dataset.metadata.license == ["MIT"]


def test_transactions_are_read_with_their_turns(tmp_path: Path) -> None:
    dataset = mlc.Dataset(jsonld=write_folder(tmp_path))
    (record,) = dataset.records("transactions/test")
    here = "transactions/test"
    assert record[f"{here}/transaction_id"] == b"dress.test.0000"
    assert record[f"{here}/n_turns"] == 2
    assert record[f"{here}/flags"] == [b"edited"]
    assert record[f"{here}/turns"] == [
        {
            f"{here}/turns/reference": b"a",
            f"{here}/turns/feedback": [b"is red", b"is longer"],
            f"{here}/turns/target": b"b",
        },
        {
            f"{here}/turns/reference": b"b",
            f"{here}/turns/feedback": [b"is blue"],
            f"{here}/turns/target": b"c",
        },
    ]


def test_images_are_read_with_what_they_lack_as_none(tmp_path: Path) -> None:
    dataset = mlc.Dataset(jsonld=write_folder(tmp_path))
    records = list(dataset.records("images/train"))
    assert [r["images/train/caption"] for r in records] == [None, None, b"a dress"]
    assert [r["images/train/attributes"] for r in records] == [[b"red"], [b"red"], None]
    assert [r["images/train/gallery"] for r in records] == [True, True, False]
    assert list(dataset.records("images/dev")) == []


def test_an_image_in_two_categories_has_two_rows_and_each_row_a_key_of_its_own(tmp_path: Path) -> None:
    dataset = mlc.Dataset(jsonld=write_folder(tmp_path))
    keys = {table.uuid: table.key for table in dataset.metadata.record_sets}
    assert keys["images/test"] == ["images/test/image_id", "images/test/category"]
    assert keys["transactions/test"] == ["transactions/test/transaction_id"]
    rows = [(r["images/test/image_id"], r["images/test/category"]) for r in dataset.records("images/test")]
    assert rows == [(b"a", b"dress"), (b"a", b"shirt"), (b"b", b"dress")]


def test_each_file_is_declared_with_its_hash(tmp_path: Path) -> None:
    dataset = mlc.Dataset(jsonld=write_folder(tmp_path))
    declared = {file.content_url: file.sha256 for file in dataset.metadata.distribution}
    found = {f"{kind}/{split}.parquet" for kind in SCHEMAS for split in SPLITS}
    assert declared == {path: file_sha256(tmp_path / path) for path in found}


def test_the_same_input_gives_the_same_bytes_in_whatever_order_it_comes() -> None:
    files = {f"images/{split}.parquet": ("0" * 64, 1) for split in SPLITS}
    tables = {f"images/{split}": SCHEMAS["images"].names for split in SPLITS}
    one = croissant(MANIFEST, tables, files)
    two = croissant(MANIFEST, dict(reversed(tables.items())), dict(reversed(files.items())))
    assert json.dumps(one) == json.dumps(two)
