"""``mtbench simulate``: models talk with simulated users."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import click

from mtbench.cli.shared import BENCHMARK, JSON, SET, SPLIT, options_of, print_json
from mtbench.cli.simulation_tables import agreement_table, gains_table, simulation_table
from mtbench.core.errors import MtbenchError


@click.command(
    epilog="""\b
Three to start with:
  mtbench simulate random bm25 --benchmark shoebox
  mtbench simulate bm25 --benchmark shoebox --simulator attributes,n=1 --simulator attributes,n=10
  mtbench simulate rocchio ewma bm25 --benchmark shoebox --simulator relevance --simulator template --picture turns.svg
"""
)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@BENCHMARK
@click.option(
    "--simulator",
    "simulators",
    multiple=True,
    default=["template"],
    show_default=True,
    help="The user; see `mtbench list simulators`, or file.py:Class. Options of its own after commas: attributes,n=1. "
    "Repeatable.",
)
@click.option("--turns", type=int, default=5, show_default=True, help="The longest dialogue.")
@click.option("--dialogues", type=int, default=1000, show_default=True, help="How many, over all categories.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of first images, targets, users and intervals.")
@click.option("--patience", type=float, default=1.0, show_default=True, help="The chance to go on after each turn.")
@click.option(
    "--change-of-mind",
    type=float,
    default=0.0,
    show_default=True,
    help="The chance, at each turn after the first, to want another image instead.",
)
@click.option("--features", help="Features for the model; A+B joins. [default: the checkpoint's, else tfidf]")
@click.option("--words", help="caption, attributes or caption+attributes, for the model. [default: all there are]")
@SPLIT
@SET
@click.option("--out", type=click.Path(path_type=Path), help="Folder. [default: simulations in the benchmark]")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the percentile after each turn: .svg or .png.")
@JSON
def simulate(
    models: Sequence[str],
    benchmark: Path,
    simulators: Sequence[str],
    turns: int,
    dialogues: int,
    seed: int,
    patience: float,
    change_of_mind: float,
    features: str | None,
    words: str | None,
    split: str,
    options: Sequence[str],
    out: Path | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Let models show images to simulated users, and see how many turns they need to find what is wanted.

    All models meet the same users: the same targets, the same first images; the first MODEL is the one that the others
    are tested against. A MODEL is a registered name, your own class
    (path/to/file.py:Class) or a checkpoint that `mtbench train` made.
    """
    from mtbench.data.benchmark import load
    from mtbench.evaluation.pictures import check_picture
    from mtbench.simulation.agreement import named, order
    from mtbench.simulation.dialogue import Manner
    from mtbench.simulation.differences import against_first
    from mtbench.simulation.picture import draw
    from mtbench.simulation.simulate import SimulateSettings, folder_of, talker
    from mtbench.simulation.simulate import simulate as run

    if seed < 0:
        raise MtbenchError(f"--seed must be 0 or more, not {seed}")
    if picture is not None:
        check_picture(picture)
    manner = Manner(turns=turns, patience=patience, change_of_mind=change_of_mind, seed=seed)
    progress = sys.stderr.isatty()
    loaded = load(benchmark)
    folder = out or benchmark / "simulations"
    asked = options_of(options)
    users, every = dict.fromkeys(simulators), dict.fromkeys(models)
    records: list[dict[str, Any]] = []
    try:
        for user in users:
            settings = SimulateSettings(
                simulator=user,
                dialogues=dialogues,
                manner=manner,
                split=split,
                features=features,
                words=words,
                options=asked,
            )
            talk = cache(partial(talker, loaded, settings, progress=progress))  # learns once, for all models
            for name in every:
                records.append(run(name, loaded, folder, settings, talk=talk, progress=progress))
    finally:  # what is done is shown, even if the next model fails
        if records and not as_json:
            click.echo(simulation_table(named(records)))
    seen = named(records)
    gains = against_first([(folder_of(folder, record), one) for record, one in zip(records, seen, strict=True)])
    agreement = order(records) if len(users) > 1 and len(every) > 1 else None
    if picture is not None:
        draw(seen, picture)
    if as_json:
        print_json({"simulations": records, "against_first": gains, "order": agreement})
        return
    if gains:
        click.echo(f"\n{gains_table(gains, turns)}")
    if agreement:
        click.echo(f"\n{agreement_table(agreement)}")
    lost = sum(record["dialogues"] - record["saved"] for record in records)
    less = f" ({lost:,} whose user wanted two things are no transactions)" if lost else ""
    click.echo(f"\nDialogues{less} and records are in {folder}" + (f", the picture is {picture}" if picture else ""))
