"""The headline: a table of scores with intervals, the same as dots, and what may be claimed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mtbench.evaluation.comparison.claims import NOTHING_LEARNED
from mtbench.evaluation.comparison.comparable import printable
from mtbench.evaluation.comparison.systems import has_leak, unlearned
from mtbench.report.blocks import Block, Items, Panels, Section, Table
from mtbench.report.claims import claims
from mtbench.report.dots import Dot, dots
from mtbench.report.gather import PARTS, Gathered, Row
from mtbench.report.svg import Canvas
from mtbench.report.tables import NONE, percent, span

TITLES = {"mean": "mean of R@5 and R@8, %", "R@5": "R@5, %", "R@8": "R@8, %"}
PART_OF = {"all": "", "clean": ", clean", "leaked": ", leaked"}


def headline(found: Gathered, canvas: Canvas) -> Section:
    """The table, dots with intervals, and what may be claimed."""
    drawn = found.records[: found.drawn]
    parts = [part for part in PARTS if part == "all" or any(part in record for record in drawn)]
    every = {
        (part, measure): [
            (name, [Dot(number, _point(record if part == "all" else record[part], measure), full=part == "all")])
            for number, (name, record) in enumerate(zip(found.names, drawn, strict=False))
            if part == "all" or part in record
        ]
        for part in parts
        for measure in (("mean",) if len(parts) > 1 else ("mean", "R@5", "R@8"))
    }
    most = max(dot.point[2] for rows in every.values() for _, shown in rows for dot in shown)
    panels = [
        dots(canvas, f"{TITLES[measure]}{PART_OF[part]}", rows, limits=(-0.02 * most, 1.04 * most + 0.1))
        for (part, measure), rows in every.items()
    ]
    macro = len(found.first["by_category"]) > 1
    averaged = f"Macro averages over {len(found.first['by_category'])} categories. " if macro else ""
    notes = [
        f"{averaged}Expected over ties, own references kept; 95% intervals: bootstrap over clusters.",
        "mean: of R@5 and R@8. rank: median of expected ranks. ties: the mean if every tie went against the target, "
        "and if for it. excl.: the mean with the images already shown left out.",
    ]
    if found.drawn < len(found.results):
        notes.append(f"Plots show the best {found.drawn} of {len(found.results)} results; tables have all.")
    if any(map(has_leak, found.records)):
        notes.append("LEAK: trained on what leaks into the test part (--allow-leak), so no fair score.")
    if idle := [name for name, record in zip(found.names, found.records, strict=True) if unlearned(record)]:
        notes.append(f"{NOTHING_LEARNED}: {', '.join(idle)}.")
    blocks: list[Block] = [_table(found, parts), Panels(panels), Items(notes)]
    return Section("headline", "Headline", blocks, [told] if (told := claims(found)) else [])


def _table(found: Gathered, parts: list[str]) -> Table:
    """A value, and its interval below it; the clean and leaked parts beside the mean they belong to."""
    proxies = {"proxy": lambda r: printable(r["proxy"])} if len({r["proxy"] for r in found.records}) > 1 else {}
    columns: dict[str, Callable[[Row], str]] = {
        "mean": partial(_with_interval, "mean"),
        **{f"mean, {part}": partial(_of_part, part) for part in parts[1:]},
        "R@5": partial(_with_interval, "R@5"),
        "R@8": partial(_with_interval, "R@8"),
        "MRR": partial(_with_interval, "MRR"),
        "rank": lambda r: f"{r['measures']['rank']:,.0f}" if "rank" in r["measures"] else NONE,
        "ties, mean": lambda r: span(r["ties_pessimistic"]["mean"], r["ties_optimistic"]["mean"]),
        "excl., mean": lambda r: percent(r["own_references_excluded"]["mean"]),
    }
    if len(found.first["by_category"]) > 1:
        columns["micro, mean"] = lambda r: percent(r["micro"]["mean"])
    return Table(
        "Scores in % with 95% intervals, the best mean first",
        ["result", *proxies, *columns],
        [
            [name, *(column(record) for column in (*proxies.values(), *columns.values()))]
            for name, record in zip(found.names, found.records, strict=True)
        ],
        [False, *(False for _ in proxies), *(True for _ in columns)],
        marks=[number if number < found.drawn else None for number in range(len(found.records))],
    )


def _with_interval(name: str, scores: Row) -> str:
    interval = scores["intervals"].get(name)
    return percent(scores["measures"].get(name)) + (f"\n{span(*interval)}" if interval else "")


def _of_part(part: str, record: Row) -> str:
    return _with_interval("mean", record[part]) + f", n = {record[part]['n']:,}" if part in record else NONE


def _point(record: Row, name: str) -> tuple[float, float, float]:
    low, high = record["intervals"][name]
    return 100 * record["measures"][name], 100 * low, 100 * high
