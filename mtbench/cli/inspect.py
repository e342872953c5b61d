"""Commands that look at things: stats, list; and push, which shows them to others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mtbench.cli.shared import DIR, JSON, print_json
from mtbench.cli.tables import build_report, table
from mtbench.core.errors import MtbenchError, unknown
from mtbench.core.options import known_options, meanings
from mtbench.core.registry import KINDS
from mtbench.core.types import MAX_TURNS, MIN_TURNS

BOARDS = "boards"
"""Listed like a kind of plugin, and none: they are data."""
REPORTED = ("statistics", "published", "audit", "faults", "notes", "proxies")


@click.command()
@DIR
@JSON
def stats(directory: Path, as_json: bool) -> None:
    """Count transactions, turns and images, with published counts beside."""
    from mtbench.data.benchmark import load

    benchmark = load(directory)
    lacking = [part for part in REPORTED if part not in benchmark.manifest]
    if lacking:
        raise MtbenchError(f"{directory / 'benchmark.json'} has no {', '.join(lacking)}. Build it again.")
    if as_json:
        splits = {split: _every_length(part) for split, part in benchmark.manifest["statistics"]["splits"].items()}
        published = benchmark.manifest["published"]
        print_json({"name": benchmark.name, "revision": benchmark.revision, "splits": splits, "published": published})
    else:
        click.echo(build_report(benchmark.manifest, directory))


@click.command(name="list")
@click.argument("kind", required=False)
@click.argument("name", required=False)
def list_plugins(kind: str | None, name: str | None) -> None:
    """List builders, encoders, models, evaluators, simulators or boards; or the options of the one called NAME.

    For example: mtbench list models lstm
    """
    if kind == BOARDS:
        from mtbench.cli.leaderboard import overview_table
        from mtbench.cli.shared import boards_in
        from mtbench.leaderboard.overview import overview

        click.echo(overview_table(overview(boards_in(Path("leaderboards")))))
        return
    if kind is not None and kind not in KINDS:
        raise unknown("kind of plugin", kind, [*KINDS, BOARDS])
    if kind == "builders" and name is not None:
        raise MtbenchError(f"the options of a builder are told by: mtbench build {name} --help")
    if kind is not None and name is not None:
        click.echo(_options_table(KINDS[kind].get(name), name))
        return
    for which in [kind] if kind else KINDS:
        rows = [*KINDS[which].described()]
        click.echo(f"{which}: none yet" if not rows else table(rows, [which, ""], left=True))
        if not kind:
            click.echo()


def _options_table(plugin: type, name: str) -> str:
    """The options of a plugin with their defaults and what they mean."""
    told = meanings(plugin)
    options = [option.partition("=")[::2] for option in known_options(plugin)]
    rows = [[option, default or "must be given", told[option]] for option, default in options]
    return table(rows, ["option", "default", ""], left=True) if rows else f"{name} has no options"


def _every_length(part: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of a split with a number for each length that a transaction may have, 0 included."""
    usual = {str(n): 0 for n in range(MIN_TURNS, MAX_TURNS + 1)}
    turns = {**usual, **part["turns"]}
    return {**part, "turns": {n: turns[n] for n in sorted(turns, key=int)}}


@click.command()
@DIR
@click.argument("repository")
@click.option("--private", is_flag=True, help="Make a new repository private.")
def push(directory: Path, repository: str, private: bool) -> None:
    """Upload a benchmark or a checkpoint to the Hugging Face hub as OWNER/NAME."""
    from mtbench.data.benchmark import load
    from mtbench.models.checkpoint import is_checkpoint

    if is_checkpoint(directory):
        from mtbench.models.hub import push_checkpoint

        click.echo(push_checkpoint(directory, repository, private=private))
        return
    click.echo(load(directory).push_to_hub(repository, private=private))
