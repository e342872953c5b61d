"""The dataset card: README.md of a benchmark, with the front matter that the hub and `datasets` read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtbench.core.types import SPLITS

if TYPE_CHECKING:
    from huggingface_hub import DatasetCardData

Json = Mapping[str, Any]

HUB_LICENCES = (
    "mit",
    "apache-2.0",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cdla-permissive-1.0",
    "cdla-sharing-1.0",
)
"""Those that the hub knows by name and that data in this field carry; any other is declared as ``other``."""

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

LEAKS = ("edge", "last_edge", "all_edges", "sub_chain", "final_target", "image")
LEAK_NOTE = (
    "Before you believe a score, see what test shares with training: `mtbench audit FOLDER`. "
    "A model may know a pair, or a final target, from training and need no memory of the dialogue to find it."
)
PROXY_NOTE = (
    "Where images are not at hand, something stands for them. A score on such a proxy is a score of a real "
    "model, but it is never comparable with one on images, nor with one on another proxy."
)
USE = """\
```python
from datasets import load_dataset

transactions = load_dataset("PATH_OR_REPOSITORY", "transactions")  # train, dev, test
images = load_dataset("PATH_OR_REPOSITORY", "images")
```

```sh
mtbench stats FOLDER
mtbench audit FOLDER
mtbench evaluate bm25 last-turn ewma --benchmark FOLDER
```"""


def card(manifest: Json) -> str:
    """The text of README.md from the content of benchmark.json; what it lacks is left out."""
    from huggingface_hub import DatasetCard  # slow to import

    name = manifest["name"]
    built = f"Built by `mtbench build {manifest['builder']}`. " if manifest.get("builder") else ""
    sections: list[tuple[str, Sequence[str]]] = [
        ("Transactions", _transactions(manifest)),
        ("Published counts", _published(manifest)),
        ("How it was built", _choices(manifest, "chains", "split")),
        ("Protocol", _choices(manifest, "protocol")),
        ("Leakage", _leakage(manifest)),
        ("What stands for the images", _proxies(manifest)),
        ("Faults of the raw data", _faults(manifest)),
        ("Sources", _sources(manifest)),
        ("Use", [USE]),
    ]
    text = [
        f"# {name}",
        f"Transactions of several turns for composed image retrieval. {built}"
        f"Revision `{manifest['revision']}`: two scores are comparable only if theirs agree.",
        *manifest.get("notes", ()),
    ]
    for title, parts in sections:
        if parts:
            text += [f"## {title}", *parts]
    return str(DatasetCard(f"---\n{_front_matter(manifest).to_yaml()}\n---\n\n" + "\n\n".join(text) + "\n"))


def _front_matter(manifest: Json) -> DatasetCardData:
    from huggingface_hub import DatasetCardData

    licence = str(manifest.get("licence") or "none stated")
    rows = sum(part.get("transactions", 0) for part in _parts(manifest).values())
    known: dict[str, Any] = {"license": licence.lower()}
    if licence.startswith(("none", "not ")):
        known = {"license": "unknown"}
    elif licence.lower() not in HUB_LICENCES:
        known = {"license": "other", "license_name": licence}
    return DatasetCardData(
        pretty_name=manifest["name"],
        language=["en"],
        **known,
        task_categories=["image-to-image", "text-retrieval"],
        tags=["composed-image-retrieval", "multi-turn", "dialogue", "mtbench"],
        size_categories=[next((label for limit, label in SIZES if rows < limit), "n>1M")],
        configs=[
            {
                "config_name": kind,
                "data_files": [
                    {"split": split, "path": f"{kind}/{split}.parquet"} for split in _filled(manifest, kind)
                ],
                **({"default": True} if kind == "transactions" else {}),
            }
            for kind in ("transactions", "images")
        ],
    )


def _filled(manifest: Json, kind: str) -> list[str]:
    """The splits that have rows: `datasets` cannot read an empty one, and would refuse the others with it."""
    parts = _parts(manifest)
    return [split for split in SPLITS if parts.get(split, {}).get(kind, 1)]


def _transactions(manifest: Json) -> list[str]:
    parts = _parts(manifest)
    turns = sorted({n for part in parts.values() for n in part.get("turns", {})}, key=int)
    categories = sorted({name for part in parts.values() for name in part.get("by_category", {})})
    counts = [
        [
            split,
            part["transactions"],
            *(part.get("turns", {}).get(n, 0) for n in turns),
            part.get("images", 0),
        ]
        for split, part in parts.items()
    ]
    by_category = [
        [split, *(part.get("by_category", {}).get(category, 0) for category in categories)]
        for split, part in parts.items()
    ]
    found = _table(["split", "transactions", *(f"{n} turns" for n in turns), "images"], counts)
    if len(categories) > 1:
        found += _table(["transactions of", *categories], by_category)
    return found


def _published(manifest: Json) -> list[str]:
    parts = _parts(manifest)
    rows = []
    for claim in manifest.get("published", ()):
        of = parts.values() if claim["split"] == "all" else [parts.get(claim["split"], {})]
        name = claim.get("name") or claim.get("dataset", "")
        for turns, there in sorted(claim["turns"].items(), key=lambda item: int(item[0])):
            ours = claim.get("ours", {}).get(turns)
            here = sum(part.get("turns", {}).get(str(turns), 0) for part in of) if ours is None else ours
            rows.append([name, claim["split"], turns, there, here, f"{here - there:+,}", claim.get("source", "")])
    return _table(["dataset", "published split", "turns", "published", "here", "difference", "stated in"], rows)


def _choices(manifest: Json, *keys: str) -> list[str]:
    rows = []
    for key in keys:
        options: Json = manifest.get(key) or {}
        rows += [[key, option, f"`{value}`"] for option, value in options.items() if value is not None]
    return _table(["part", "choice", "value"], rows)


def _leakage(manifest: Json) -> list[str]:
    audit: Json = manifest.get("audit") or {}
    by_split = {split: row for split, row in audit.get("splits", audit).items() if isinstance(row, Mapping)}
    kinds = [kind for kind in LEAKS if any(kind in row for row in by_split.values())]
    rows = [[split, *(row.get(kind, "") for kind in ("transactions", *kinds))] for split, row in by_split.items()]
    return [
        *_table(["split", "transactions", *(f"shared {k.replace('_', ' ')}" for k in kinds)], rows),
        LEAK_NOTE,
    ]


def _proxies(manifest: Json) -> list[str]:
    rows = [
        [kind, f"{proxy['coverage']:.1%}" if "coverage" in proxy else "", _code(proxy.get("sha256"))]
        for kind, proxy in sorted(manifest.get("proxies", {}).items())
    ]
    return [PROXY_NOTE, *_table(["proxy", "images covered", "sha256"], rows)] if rows else []


def _faults(manifest: Json) -> list[str]:
    rows = [
        [kind, fault["count"], ", ".join(map(_code, fault.get("examples", ())))]
        for kind, fault in sorted(manifest.get("faults", {}).items())
    ]
    return _table(["fault", "count", "for example"], rows)


def _sources(manifest: Json) -> list[str]:
    rows = [
        [
            f"[{source['path']}]({source['url']})" if source.get("url") else source["path"],
            source.get("licence") or "",
            source.get("size", ""),
            _code(source.get("sha256")),
        ]
        for source in manifest.get("sources", ())
    ]
    return _table(["file", "licence", "bytes", "sha256"], rows)


def _parts(manifest: Json) -> dict[str, Json]:
    found: Json = manifest.get("statistics", {}).get("splits", {})
    return {split: found[split] for split in SPLITS if split in found}


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table, or nothing without rows: numbers with separators, pipes kept from ending a cell."""
    from tabulate import tabulate

    cells = [
        [f"{cell:,}" if isinstance(cell, int) else str(cell).replace("|", "\\|").replace("\n", " ") for cell in row]
        for row in rows
    ]
    return [str(tabulate(cells, headers, tablefmt="pipe", disable_numparse=True))] if cells else []
