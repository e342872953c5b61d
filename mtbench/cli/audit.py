"""``mtbench audit``: what was seen before: in training, in pre-training, elsewhere, or under another name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mtbench.cli.shared import DIR, JSON, print_json
from mtbench.cli.tables import table
from mtbench.core.errors import MtbenchError

if TYPE_CHECKING:
    from mtbench.core.types import Transaction
    from mtbench.data.benchmark import Benchmark

Found = Mapping[str, Any]

INDENT = "··"
"""Stands for blanks until a table is made: tabulate strips those."""


@click.command()
@DIR
@click.option("--against", type=click.Path(path_type=Path), help="Audit against every part of another benchmark.")
@click.option(
    "--pretraining",
    multiple=True,
    metavar="SPEC",
    help="Also audit against what a model was pre-trained on: the train part of a benchmark (its folder), or the "
    "published training pairs of raw files (BUILDER=RAW, such as fashioniq=raw/fashioniq); repeatable.",
)
@click.option("--near-duplicates", is_flag=True, help="Also look for images that look the same under two names.")
@click.option("--distance", type=int, help="Bits of 298 that such images may differ by. [default: 5]")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw leaks by number of turns (.png or .svg), beside R@5 of the results in DIR/results.",
)
@JSON
def audit(
    directory: Path,
    against: Path | None,
    pretraining: Sequence[str],
    near_duplicates: bool,
    distance: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Count transactions that were seen before: test against train and dev, dev against train."""
    from mtbench.chains.leakage import AGAINST, audit_against
    from mtbench.chains.leakage import audit as count_leaks
    from mtbench.core.types import SPLITS
    from mtbench.data.benchmark import load
    from mtbench.data.pretraining import warn_if_strange
    from mtbench.evaluation.pictures import check_picture

    if distance is not None and not near_duplicates:
        raise MtbenchError("--distance has no effect alone: add --near-duplicates")
    if picture:
        check_picture(picture)
    benchmark = load(directory)
    parts = {split: benchmark.transactions(split) for split in SPLITS}
    record: dict[str, Any] = {"name": benchmark.name, "revision": benchmark.revision}
    if against:
        other = load(against)
        seen = [t for split in SPLITS for t in other.transactions(split)]
        warn_if_strange(benchmark, seen, other.name)
        record["splits"] = audit_against(parts, seen)
        known = dict.fromkeys(SPLITS, other.name)
    else:
        record["splits"] = count_leaks(parts)
        known = {split: " and ".join(names) for split, names in AGAINST.items()}
    sets = {spec: transactions_of(spec) for spec in pretraining}
    for spec, seen in sets.items():
        warn_if_strange(benchmark, seen, spec)
        held_out = {split: parts[split] for split in AGAINST}
        record.setdefault("pretraining", {})[spec] = {
            "transactions": len(seen),
            "splits": audit_against(held_out, seen),
        }
    if near_duplicates:
        record["near_duplicates"] = _near_duplicates(benchmark, parts, distance)
    drawn = _draw(benchmark, record["splits"]["test"], known["test"], picture) if picture else None
    if as_json:
        print_json(record)
    else:
        click.echo("\n".join([*_lines(record, known), *([drawn] if drawn else [])]))


def transactions_of(spec: str) -> list[Transaction]:
    """The transactions of a pre-training set as it is typed: a benchmark folder, or BUILDER=RAW."""
    from mtbench.cli.build import builder_named
    from mtbench.data.pretraining import train_pairs, train_part

    name, equals, raw = spec.partition("=")
    if Path(spec).is_dir() or not (equals and name and raw):
        try:
            return train_part(Path(spec))
        except MtbenchError as error:
            if (Path(spec) / "benchmark.json").exists():
                raise
            raise MtbenchError(
                f"--pretraining {spec} is neither the folder of a benchmark nor BUILDER=RAW, such as "
                "fashioniq=raw/fashioniq"
            ) from error
    return train_pairs(name, builder_named(name), Path(raw))


def _near_duplicates(benchmark: Benchmark, parts: Mapping[str, list[Transaction]], distance: int | None) -> Found:
    from mtbench.data.near_duplicates import DISTANCE, near_duplicates
    from mtbench.features.perceptual import BITS, perceptual_hashes

    shown = {image for transactions in parts.values() for t in transactions for image in t.images}
    files = [image for name, image in benchmark.images.items() if name in shown and image.path is not None]
    if not files or benchmark.image_folder is None:
        raise MtbenchError(
            f"{benchmark.path} has no image files, and near-duplicates are found in pixels: build it again with "
            "--images DIR"
        )
    bits = DISTANCE if distance is None else distance
    if not 0 <= bits <= BITS:
        raise MtbenchError(f"--distance must be 0 to {BITS} bits, not {bits}")
    hashes = perceptual_hashes(files, benchmark.image_folder, progress=sys.stderr.isatty())
    return {
        "distance": bits,
        "bits": BITS,
        "images": len(files),
        "without_file": len(shown) - len(files),
        "splits": near_duplicates(parts, hashes, distance=bits),
    }


def _draw(benchmark: Benchmark, found: Found, against: str, picture: Path) -> str:
    from mtbench.evaluation.leak_picture import draw_leaks, results_of

    results = results_of(benchmark)
    title = f"{benchmark.name}, revision {benchmark.revision[:12]}"
    draw_leaks(found, results, picture, title=title, against=against)
    if results:
        return f"\nThe picture is {picture}"
    return (
        f"\nThe picture is {picture}: leaks alone, for {benchmark.path / 'results'} has no result of it.\n"
        f"For scores beside them, first run: mtbench evaluate random bm25 lookup --benchmark {benchmark.path}"
    )


def _lines(record: Found, known: Mapping[str, str]) -> Iterator[str]:
    """The whole report for people."""
    yield leak_table(record["splits"])
    yield f"\n{'; '.join(f'{split} against {names}' for split, names in known.items() if split in record['splits'])}."
    yield "Counts of transactions; edges, targets and images are compared within a category."
    for spec, found in record.get("pretraining", {}).items():
        yield f"\npre-training, {spec}: {found['transactions']:,} transactions\n"
        yield leak_table(found["splits"])
    if "near_duplicates" in record:
        yield from _near_lines(record["near_duplicates"])


def leak_table(splits: Mapping[str, Found]) -> str:
    """Counts per split with their shares below, then by turns and by category where there are several."""
    from mtbench.chains.leakage import KINDS

    rows: list[list[Any]] = []
    for split, found in splits.items():
        rows += [[""] * (len(KINDS) + 2)] if rows else []
        total = found["transactions"]
        rows.append([split, total, *(found[kind] for kind in KINDS)])
        if total:
            rows.append([f"{INDENT}share", "", *(f"{found[kind] / total:.1%}" for kind in KINDS)])
        for label, part in (("{} turns", "by_turns"), ("{}", "by_category")):
            if len(found[part]) > 1:
                rows += [
                    [INDENT + label.format(name), row["transactions"], *(row[kind] for kind in KINDS)]
                    for name, row in found[part].items()
                ]
    text = table(rows, ["", "transactions", *(kind.replace("_", " ") for kind in KINDS)])
    return "\n".join(line.rstrip() for line in text.replace(INDENT, " " * len(INDENT)).splitlines())


def _near_lines(found: Found) -> Iterator[str]:
    rows = [
        [split, part["transactions"], part["final_target"], part["image"]] for split, part in found["splits"].items()
    ]
    apart = f"{found['distance']} or fewer of {found['bits']} bits apart"
    yield f"\nnear-duplicates: {found['images']:,} images compared, near if {apart}"
    if found["without_file"]:
        yield f"{found['without_file']:,} images have no file, and are in no pair"
    yield "\n" + table(rows, ["", "transactions", "final target", "any image"]) + "\n"
    for split, part in found["splits"].items():
        for pair in part["examples"]:
            yield f"{split}, {pair['category']}: {pair['image']} is like {pair['known']} ({pair['distance']} bits)"
