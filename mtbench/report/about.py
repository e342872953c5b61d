"""The first part of the page: the task, what stood for the images, and what to keep in mind."""

from __future__ import annotations

from collections.abc import Iterator

from mtbench.evaluation.comparison.comparable import printable
from mtbench.evaluation.leak_picture import SHOWN
from mtbench.report.blocks import Block, Facts, Items
from mtbench.report.gather import Gathered, by_turns


def about(found: Gathered) -> list[Block]:
    """The task, and the box of what to keep in mind."""
    first = found.first
    turns = ", ".join(f"{part['n']:,} of {n} turns" for n, part in by_turns(first))
    galleries = ", ".join(f"{printable(g['category'])} {g['images']:,}" for g in first["galleries"])
    images = sum(g["images"] for g in first["galleries"])
    many = len(first["galleries"]) > 1
    seeds = sorted({str(record["seed"]) for record in found.records}, key=lambda s: (len(s), s))
    facts = [
        ("Revision", printable(first["revision"])[:12]),
        ("Split", printable(first["split"])),
        ("Transactions", f"{first['n']:,} ({turns})"),
        ("Gallery", f"{printable(first['protocol']['gallery'])}, {images:,} images{f' ({galleries})' * many}"),
        ("Protocol", "; ".join(f"{_words(k)} {_words(v)}" for k, v in first["protocol"].items() if k != "gallery")),
        ("What stood for the images", _stood(found)),
        (f"Seed{'s' * (len(seeds) > 1)}", ", ".join(seeds)),
    ]
    warned = [*_warnings(found)]
    return [Facts(facts), *([Items(warned, "Keep in mind", "warning")] if warned else [])]


def _warnings(found: Gathered) -> Iterator[str]:
    first, records = found.first, found.records
    proxies = set(_proxies(found).values()) - {"none"}
    if len(proxies) > 1:
        yield (
            f"Different things stood for the images ({', '.join(sorted(proxies))}): a difference between such results "
            "is one between model and proxy together."
        )
    leaks = first.get("leakage")
    if leaks:
        total = {kind: sum(row[kind] for row in leaks["by_turns"].values()) for kind in ("transactions", *SHOWN)}
        if total["edge"]:
            yield (
                f"This split leaks: of {total['transactions']:,} transactions {total['edge']:,} share a pair with "
                f"train or dev, {total['last_edge']:,} their last one. Claims belong to the clean part."
            )
        elif total["final_target"]:
            yield (
                f"No pair of this split is in train or dev, but the final targets of {total['final_target']:,} of "
                f"{total['transactions']:,} transactions are shown there."
            )
    elif "clean" in first and "leaked" in first:
        kind = printable(first.get("clean_kind", "leak"))
        yield (
            f"This split leaks: {first['leaked']['n']:,} of {first['n']:,} transactions were seen before by {kind}. "
            "Claims belong to the clean part."
        )
    elif leaks is None and first["split"] != "train":
        yield "The results say nothing of leaks: run `mtbench audit` on the benchmark."
    for name, record in zip(found.names, records, strict=True):
        if record["status"] != "complete":
            yield f"{name} is limited: it ranked only the first {record['n']:,} transactions. It is for a quick look."
    if first["split"] != "test":
        yield f"The {printable(first['split'])} part is one that models learn from or choose their options on."
    for name, record in zip(found.names, records, strict=True):
        if record["ties_optimistic"]["mean"] - record["ties_pessimistic"]["mean"] > 0.5:
            yield f"{name} gives most candidates one score: it had next to nothing to rank by."
    versions = {(record["mtbench"], str(record.get("library_sha256"))) for record in records}
    if len(versions) > 1:
        yield "The results were made by different versions of mtbench; see How it was made."
    yield from map(printable, found.notes)


def _proxies(found: Gathered) -> dict[str, str]:
    return {name: printable(record["proxy"]) for name, record in zip(found.names, found.records, strict=True)}


def _words(name: str) -> str:
    return repr(name) if name != name.strip() else printable(name).replace("_", " ")


def _stood(found: Gathered) -> str:
    proxies = _proxies(found)
    if len(set(proxies.values())) == 1:
        return f"{next(iter(proxies.values()))}, for every result"
    of = {proxy: [name for name, own in proxies.items() if own == proxy] for proxy in proxies.values()}
    return "; ".join(f"{proxy}: {', '.join(names)}" for proxy, names in of.items())
