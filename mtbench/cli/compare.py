"""The command that compares results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mtbench.cli.shared import JSON, print_json
from mtbench.cli.tables import table
from mtbench.core.text import points, points_range

SENTENCES = 6
"""So many pairs that cannot be told apart get a sentence each; the table says the rest."""


@click.command()
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--measure", default="mean", show_default=True, help="mean, R@5, R@8 or MRR.")
@click.option("--part", default="all", show_default=True, help="all, a category, or 2-turns, 3-turns and so on.")
@click.option("--baseline", metavar="NAME", help="Compare each other system with this one. [default: all pairs]")
@click.option("--split", help="Leave out results on other splits.")
@JSON
def compare(
    results: Sequence[Path], measure: str, part: str, baseline: str | None, split: str | None, as_json: bool
) -> None:
    """Tell which systems differ, and how sure that is.

    RESULT is the folder of a result, or one that holds several, such as BENCHMARK/results. Results that differ in the
    seed alone are one system.
    """
    from mtbench.evaluation.comparison.comparable import read_results
    from mtbench.evaluation.comparison.compare import compare as run
    from mtbench.evaluation.comparison.systems import group

    found, left_out = read_results(results, measure=measure, split=split)
    systems, copies = group(found)
    compared = run(systems, measure=measure, part=part, baseline=baseline)
    compared["notes"] = [*left_out, *copies, *compared["notes"]]
    if as_json:
        print_json(compared)
    else:
        click.echo(report(compared))


def report(found: Mapping[str, Any]) -> str:
    """What `mtbench.evaluation.comparison.compare.compare` found: tables, then sentences, then what to keep in mind."""
    systems, pairs, measure = found["systems"], found["comparisons"], found["measure"]
    several = any(len(system["by_seed"]) > 1 for system in systems)
    part = "" if found["part"] == "all" else f", {found['part']} only"
    averaged = f"; {found['averaged']}" if found["averaged"] else ""
    scores = [
        [
            system["name"],
            system["proxy"],
            points(system["estimate"]),
            points_range(*system["interval"]),
            *([len(system["by_seed"]), points(system["sd_between_seeds"])] if several else []),
        ]
        for system in systems
    ]
    hits = [measure] if any(measure in pair["mcnemar"] for pair in pairs) else []
    rows = [
        [
            f"{pair['first']} - {pair['second']}",
            points(pair["difference"], sign="+"),
            points_range(*pair["interval"]),
            f"{pair['p']:.4f}",
            *([f"{pair['p_holm']:.4f}"] if len(pairs) > 1 else []),
            points(pair["minimum_detectable_difference"]),
            *(f"{pair['mcnemar'][k]['p']:.4f}" if k in pair["mcnemar"] else "-" for k in hits),
        ]
        for pair in pairs
    ]
    over = f"all {found['sign_patterns']:,}" if found["exact"] else f"{found['sign_patterns']:,} random"
    size = f"{found['n']:,} transactions, {found['clusters']:,} clusters"
    lines = [
        f"{found['benchmark']}, revision {found['revision'][:12]}, {found['split']}{part}: {size}{averaged}; "
        f"{measure} in %",
        "",
        table(scores, ["system", "proxy", measure, "95% interval", *(["seeds", "sd of seeds"] if several else [])]),
        "",
        table(
            rows,
            [
                *("difference", "points", "95% interval", "p"),
                *(["p, Holm"] if len(pairs) > 1 else []),
                "detectable",
                *(f"McNemar {k}" for k in hits),
            ],
        ),
        "",
        *_claims(pairs, found["n"]),
        "",
        "Clusters: transactions of one final target, or of one designed block. Intervals: bootstrap over clusters"
        f"{' and seeds' if several else ''}. p: {over} sign patterns over clusters, two-sided.",
        f"detectable: the difference that would be found in 80% of such tests at p < {found['alpha']}"
        f"{f' / {len(pairs)}, as Holm may ask' if len(pairs) > 1 else ''}.",
    ]
    if hits:
        lines.append("McNemar takes transactions as independent, which those of one target are not: decide by p.")
    return "\n".join([*lines, *(f"note: {note}" for note in found["notes"])])


def _claims(pairs: Sequence[Mapping[str, Any]], n: int) -> list[str]:
    """What holds, a sentence each; then what does not, in one where there would be many."""
    sure = [pair["claim"] for pair in pairs if pair["better"] is not None or pair["equal"]]
    unsure = [pair for pair in pairs if pair["better"] is None and not pair["equal"]]
    if len(unsure) <= SENTENCES:
        return [*sure, *(pair["claim"] for pair in unsure)]
    names = "; ".join(f"{pair['first']} and {pair['second']}" for pair in unsure)
    return [*sure, f"{len(unsure)} pairs cannot be told apart at n = {n:,}: {names}. --baseline NAME compares fewer."]
