"""Commands that look at things: stats, audit, list; and push, which shows them to others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mtbench.cli.tables import table
from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.registry import KINDS
from mtbench.core.types import MAX_TURNS, MIN_TURNS

DIR = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
REPORTED = ("statistics", "published", "audit", "faults", "notes", "proxies")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.command()
@DIR
@JSON
def stats(directory: Path, as_json: bool) -> None:
    """Count transactions, turns and images, with published counts beside."""
    from mtbench.cli.tables import build_report
    from mtbench.data.benchmark import load

    benchmark = load(directory)
    lacking = [part for part in REPORTED if part not in benchmark.manifest]
    if lacking:
        raise MtbenchError(f"{directory / 'benchmark.json'} has no {', '.join(lacking)}. Build it again.")
    if as_json:
        splits = {split: _every_length(part) for split, part in benchmark.manifest["statistics"]["splits"].items()}
        record = {"name": benchmark.name, "revision": benchmark.revision, "splits": splits}
        click.echo(json.dumps({**record, "published": benchmark.manifest["published"]}, indent=2))
    else:
        click.echo(build_report(benchmark.manifest, directory))


@click.command()
@DIR
@click.option("--against", type=click.Path(path_type=Path), help="Audit against every part of another benchmark.")
@JSON
def audit(directory: Path, against: Path | None, as_json: bool) -> None:
    """Count transactions that were seen before: test against train and dev, dev against train."""
    from mtbench.chains.leakage import KINDS as LEAKS
    from mtbench.chains.leakage import audit as count_leaks
    from mtbench.core.types import SPLITS
    from mtbench.data.benchmark import load

    benchmark = load(directory)
    parts = {split: benchmark.transactions(split) for split in SPLITS}
    if against:
        other = load(against)
        seen = [t for split in SPLITS for t in other.transactions(split)]
        found = {split: count_leaks({"test": parts[split], "train": seen, "dev": []})["test"] for split in SPLITS}
    else:
        found = count_leaks(parts)
    if as_json:
        click.echo(json.dumps({"name": benchmark.name, "revision": benchmark.revision, "splits": found}, indent=2))
        return
    rows = []
    for split, kinds in found.items():
        rows.append([split, kinds["transactions"], *(kinds[kind] for kind in LEAKS)])
        for turns, row in kinds["by_turns"].items():
            rows.append([f"{split}, {turns} turns", row["transactions"], *(row[kind] for kind in LEAKS)])
        for category, row in kinds["by_category"].items():
            rows.append([f"{split}, {category}", row["transactions"], *(row[kind] for kind in LEAKS)])
    click.echo(table(rows, ["split", "transactions", *(kind.replace("_", " ") for kind in LEAKS)]))


@click.command(name="list")
@click.argument("kind", required=False)
def list_plugins(kind: str | None) -> None:
    """List builders, encoders, models, evaluators or simulators."""
    if kind is not None and kind not in KINDS:
        raise unknown("kind of plugin", kind, KINDS)
    for name in [kind] if kind else KINDS:
        rows = [[plugin, _first_line(found)] for plugin, found in KINDS[name].loaded()]
        click.echo(f"{name}: none yet" if not rows else table(rows, [name, ""], left=True))
        if not kind:
            click.echo()


def _every_length(part: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of a split with a number for each length that a transaction may have, 0 included."""
    usual = {str(n): 0 for n in range(MIN_TURNS, MAX_TURNS + 1)}
    turns = {**usual, **part["turns"]}
    return {**part, "turns": {n: turns[n] for n in sorted(turns, key=int)}}


def _first_line(plugin: type) -> str:
    return (getattr(plugin, "summary", None) or plugin.__doc__ or "").strip().split("\n")[0]


@click.command()
@DIR
@click.argument("repository")
@click.option("--private", is_flag=True, help="Make a new repository private.")
def push(directory: Path, repository: str, private: bool) -> None:
    """Upload a benchmark to the Hugging Face hub as OWNER/NAME."""
    from mtbench.data.benchmark import load

    click.echo(load(directory).push_to_hub(repository, private=private))
