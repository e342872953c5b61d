"""The dataset card: README.md of a benchmark, with the front matter that the hub and `datasets` read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtbench.chains.leakage import KINDS
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
    """The text of README.md from the content of benchmark.json; a section without content is left out."""
    from huggingface_hub import DatasetCard  # slow to import

    name = manifest["name"]
    sections: list[tuple[str, Sequence[str]]] = [
        ("Transactions", _transactions(manifest)),
        ("Published counts", _published(manifest)),
        ("How it was built", _choices(manifest, "options", "chains", "split")),
        ("Left out", _left_out(manifest)),
        ("Protocol", _choices(manifest, "protocol")),
        ("Leakage", _leakage(manifest)),
        ("What stands for the images", _proxies(manifest)),
        ("What is known for certain", _truth(manifest)),
        ("Faults of the raw data", _faults(manifest)),
        ("Sources", _sources(manifest)),
        ("Use", [USE]),
    ]
    text = [
        f"# {name}",
        f"Transactions of several turns for composed image retrieval. "
        f"Built by `mtbench build {manifest['builder']}`. "
        f"Revision `{manifest['revision']}`: two scores are comparable only if theirs agree.",
        *manifest["notes"],
    ]
    for title, parts in sections:
        if parts:
            text += [f"## {title}", *parts]
    return str(DatasetCard(f"---\n{_front_matter(manifest).to_yaml()}\n---\n\n" + "\n\n".join(text) + "\n"))


def _front_matter(manifest: Json) -> DatasetCardData:
    from huggingface_hub import DatasetCardData

    licence = str(manifest["licence"] or "none stated")
    rows = sum(part["transactions"] for part in _parts(manifest).values())
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
    return [split for split in SPLITS if parts[split][kind]]


def _transactions(manifest: Json) -> list[str]:
    parts = _parts(manifest)
    turns = sorted({n for part in parts.values() for n in part["turns"]}, key=int)
    categories = sorted({name for part in parts.values() for name in part["by_category"]})
    counts = [
        [
            split,
            part["transactions"],
            *(part["turns"].get(n, 0) for n in turns),
            part["images"],
        ]
        for split, part in parts.items()
    ]
    by_category = [
        [split, *(part["by_category"].get(category, 0) for category in categories)] for split, part in parts.items()
    ]
    found = _table(["split", "transactions", *(f"{n} turns" for n in turns), "images"], counts)
    if len(categories) > 1:
        found += _table(["transactions of", *categories], by_category)
    return found


def _published(manifest: Json) -> list[str]:
    rows = [
        [claim["name"], claim["split"], n, there, claim["ours"][n], f"{claim['difference'][n]:+,}", claim["source"]]
        for claim in manifest["published"]
        for n, there in sorted(claim["turns"].items(), key=lambda item: int(item[0]))
    ]
    return _table(["dataset", "published split", "turns", "published", "here", "difference", "stated in"], rows)


def _choices(manifest: Json, *keys: str) -> list[str]:
    rows = []
    for key in keys:
        options: Json = manifest[key]
        rows += [[key, option, f"`{value}`"] for option, value in options.items() if value is not None]
    return _table(["part", "choice", "value"], rows)


def _left_out(manifest: Json) -> list[str]:
    left_out: Mapping[str, Mapping[str, int]] = manifest.get("left_out", {})
    rows = [[rule, split, count] for rule, counts in left_out.items() for split, count in counts.items()]
    return _table(["rule", "of", "transactions"], rows)


def _leakage(manifest: Json) -> list[str]:
    columns = ("transactions", *KINDS)
    rows = [[split, *(row[column] for column in columns)] for split, row in manifest["audit"].items()]
    return [*_table(["split", columns[0], *(f"shared {kind.replace('_', ' ')}" for kind in KINDS)], rows), LEAK_NOTE]


def _proxies(manifest: Json) -> list[str]:
    rows = [
        [kind, f"{proxy['coverage']:.1%}", _code(proxy["sha256"])]
        for kind, proxy in sorted(manifest["proxies"].items())
    ]
    return [PROXY_NOTE, *_table(["proxy", "images covered", "sha256"], rows)] if rows else []


def _truth(manifest: Json) -> list[str]:
    if "truth" not in manifest:
        return []
    facts: Json = manifest["truth"]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in facts["kinds"].items())
    return [
        f"The folder `truth` has the attributes of all {facts['images']:,} images, and of {facts['dialogues']:,} "
        f"transactions ({kinds}) what each turn asks for and every image that fulfils it: for studies, not for models."
    ]


def _faults(manifest: Json) -> list[str]:
    rows = [
        [kind, fault["count"], ", ".join(map(_code, fault["examples"]))]
        for kind, fault in sorted(manifest["faults"].items())
    ]
    return _table(["fault", "count", "for example"], rows)


def _sources(manifest: Json) -> list[str]:
    rows = [
        [
            f"[{source['path']}]({source['url']})" if source.get("url") else source["path"],
            source.get("licence", ""),
            source.get("size", ""),
            _code(source["sha256"]),
        ]
        for source in manifest["sources"]
    ]
    return _table(["file", "licence", "bytes", "sha256"], rows)


def _parts(manifest: Json) -> dict[str, Json]:
    found: Json = manifest["statistics"]["splits"]
    return {split: found[split] for split in SPLITS}  # in the order of their use, not of the file


def _code(text: str) -> str:
    return f"`{text}`"


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table, or nothing without rows: numbers with separators, pipes kept from ending a cell."""
    from tabulate import tabulate

    cells = [
        [f"{cell:,}" if isinstance(cell, int) else str(cell).replace("|", "\\|").replace("\n", " ") for cell in row]
        for row in rows
    ]
    return [str(tabulate(cells, headers, tablefmt="pipe", disable_numparse=True))] if cells else []
