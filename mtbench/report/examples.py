"""Transactions to look at: chosen by a rule and not by hand, with what each result put first.

Every transaction has a kind: all results hit (the expected R@5 is one half or more), none does, or they differ. The
kinds take turns, those that differ first; within a kind the order is that of SHA-256 of the seed and the id, which
nobody chose. The same results show the same examples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mtbench.core.errors import MtbenchError
from mtbench.core.types import Transaction
from mtbench.evaluation.comparison.comparable import Result, printable
from mtbench.evaluation.results import read_values
from mtbench.report.blocks import Block, Example, Found, Items, Section, Text
from mtbench.report.gather import Gathered, cut
from mtbench.report.thumbnails import Thumbnails

HEAD = 5
SEED = 0
KINDS = ("the results differ", "all results hit", "no result hits")
FEEDBACK = 240


def examples(found: Gathered, count: int) -> Section:
    """Some transactions as strips, and the first five images of each result."""
    title = "Examples"
    if found.benchmark is None:
        why = "No examples: the results lie in no benchmark folder. Add --benchmark DIR to see dialogues and images."
        return Section("examples", title, [Text(why)])
    by_id = {t.transaction_id: t for t in found.benchmark.transactions(found.first["split"])}
    chosen = choose(found.results, count)
    if lacking := [name for name, _ in chosen if name not in by_id]:
        raise MtbenchError(f"{found.benchmark.path} has no transaction {printable(lacking[0])}, which the results rank")
    ids = [name for name, _ in chosen]
    heads = [_heads(result.folder, ids) for result in found.results]
    ranks = [_ranks(result) for result in found.results]
    place = {str(name): at for at, name in enumerate(found.results[0].values.ids)}
    thumbs = Thumbnails(found.benchmark)
    joiner = found.benchmark.protocol.joiner
    blocks: list[Block] = [Text(_rule(len(ids)), "note")]
    for name, kind in chosen:
        at, target = place[name], by_id[name].target
        shown = []
        for number, (label, head, rank, result) in enumerate(
            zip(found.names, heads, ranks, found.results, strict=True)
        ):
            hit = float(result.values.measures["R@5"][at]) >= 0.5
            images = [(thumbs(image), image == target) for image in head.get(name, [])[:HEAD]]
            shown.append(Found(label, number if number < found.drawn else None, rank[at], hit, images))
        blocks.append(_example(by_id[name], kind, joiner, thumbs, shown))
    if not any(image.path for image in found.benchmark.images.values()) or found.benchmark.image_folder is None:
        blocks.insert(1, Text("This benchmark has no image files here: captions or attribute words stand in.", "note"))
    notes = []
    if thumbs.left_out:
        notes.append(f"{thumbs.left_out:,} pictures are left out to keep the page small; their words stand in.")
    if thumbs.broken:
        some = ", ".join(thumbs.broken[:5])
        notes.append(f"{len(thumbs.broken):,} image files cannot be shown (missing, broken or too large): {some}.")
    return Section("examples", title, [*blocks, *([Items(notes)] if notes else [])])


def choose(results: Sequence[Result], count: int) -> list[tuple[str, str]]:
    """Ids of transactions, each with its kind, by the rule of this module."""
    ids = [str(name) for name in results[0].values.ids]
    hits = np.stack([result.values.measures["R@5"] >= 0.5 for result in results])
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for name, some, every in zip(ids, np.any(hits, axis=0).tolist(), np.all(hits, axis=0).tolist(), strict=True):
        kinds[KINDS[1] if every else KINDS[0] if some else KINDS[2]].append(name)
    for names in kinds.values():
        names.sort(key=lambda name: hashlib.sha256(f"{SEED}\t{name}".encode()).hexdigest(), reverse=True)
    chosen: list[tuple[str, str]] = []
    while len(chosen) < count and any(kinds.values()):
        chosen += [(names.pop(), kind) for kind, names in kinds.items() if names]
    return chosen[:count]


def _example(t: Transaction, kind: str, joiner: str, thumbs: Thumbnails, shown: Sequence[Found]) -> Example:
    turns = []
    for turn in t.turns:
        turns.append((thumbs(turn.reference), cut(" ".join(joiner.join(turn.feedback).split()), FEEDBACK)))
    name, category = (cut(printable(text), FEEDBACK) for text in (t.transaction_id, t.category))
    return Example(name, category, kind, turns, thumbs(t.target), shown)


def _rule(count: int) -> str:
    return (
        f"{count} transactions, chosen by a rule: those on which the results differ, that all hit and that none hits "
        f"(expected R@5 of one half or more) take turns; within each the order is a hash of the seed ({SEED}) and the "
        "id. The target is framed. rank: expected over ties."
    )


def _ranks(result: Result) -> list[str]:
    """The expected rank of the target of each transaction, as text."""
    if "rank" not in result.record["measures"]:
        return ["not told"] * len(result.values.ids)
    ranks = read_values(result.folder, ["rank"]).measures["rank"].tolist()
    return ["not ranked" if np.isinf(rank) else f"{rank:,.1f}".removesuffix(".0") for rank in ranks]


def _heads(folder: Path, ids: Sequence[str]) -> dict[str, list[str]]:
    """The first images of some transactions, from the run that was written."""
    path = folder / "run.parquet"
    columns = ["transaction_id", "image_id", "rank"]
    try:
        table = pq.read_table(path, columns=columns, filters=[("transaction_id", "in", list(ids))] if ids else None)
        rows = sorted((int(row["rank"]), str(row["image_id"]), str(row["transaction_id"])) for row in table.to_pylist())
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        what = "is not as mtbench evaluate writes it" if path.exists() else "is not there"
        raise MtbenchError(f"{path} {what}; remove the folder and evaluate again") from error
    found: dict[str, list[str]] = {}
    for _, image, name in rows:
        if len(found.setdefault(name, [])) < HEAD:
            found[name].append(image)
    return found
