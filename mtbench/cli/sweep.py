"""The command that trains grids: sweep."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mtbench.cli.shared import BENCHMARK, JSON, SET, options_of, print_json
from mtbench.cli.tables import table
from mtbench.core.errors import MtbenchError
from mtbench.core.text import points, points_range


@click.command()
@click.argument("model")
@BENCHMARK
@click.option("--over", multiple=True, required=True, metavar="NAME=V1,V2,...", help="Values of an option; repeatable.")
@click.option("--seed", "seeds", type=int, multiple=True, help="Repeatable. [default: 0]")
@click.option("--split", type=click.Choice(["dev", "test"]), default="dev", show_default=True, help="What is scored.")
@SET
@click.option("--preset", default="", help="paper: the options of the papers, where the default differs.")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="YAML or JSON file with options of the model."
)
@click.option("--features", help="Features that `mtbench encode` made; A+B joins. [default: the combiner's, or tfidf]")
@click.option("--words", help="caption, attributes or caption+attributes. [default: all there are]")
@click.option("--pairs", multiple=True, metavar="BUILDER=RAW", help="Learn from the train pairs of raw files too.")
@click.option("--allow-leak", is_flag=True, help="Learn from what leaks into test; every result is marked.")
@click.option("--drop-leaks", is_flag=True, help="Leave out the training transactions that leak into test or dev.")
@click.option("--clean", default="edge", show_default=True, help="The leak that counts: edge, final-target, image, ...")
@click.option("--jobs", type=int, default=1, show_default=True, help="Trainings at once; each uses one processor.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the sweep. [default: in the benchmark]")
@click.option("--yes", is_flag=True, help="A grid of more than 500 trainings is meant.")
@JSON
def sweep(
    model: str,
    benchmark: Path,
    over: Sequence[str],
    seeds: Sequence[int],
    split: str,
    options: Sequence[str],
    preset: str,
    config: Path | None,
    features: str | None,
    words: str | None,
    pairs: Sequence[str],
    allow_leak: bool,
    drop_leaks: bool,
    clean: str,
    jobs: int,
    out: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Train and evaluate every combination of some options with every seed: a table and a picture.

    \b
    mtbench sweep cm-ntm --benchmark DIR --over stages=1,2,4,8 --over rows=1,4,16 --seed 0 --seed 1 --seed 2 --jobs 2

    One combiner for each seed serves all combinations. Other combiners: --set combiner=DIR for all seeds, or with
    {seed} in the name of the folder. A sweep that was killed goes on. Look at grids on dev; score on test what is
    chosen.
    """
    from mtbench.data.benchmark import load
    from mtbench.training.config import read_config
    from mtbench.training.sweep import sweep as run
    from mtbench.training.sweep_trainings import SweepSettings

    if allow_leak and drop_leaks:
        raise MtbenchError("--allow-leak and --drop-leaks exclude each other")
    settings = SweepSettings(
        seeds=seeds or [0],
        options={**(read_config(config) if config else {}), **options_of(options)},
        preset=preset,
        features=features,
        words=words,
        leaks="allow" if allow_leak else "drop" if drop_leaks else "refuse",
        clean=clean,
        pairs=pairs,
        split=split,
        jobs=jobs,
        large=yes,
    )
    swept = run(model, load(benchmark), over, out, settings, progress=sys.stderr.isatty())
    if as_json:
        print_json(swept.record)
    elif swept.record["rows"]:
        notes = [f"note: {note}" for note in swept.notes]
        click.echo("\n".join([sweep_table(swept.record), *notes, "", _done(swept, len(swept.record["failures"]))]))
    if swept.record["failures"]:
        raise MtbenchError(_failed(swept.record["failures"]))


def sweep_table(record: Mapping[str, Any]) -> str:
    """Combinations under each other, and what to keep in mind."""
    rows, several = record["rows"], len(record["seeds"]) > 1
    whole = all(len(row["seeds"]) == len(record["seeds"]) for row in rows)
    cells = [
        [
            *(str(value) for value in row["options"].values()),
            "-" if row["parameters"] is None else row["parameters"],
            *(points(row[name]) for name in ("R@5", "R@8", "mean")),
            points_range(*row["interval"]) if row["interval"] else "-",
            *([] if whole else [len(row["seeds"])]),
            *([points(row["seed_sd"])] if several else []),
            *("-" if row[name] is None else f"{row[name]:.2f}" for name in ("ms_interactive", "ms_batch")),
        ]
        for row in rows
    ]
    headers = [
        *(*record["over"], "parameters", "R@5", "R@8", "mean", "95% interval"),
        *([] if whole else ["seeds"]),
        *(["sd of seeds"] if several else []),
        *("ms", "ms, batch"),
    ]
    about = [f"{name} {value}" for name, value in {"preset": record["preset"], **record["options"]}.items() if value]
    if "n" not in record:
        return f"{record['model']} on {record['benchmark']}: no training was finished"
    averaged = f"; {record['averaged']}" if record["averaged"] else ""
    seeds = ", ".join(map(str, record["seeds"]))
    lines = [
        f"{record['benchmark']}, revision {record['revision'][:12]}, {record['split']}: {record['n']:,} transactions, "
        f"{record['clusters']:,} clusters{averaged}",
        f"{', '.join([record['model'], *about])}; features {record['features']} ({record['proxy']}); "
        f"seed{'s' * several} {seeds}; in %",
        "",
        table(cells, headers),
        "",
        f"Intervals: bootstrap over clusters{' and seeds' * several}. parameters: without those of the combiner.",
        "ms: a transaction asked turn by turn, the gallery ranked after each; batch: its share of all asked at once.",
        "Both are of this machine as it was: compare within this table only.",
    ]
    return "\n".join([*lines, *_cautions(record)])


def _cautions(record: Mapping[str, Any]) -> list[str]:
    """What the best row is worth."""
    rows = [row for row in record["rows"] if row["mean"] is not None]
    best = max(rows, key=lambda row: row["mean"])
    name = ", ".join(f"{option}={value}" for option, value in best["options"].items())
    lines = []
    if len(rows) > 1 and record["split"] == "dev":
        lines.append(
            f"Best of {len(rows)} on dev: {name}. Epochs were chosen on dev too, so {points(best['mean'])} flatters it;"
            " score this one alone on test."
        )
    elif len(rows) > 1:
        lines.append(
            f"Best of {len(rows)} on test: {name}. To choose by this table is to choose on test: choose on dev."
        )
    combiner = str(record["options"].get("combiner", ""))
    if len(record["seeds"]) > 1 and combiner and "{seed}" not in combiner:
        lines.append("One combiner served all seeds: what other combiners would change is not in the intervals.")
    if leak := record["leak"]:
        lines.append(
            f"LEAK: {leak['known']:,} of {leak['of']:,} test transactions were known in training by "
            f"{leak['kind'].replace('_', ' ')}: no fair score (--allow-leak)."
        )
    return lines


def _done(swept: Any, failed: int) -> str:
    counts = [f"{swept.trained:,} trained", f"{swept.known:,} found", *([f"{failed:,} failed"] if failed else [])]
    return (
        f"{', '.join(counts)}; table, picture, checkpoints and results are in {swept.path}\n"
        f"Which differ: mtbench compare {swept.path / 'results'} --split {swept.record['split']}"
    )


def _failed(failures: Sequence[Mapping[str, Any]]) -> str:
    """Each reason once, with the trainings that it stopped; the same command goes on."""
    by_why: dict[str, list[str]] = {}
    for one in failures:
        name = ", ".join([*(f"{option}={value}" for option, value in one["options"].items()), f"seed {one['seed']}"])
        by_why.setdefault(one["why"], []).append(name)
    rows = [
        f"  {names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''}: {why}"
        for why, names in by_why.items()
    ]
    return "\n".join(
        [f"{len(failures):,} training{'s' * (len(failures) > 1)} failed; the same command tries again", *rows]
    )
