"""What benchmark.json says of a build: name, options, sources, counts, and published counts beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtbench.core.files import file_sha256, json_sha256
from mtbench.core.types import SPLITS, Gallery, Transaction
from mtbench.data.parts import clean_name
from mtbench.data.raw import Builder, Published


def default_name(builder_name: str, builder: Builder, policy: str, split: str, unwanted: Sequence[str]) -> str:
    """The builder's name, with whatever is not its default."""
    own_class = builder_name.rpartition(":")[2].lower()  # for path/to/file.py:Class
    parts = [
        own_class,
        *([policy] if policy != builder.chains else []),
        *([split] if split != builder.split else []),
        *([clean_name(unwanted)] if unwanted else []),
    ]
    return "-".join(parts)


def options_given(builder: Builder, given: Mapping[str, Any]) -> dict[str, Any]:
    """The builder's own options as JSON, defaults included; of a path only its name, the same on every machine."""
    values = {}
    for option in builder.options:
        name = option.name.replace("-", "_")
        value = given.get(name, option.default)
        several = list(value or ()) if option.multiple and not isinstance(value, str) else [value]
        plain = [Path(v).resolve().name if option.type is Path and v is not None else v for v in several]
        values[name] = plain if option.multiple else plain[0]
    return values


def sources_read(
    builder: Builder, raw_path: Path, captions_path: Path | None, captions: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What was read, with its hash and whether that is the declared one."""
    found = []
    for source in builder.sources:
        path = raw_path / source.path
        if path.is_file():
            sha256 = file_sha256(path)
            found.append(
                {
                    "path": source.path,
                    "sha256": sha256,
                    "size": path.stat().st_size,
                    "url": source.url,
                    "licence": source.licence,
                    "as_published": sha256 == source.sha256,
                }
            )
    if not builder.sources:
        found += [
            {"path": path.name, "sha256": file_sha256(path), "size": path.stat().st_size}
            for path in ([raw_path] if raw_path.is_file() else _top_level(raw_path))
        ]
    if captions_path:
        found.append({"path": captions_path.name, "sha256": json_sha256(captions), "role": "captions"})
    return found


def statistics(parts: Mapping[str, Sequence[Transaction]], galleries: Sequence[Gallery]) -> dict[str, Any]:
    """Counts per split: transactions, candidate images, transactions by turns and by category."""
    return {
        "splits": {
            split: {
                "transactions": len(parts[split]),
                "images": sum(len(gallery) for gallery in galleries if gallery.split == split),
                "turns": _tally(str(len(t.turns)) for t in parts[split]),
                "by_category": _tally(t.category for t in parts[split]),
                "flags": _tally(flag for t in parts[split] for flag in t.flags),
            }
            for split in SPLITS
        }
    }


def beside_published(
    published: Published,
    transactions: Sequence[tuple[Transaction, str]],
    official: Mapping[str, str],
) -> dict[str, Any]:
    """Published counts beside ours for the same published split, whichever part its transactions are in now.

    ``transactions`` are those of the benchmark, each with the published split that it comes from.
    """
    ours = _tally(
        str(len(transaction.turns))
        for transaction, raw_split in transactions
        if published.split in ("all", official[raw_split])
    )
    counts = {str(turns): count for turns, count in published.turns.items()}
    return {
        "name": published.dataset,
        "split": published.split,
        "source": published.source,
        "turns": counts,
        "ours": {turns: ours.get(turns, 0) for turns in counts},
        "difference": {turns: ours.get(turns, 0) - count for turns, count in counts.items()},
    }


def _top_level(folder: Path) -> list[Path]:
    """The files directly in a raw folder of no declared layout, but hidden ones; pictures lie in folders below."""
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
