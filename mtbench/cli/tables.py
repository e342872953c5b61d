"""Tables and sentences for people to read in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def table(rows: Iterable[Sequence[Any]], headers: Sequence[str]) -> str:
    """Rows under headers, numbers to the right, thousands apart."""
    from tabulate import tabulate

    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    alignment = ["left" if column == 0 else "right" for column in range(len(headers))]
    return tabulate(cells, headers, colalign=alignment, disable_numparse=True)


def build_report(manifest: Mapping[str, Any], out: Path) -> str:
    """What a build made: counts, published counts beside ours, faults, notes."""
    lines = [counts(manifest), ""]
    lines += [_published(row) for row in manifest["published"]]
    leaked = manifest["audit"]["test"]
    if leaked["transactions"]:
        lines.append(
            f"leakage: {leaked['edge']:,} of {leaked['transactions']:,} test transactions share a pair with train or "
            f"dev, {leaked['last_edge']:,} their last one (mtbench audit)"
        )
    for kind, fault in manifest["faults"].items():
        lines.append(f"{kind}: {fault['count']:,} ({', '.join(fault['examples'])}{', ...' * (fault['count'] > 3)})")
    lines += [f"note: {note}" for note in manifest["notes"]]
    for proxy, facts in manifest["proxies"].items():
        lines.append(f"{proxy}: for {facts['coverage']:.1%} of the images")
    if not manifest["proxies"]:
        lines.append("No caption, attribute or file stands for the images yet: add --image-captions or --images.")
    lines += ["", f"{manifest['name']}, revision {manifest['revision'][:12]}, is in {out}"]
    return "\n".join(lines)


def counts(manifest: Mapping[str, Any]) -> str:
    """Transactions per split and number of turns, and the size of the galleries."""
    splits = manifest["statistics"]["splits"]
    turns = sorted({n for split in splits.values() for n in split["turns"]}, key=int)
    rows = [
        [name, split["transactions"], *(split["turns"].get(n, 0) for n in turns), split["images"]]
        for name, split in splits.items()
    ]
    return table(rows, ["split", "transactions", *(f"{n} turns" for n in turns), "images"])


def _published(row: Mapping[str, Any]) -> str:
    def joined(values: Mapping[str, int], sign: str = "") -> str:
        return " / ".join(f"{value:{sign},}" for value in values.values())

    return (
        f"published, {row['name']}, {row['split']}: {joined(row['turns'])} at "
        f"{'/'.join(row['turns'])} turns; here {joined(row['ours'])} (difference {joined(row['difference'], '+')})"
    )
