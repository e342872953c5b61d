"""The report for people, as head and tables: what terminal and page have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtbench.core.text import points, points_range
from mtbench.study.claims import even, only_different, p_value
from mtbench.study.design import THREE_WAY
from mtbench.study.places import names

Row = Mapping[str, Any]


def head(found: Row) -> str:
    """What was asked of whom."""
    took = "" if found["median_seconds"] is None else f"; median {found['median_seconds']:.1f} s"
    return (
        f"{found['benchmark']}, revision {found['revision'][:12]}, {found['split']}: {', '.join(found['models'])}; "
        f"{found['way']}. {_count(found['answers'], 'answer')} of {_count(found['answered'], 'participant')} "
        f"({found['participants']:,} began, {found['finished']:,} finished){took}"
    )


def tables(found: Row) -> list[tuple[str, list[str], list[list[Any]], str]]:
    """Title, headers, rows and a note of each table."""
    rates = [
        [
            *(row["model"], row["n"], row["chosen"], points(row["rate"]), _range(row["interval"])),
            *(points(row["decided_rate"]), _range(row["decided_interval"]), _range(row["participant_interval"])),
        ]
        for row in found["rates"]
    ]
    if found["way"] == THREE_WAY or len(found["models"]) == 2:
        share = points(found["neither"] / found["answers"]) if found["answers"] else "-"
        rates.append(["neither / cannot tell", found["answers"], found["neither"], share, *["-"] * 4])
    pairs = [
        [
            f"{row['first']} : {row['second']}",
            row["n"],
            f"{row['answers_first']:,} : {row['answers_second']:,}",
            f"{row['targets_first']:,} : {row['targets_second']:,}",
            *(row["targets_tied"], p_value(row["p"]), p_value(row["p_holm"])),
            *(f"{row['better_place_first']:,} : {row['better_place_second']:,}", p_value(row["p_places_holm"])),
            p_value(row["p_answers"]),
        ]
        for row in found["pairs"]
    ]
    agreement = [
        [
            *(" / ".join(row["models"]), row["shared_questions"], points(row["percent"])),
            *(_number(row["krippendorff_alpha"]), _number(row["fleiss_kappa"]), row["fleiss_raters"]),
        ]
        for row in found["agreement"]
    ]
    places = found["places"]
    of_places = names(len(places["counts"]))
    n = places["n"]
    p = "-" if places["p"] is None else p_value(places["p"])
    chosen = [
        [name, n, count, points(count / n if n else None), points(expected / n if n else None), "" if at else p]
        for at, (name, count, expected) in enumerate(zip(of_places, places["counts"], places["expected"], strict=True))
    ]
    stood = [[name, *counts] for name, counts in zip(found["models"], found["stood"]["counts"], strict=True)]
    people = found["answered"]
    return [
        (
            "Preference rates, in %",
            ["model", "n", "chosen", "rate", "95% interval", "of decided", "95% interval", "over people"],
            rates,
            "n: answers where it was shown. rate: of all of them, neither included. of decided: neither left out.\n"
            f"Intervals: bootstrap over {_clusters(found)}; over people: of the rate, over participants"
            + (f", who are only {people:,}: take it as a hint." if people < 10 else f" ({people:,}).")
            + f"\n{only_different(found)}",
        ),
        (
            "Sign tests",
            [
                *("pair", "n", "answers", "final targets", "tied", "p", "p (Holm)"),
                *("better place", "p (Holm, places)", "p (answers)"),
            ],
            pairs,
            "final targets: on which more participants took the one, and the other; transactions that end in one are\n"
            "one. p: exact, two-sided, over final targets. better place: on how many of them the one, and the other,\n"
            "stood more often in the place that was taken more often. p (Holm, places): allows for it (Gart's test);\n"
            "it must be below 0.05, too, where these two numbers, or those of a model below, are more than 1 apart.\n"
            "p (answers) takes answers as independent, which several of one target are not: too small where\n"
            "participants share questions.",
        ),
        (
            "Agreement between participants",
            ["choices", "shared questions", "agree %", "Krippendorff's alpha", "Fleiss' kappa", "raters of kappa"],
            agreement,
            "Of the models and neither, beyond chance: 1 is full agreement, 0 what chance brings. kappa: over those\n"
            "who answered every question. A dash: fewer than two raters, or nobody ever chose otherwise.",
        ),
        (
            "Where each model stood, in answers",
            ["model", *of_places],
            stood,
            even(found),
        ),
        (
            "Where the chosen image stood, in %",
            ["place", "n", "chosen", "share", "expected", "p"],
            chosen,
            "n: decided answers. expected: were the place of no matter, from where the chosen models stood. p: of all\n"
            "places, by 10,000 new deals of the orders that people saw; it takes answers as independent. A dash: each\n"
            "set of models was seen in one order only, which tells nothing.",
        ),
    ]


def _clusters(found: Row) -> str:
    counts: Sequence[int] = sorted({row["clusters"] for row in found["rates"]})
    return f"{' to '.join(f'{n:,}' for n in dict.fromkeys((counts[0], counts[-1])))} final targets"


def _range(interval: Sequence[float] | None) -> str:
    return points_range(*interval) if interval else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
