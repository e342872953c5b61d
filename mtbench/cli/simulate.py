"""``mtbench simulate``: models talk with simulated users."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mtbench.cli.shared import BENCHMARK, JSON, SET, SPLIT, options_of, print_json
from mtbench.cli.tables import table
from mtbench.core.errors import MtbenchError
from mtbench.core.text import points, points_range

JUDGED = ("n", "BLEU-4", "ROUGE-L", "percentile by words", "percentile by words interval")


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
@click.option(
    "--simulator-set",
    "user_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of every user that is named without options of its own; repeatable.",
)
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
    user_options: Sequence[str],
    out: Path | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Let models show images to simulated users, and see how many turns they need to find what is wanted.

    All models meet the same users: the same targets, the same first images. MODEL is a registered name, your own class
    (path/to/file.py:Class) or a checkpoint that `mtbench train` made.
    """
    from mtbench.data.benchmark import load
    from mtbench.evaluation.pictures import check_picture
    from mtbench.simulation.dialogue import Manner
    from mtbench.simulation.differences import against_first
    from mtbench.simulation.order import named, order
    from mtbench.simulation.picture import draw
    from mtbench.simulation.simulate import SimulateSettings, folder_of
    from mtbench.simulation.simulate import simulate as run

    if seed < 0:
        raise MtbenchError(f"--seed must be 0 or more, not {seed}")
    if picture is not None:
        check_picture(picture)
    manner = Manner(turns, patience, change_of_mind, seed)
    loaded = load(benchmark)
    folder = out or benchmark / "simulations"
    asked = options_of(options)
    users = users_of(simulators, options_of(user_options, "--simulator-set"))
    every = list(dict.fromkeys(models))
    records: list[dict[str, Any]] = []
    try:
        for user, told in users:
            settings = SimulateSettings(user, dialogues, manner, split, features, words, asked, told)
            for name in every:
                records.append(run(name, loaded, folder, settings, progress=sys.stderr.isatty()))
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
        click.echo(f"\n{_gains(gains, turns)}")
    if agreement:
        click.echo(f"\n{_agreement(agreement)}")
    lost = sum(record["dialogues"] - record["saved"] for record in records)
    less = f" ({lost:,} whose user wanted two things are no transactions)" if lost else ""
    click.echo(f"\nDialogues{less} and records are in {folder}" + (f", the picture is {picture}" if picture else ""))


def users_of(typed: Sequence[str], shared: Mapping[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Each user once, with its options: its own, as in ``attributes,n=1``, or else the shared ones.

    Raises:
        MtbenchError: what stands after a comma is no option, or nobody is left to take the shared ones.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for text in typed:
        name, *parts = text.split(",")
        own: dict[str, str] = {}
        for part in parts:
            option, equals, value = part.partition("=")
            if not (name and option and equals):
                raise MtbenchError(
                    f"--simulator {text!r} must be NAME or NAME,OPTION=VALUE such as attributes,n=1; neither a path "
                    "nor a value may hold a comma"
                )
            if option.replace("-", "_") in own:
                raise MtbenchError(f"--simulator {text!r} gives {option} twice; repeat --simulator for another user")
            own[option.replace("-", "_")] = value
        user = name, own or dict(shared)
        if user not in found:
            found.append(user)
    if shared and all("," in text for text in typed):
        raise MtbenchError("--simulator-set is for users without options of their own, and here each has its own")
    return found


def simulation_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Models and users under each other: where the target stands after each turn, and how soon it is found."""
    first = records[0]
    turns = len(first["rows"])
    images = sum(gallery["images"] for gallery in first["galleries"].values())
    within = first["turns_to_success"]["within"]
    headers = ["model", "simulator", "proxy", *(f"turn {turn + 1}" for turn in range(turns)), "95% interval"]
    headers += [f"hits@{within}", "95% interval", "turns", "found"]
    rows = []
    for record in records:
        last, median = record["rows"][-1], record["turns_to_success"]["median"]
        rows.append(
            [
                record["model"].rpartition(":")[2] + " LEAK" * any(t["leak"]["marked"] for t in record["trained"]),
                record["simulator"]["name"],
                record["proxy"],
                *(points(row["percentile"]) for row in record["rows"]),
                points_range(*last["percentile interval"]),
                points(last[f"hits@{within}"]),
                points_range(*last[f"hits@{within} interval"]),
                f"> {turns}" if median is None else f"{median:g}",
                points(record["found"]),
            ]
        )
    manner = "".join(
        f"; {what} {first[name]:g}"
        for name, what, usual in (("patience", "patience", 1), ("change_of_mind", "change of mind", 0))
        if first[name] != usual
    )
    lines = [
        f"{first['benchmark']}, revision {first['revision'][:12]}, {first['split']}: {first['n']:,} dialogues of up to "
        f"{turns} turns, seed {first['seed']}{manner}",
        f"gallery of {images:,} images, those shown left out; in %; intervals: bootstrap over targets",
        "",
        table(rows, headers),
        "",
        "turn 1, ...: rank percentile of the target after each turn, expected over ties; the interval is that of the "
        "last one.",
        f"hits@{within}: within the first {within} after any turn, the running maximum of what is expected over ties. "
        f"turns: median until",
        f"then, > {turns} if it is not so soon. found: share of targets shown; of equal scores the first in the "
        "gallery is shown.",
    ]
    if first["change_of_mind"] > 0:
        lines.append("Whoever changes their mind begins anew: hits and turns are about the last wish.")
    if first["patience"] < 1:
        lines += [
            "Whoever left keeps the last rank in later turns. Still talking at each turn:",
            "",
            table(
                [[*names[:2], *(row["talking"] for row in r["rows"])] for names, r in zip(rows, records, strict=True)],
                headers[:2] + headers[3 : 3 + turns],
            ),
        ]
    learned = {record["simulator"]["name"]: record["learned"] for record in records if record["learned"]}
    if learned and first["patience"] < 1:
        lines.append("")
    lines += [learned_line(name, found) for name, found in learned.items()]
    if any(record["split"] != "test" for record in records):
        lines.append(f"The {first['split']} part is one that models learn from or choose their options on.")
    return "\n".join(lines)


def learned_line(name: str, learned: Mapping[str, Any]) -> str:
    """What a user learned, in a line; what `mtbench.simulation.spoken.judge` measured is told in words."""
    left, told = dict(learned), ""
    if left.keys() >= set(JUDGED):
        n, bleu, rouge, value, (low, high) = (left.pop(key) for key in JUDGED)
        told = (
            f"BLEU-4 {points(bleu)}, ROUGE-L {points(rouge)}, its words alone put the target at percentile "
            f"{points(value)} [{points(low)}, {points(high)}] of {n:,} dev pairs, chance 50"
        )
    return f"{name} learned: {', '.join([*_plain(left), *filter(None, [told])])}"


def _plain(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{name} ({', '.join(_plain(value))})"
        else:
            yield f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}"


def _gains(found: Sequence[Mapping[str, Any]], turns: int) -> str:
    rows = [
        [
            *(str(row["model"]).rpartition(":")[2], row["simulator"]),
            points(row["gain"], sign="+"),
            points_range(*row["interval"]),
            f"{row['p_holm']:.4f}",
        ]
        for row in found
    ]
    of = "" if len(rows) == 1 else f", Holm over {len(rows)}"
    first = str(found[0]["over"]).rpartition(":")[2]
    return (
        f"Percentile after turn {turns} over {first}, in points:\n\n"
        f"{table(rows, ['model', 'simulator', 'gain', '95% interval', 'p'])}\n\n"
        f"p: randomisation over targets, two-sided{of}."
    )


def _agreement(found: Mapping[str, Any]) -> str:
    rows = [[*pair["simulators"], "-" if pair["tau"] is None else f"{pair['tau']:.2f}"] for pair in found["pairs"]]
    text = table(rows, ["one user", "another", "tau"], left=True)
    return f"Do users agree on the order of models? Kendall's tau of their {found['measure']}:\n\n{text}\n\n" + (
        f"tau: {found['note']}"
    )
