"""The Croissant 1.0 description of a benchmark: its Parquet files and the record sets in them, as JSON-LD."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification asks for, word for word."""

TURN = {
    "reference": "The image shown at this turn",
    "feedback": "What the user said of it, one string per caption",
    "target": "The image that this feedback led to",
}

COLUMNS: dict[str, tuple[str, bool, str]] = {
    "transaction_id": ("sc:Text", False, "Unique name of the transaction"),
    "n_turns": ("sc:Integer", False, "How many turns the transaction has"),
    "target": ("sc:Text", False, "The image to find at the end"),
    "source_pairs": ("sc:Text", True, "The single-turn annotations that were chained"),
    "flags": ("sc:Text", True, "Known faults of the transaction, and its leaks (leak-edge, leak-final-target, ...)"),
    "image_id": ("sc:Text", False, "Name of the image, which has a row for each category it is in"),
    "category": ("sc:Text", False, "Category, which has a gallery of its own"),
    "subcategory": ("sc:Text", False, "Finer category, where the source has one"),
    "caption": ("sc:Text", False, "Machine caption, where there is one"),
    "attributes": ("sc:Text", True, "Attribute words"),
    "path": ("sc:Text", False, "File below the image folder, where there is one"),
    "sha256": ("sc:Text", False, "SHA-256 of that file"),
    "present": ("sc:Boolean", False, "Whether the image file was at hand when the benchmark was built"),
    "gallery": ("sc:Boolean", False, "Whether the image is a candidate"),
}
"""Type, whether it is a list, and meaning of each column that `mtbench build` writes."""


KEYS = {"transactions": ("transaction_id",), "images": ("image_id", "category")}
"""The columns that tell the rows of a table apart."""


def croissant(
    manifest: Mapping[str, Any],
    tables: Mapping[str, Iterable[str]],
    files: Mapping[str, tuple[str, int]],
) -> dict[str, Any]:
    """JSON-LD for croissant.json; the same input gives the same output.

    Args:
        manifest: the content of benchmark.json.
        tables: the columns of each record set, ``{"transactions/test": ["transaction_id", ...], ...}``; its
            rows are in the file of that name with ``.parquet``.
        files: SHA-256 and size in bytes of each file by its path in the benchmark.
    """
    name, revision = manifest["name"], manifest["revision"]
    return {  # without datePublished: a build has no date of its own, it would change the file each time
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": f"{name}: transactions of several turns for composed image retrieval",
        "citeAs": f"{name}, revision {revision}, built by mtbench",
        "license": manifest.get("licence") or "unknown",
        "version": f"1.0.0+{revision[:12]}",
        "isLiveDataset": False,
        "distribution": [_file(path, *files[path]) for path in sorted(files)],
        "recordSet": [_record_set(table, tables[table]) for table in sorted(tables)],
    }


def _file(path: str, sha256: str, size: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256,
    }


def _record_set(table: str, columns: Iterable[str]) -> dict[str, Any]:
    kind, _, split = table.partition("/")
    keys = [{"@id": f"{table}/{column}"} for column in KEYS[kind]]
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": f"The {kind} of the {split} split.",
        "key": keys if len(keys) > 1 else keys[0],
        "field": [_field(table, column) for column in columns],
    }


def _field(table: str, column: str) -> dict[str, Any]:
    node = f"{table}/{column}"
    if column == "turns":
        return {
            "@type": "cr:Field",
            "@id": node,
            "name": column,
            "description": "The turns of the dialogue, oldest first",
            "repeated": True,
            "subField": [
                {
                    "@type": "cr:Field",
                    "@id": f"{node}/{part}",
                    "name": part,
                    "description": meaning,
                    "dataType": "sc:Text",
                    "repeated": True,
                    "source": {**_source(table, column), "transform": {"jsonPath": part}},
                }
                for part, meaning in TURN.items()
            ],
        }
    data_type, repeated, meaning = COLUMNS[column]
    field = {"@type": "cr:Field", "@id": node, "name": column, "description": meaning, "dataType": data_type}
    return {**field, **({"repeated": True} if repeated else {}), "source": _source(table, column)}


def _source(table: str, column: str) -> dict[str, Any]:
    return {"fileObject": {"@id": f"{table}.parquet"}, "extract": {"column": column}}
