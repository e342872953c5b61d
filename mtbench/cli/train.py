"""Commands that learn: train."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from mtbench.cli.shared import BENCHMARK, JSON, SET, options_of, print_json
from mtbench.cli.tables import training_table
from mtbench.core.errors import MtbenchError


class Terminated(KeyboardInterrupt):
    """SIGTERM, which is what a scheduler sends, ends a training as Ctrl-C does."""


@contextmanager
def resumable() -> Iterator[None]:
    """Where a training is stopped, one line says how it goes on; exit code 130 for Ctrl-C, 143 for SIGTERM."""

    def terminate(*_: object) -> NoReturn:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt as stopped:
        click.echo(f"mtbench: stopped. {stopped or 'The same command starts it again'}", err=True)
        raise click.exceptions.Exit(143 if isinstance(stopped, Terminated) else 130) from stopped
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command()
@click.argument("model")
@BENCHMARK
@click.option("--features", help="Features that `mtbench encode` made; A+B joins. [default: the combiner's, or tfidf]")
@click.option("--words", help="caption, attributes or caption+attributes. [default: all there are]")
@click.option("--preset", default="", help="paper: the options of the papers, where the default differs.")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="YAML or JSON file with options of the model."
)
@SET
@click.option("--seed", "seeds", type=int, multiple=True, help="Repeatable. [default: 0]")
@click.option("--pairs", multiple=True, metavar="BUILDER=RAW", help="Learn from the train pairs of raw files too.")
@click.option("--allow-leak", is_flag=True, help="Learn from what leaks into test; every result is marked.")
@click.option("--drop-leaks", is_flag=True, help="Leave out the training transactions that leak into test or dev.")
@click.option("--clean", default="edge", show_default=True, help="The leak that counts: edge, final-target, image, ...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of checkpoints. [default: in the benchmark]")
@JSON
def train(
    model: str,
    benchmark: Path,
    features: str | None,
    words: str | None,
    preset: str,
    config: Path | None,
    options: Sequence[str],
    seeds: Sequence[int],
    pairs: Sequence[str],
    allow_leak: bool,
    drop_leaks: bool,
    clean: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train a model on the train part, chosen on dev; one checkpoint for each seed.

    A training that was killed goes on where it was. Evaluate the checkpoint: mtbench evaluate CHECKPOINT.

    Options (`mtbench list models MODEL`) are of MODEL alone. A memory such as lstm or cm-ntm trains a combiner before,
    with the combiner's own defaults: to set these, mtbench train combiner, and then --set combiner=CHECKPOINT.
    """
    from mtbench.data.benchmark import load
    from mtbench.training.config import read_config
    from mtbench.training.pairs import pairs_of
    from mtbench.training.train import TrainSettings
    from mtbench.training.train import train as run

    if allow_leak and drop_leaks:
        raise MtbenchError("--allow-leak and --drop-leaks exclude each other")
    given: dict[str, object] = {**(read_config(config) if config else {}), **options_of(options)}
    for name, typed in {"seed": seeds, "preset": preset}.items():
        if typed and name in given:
            raise MtbenchError(f"the {name} is given twice: as --{name}, and among the options ({given[name]})")
    loaded = load(benchmark)
    logging.getLogger("mtbench.models.learning").setLevel(logging.INFO)  # epochs, where there is no bar
    wanted = list(dict.fromkeys(seeds)) or [0]
    more = pairs_of(loaded, pairs)
    trained: list[Any] = []
    try:
        for seed in wanted:
            settings = TrainSettings(
                seed=seed,
                options=given,
                preset=preset,
                features=features,
                words=words,
                leaks="allow" if allow_leak else "drop" if drop_leaks else "refuse",
                clean=clean,
                pairs=more,
            )
            with resumable():
                found = run(model, loaded, out or benchmark / "checkpoints", settings, progress=sys.stderr.isatty())
            trained.append(found)
    finally:  # what is done is shown, even if the next seed fails
        if as_json and len(trained) == len(wanted):
            print_json([{"checkpoint": str(one.path), **one.record} for one in trained])
        elif trained and not as_json:
            click.echo(training_table([(one.path, one.record) for one in trained], benchmark))
