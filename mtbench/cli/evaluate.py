"""Commands that rank and score: encode, evaluate, score."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mtbench.cli.shared import BENCHMARK, DIR, JSON, SET, SPLIT, options_of, print_json
from mtbench.cli.tables import result_table, score_table
from mtbench.core.errors import MtbenchError


@click.command()
@DIR
@click.option("--encoder", required=True, help="A registered encoder, or file.py:Class.")
@SET
@click.option("--name", help="Name of the features. [default: the encoder's]")
@click.option("--batch", type=int, default=256, show_default=True, help="Images or texts encoded at once.")
@click.option("--overwrite", is_flag=True, help="Replace features of this name.")
def encode(
    directory: Path, encoder: str, options: Sequence[str], name: str | None, batch: int, overwrite: bool
) -> None:
    """Turn images and feedback into vectors, once."""
    from mtbench.data.benchmark import load
    from mtbench.features import store

    made = store.build_encoder(encoder, options_of(options))
    features = store.encode(
        load(directory),
        made,
        name or encoder.rpartition(":")[2],
        spec=encoder,
        batch=batch,
        progress=sys.stderr.isatty(),
        overwrite=overwrite,
    )
    what = f"{features.manifest['images']:,} images and {features.manifest['texts']:,} texts"
    click.echo(f"{what}, {features.dim} numbers each ({features.proxy}), are in {features.path}")


@click.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@BENCHMARK
@click.option(
    "--evaluator",
    "evaluators",
    multiple=True,
    default=["recall"],
    show_default=True,
    help="See `mtbench list evaluators`; repeatable. all: every one that can be run.",
)
@click.option(
    "--clean",
    default="edge",
    show_default=True,
    help="The leak that parts clean from leaked transactions: edge, last-edge, final-target, image, ...",
)
@click.option(
    "--features", help="Features that `mtbench encode` made; A+B joins. [default: the checkpoint's, else tfidf]"
)
@click.option("--words", help="caption, attributes or caption+attributes. [default: all there are]")
@SPLIT
@SET
@click.option("--seed", type=int, default=0, show_default=True, help="Of models that draw, and of the intervals.")
@click.option("--limit", type=int, help="Rank only the first N transactions.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of results. [default: results in the benchmark]")
@JSON
def evaluate(
    models: Sequence[str],
    benchmark: Path,
    evaluators: Sequence[str],
    clean: str,
    features: str | None,
    words: str | None,
    split: str,
    options: Sequence[str],
    seed: int,
    limit: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Rank the whole gallery with one or more models, and study how they use the history.

    MODEL is a registered name (`mtbench list models`), your own class (path/to/file.py:Class), a checkpoint that
    `mtbench train` made (a folder, or hf:OWNER/NAME on the Hugging Face hub), or a file of rankings that any system
    wrote, which gets the evaluators that final rankings are enough for.
    """
    from mtbench.cli.studies import study_tables
    from mtbench.data.benchmark import load
    from mtbench.evaluation.evaluate import evaluate as run
    from mtbench.evaluation.inputs import Settings

    if limit is not None and limit < 1:
        raise MtbenchError(f"--limit must be 1 or more, not {limit}")
    loaded = load(benchmark)
    settings = Settings(
        split=split,
        features=features,
        words=words,
        seed=seed,
        limit=limit,
        evaluators=evaluators,
        clean=clean,
        options=options_of(options),
    )
    folder = out or benchmark / "results"
    records: list[dict[str, Any]] = []
    try:
        for name in models:
            records.append(run(name, loaded, folder, settings, progress=sys.stderr.isatty()))
    finally:  # what is done is shown, even if the next model fails
        if as_json and len(records) == len(models):
            print_json(records)
        elif records and not as_json:
            click.echo(result_table(records))
            for study in study_tables(records):
                click.echo(f"\n{study}")
            click.echo(f"\nRuns and records are in {folder}")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@BENCHMARK
@SPLIT
@click.option("--category", help="Only transactions of this category.")
@click.option("--measure", "measures", multiple=True, help="R@K, mean, MRR, rank, percentile; repeatable.")
@JSON
def score(run: Path, benchmark: Path, split: str, category: str | None, measures: Sequence[str], as_json: bool) -> None:
    """Score a run that any system wrote: TREC, Parquet or JSON Lines."""
    from mtbench.data.benchmark import load
    from mtbench.evaluation.measures import HEADLINE
    from mtbench.evaluation.scoring import score_run

    found = score_run(run, load(benchmark), split=split, category=category, measures=measures or HEADLINE).to_dict()
    if as_json:
        print_json(found)
    else:
        click.echo(score_table(found))
