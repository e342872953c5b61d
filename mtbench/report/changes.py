"""Studies that are bars and dots: counterfactuals, order, gallery prior, multi target; and recall against time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mtbench.report.blocks import Block, Panel, Panels
from mtbench.report.curves import TITLES
from mtbench.report.dots import Dot, dots, scatter
from mtbench.report.gather import Gathered, Row
from mtbench.report.plots import Line, bars, limits_of, point
from mtbench.report.shape import is_number
from mtbench.report.svg import Canvas

SINGLE = ("drop", "shuffle", "swap", "blank text", "blank image")
WHOLE = ("drop earlier",)
AGES = 8


def counterfactual(found: Gathered, canvas: Canvas) -> list[Block]:
    """The History Use Index; what each change does, by the age of the turn."""
    study = "counterfactual"
    parts = found.parts(study)
    use = _dots_by_result(found, canvas, study, "History Use Index, points", lambda row: point(row, "HUI"))
    earlier = [
        panel
        for change in WHOLE
        for panel in _dots_by_result(
            found,
            canvas,
            study,
            f"{change}: change, points",
            lambda row, change=change: point(row, "mean") if row.get("change") == change else None,  # type: ignore[misc]
        )
    ]
    blocks: list[Block] = []
    if use:
        blocks.append(
            Panels(
                use, found.keys, "What the content of the earlier turns is worth", len(parts) if len(parts) > 1 else 3
            )
        )
    if earlier:
        blocks.append(
            Panels(earlier, [] if use else found.keys, "Without the earlier turns", len(parts) if len(parts) > 1 else 2)
        )
    made: dict[tuple[str, str], list[Line]] = {}
    ages = sorted(
        {
            row["age"]
            for part in parts
            for rows in found.rows(study, part)
            for row in rows
            if type(row.get("age")) is int
        }
    )[:AGES]
    for change in SINGLE:
        for part in parts:
            made[change, part] = []
            for number, rows in enumerate(found.rows(study, part)[: found.drawn]):
                points = {
                    ages.index(row["age"]): value
                    for row in rows
                    if row.get("change") == change
                    and "turns" not in row
                    and row.get("age") in ages
                    and (value := point(row, "mean"))
                }
                if points:
                    made[change, part].append(Line(found.names[number], number, points))
    groups = [group for group in made.values() if group]
    if groups:
        limits = limits_of(groups)
        panels = [
            bars(
                canvas, f"{change}{TITLES[part]}: change, points", group, [f"age {age}" for age in ages], limits=limits
            )
            for (change, part), group in made.items()
            if group
        ]
        title = "One turn changed, by its age: the number of turns after it"
        blocks.append(Panels(panels, [] if blocks else found.keys, title, len(parts) if len(parts) > 1 else 3))
    return blocks


def order(found: Gathered, canvas: Canvas) -> list[Block]:
    """How much of a ranking, and how many hits, another order of the turns changes."""
    panels: list[Panel] = []
    for kind in ("all turns", "earlier turns"):
        for name, label in (("flips", "flips, %"), ("RBO", "overlap (RBO), %")):

            def value(row: Row, kind: str = kind, name: str = name) -> Any:
                return point(row, name) if row.get("reordered") == kind and row.get("turns") == "all" else None

            panels += _dots_by_result(found, canvas, "order", f"{label}: {kind}", value)
    parts = found.parts("order")
    return [Panels(panels, (), "", len(parts) if len(parts) > 1 else 2)] if panels else []


def gallery_prior(found: Gathered, canvas: Canvas) -> list[Block]:
    """What can be scored without reading the query, beside the models."""
    panels: list[Panel] = []
    study = "gallery-prior"
    for part in found.parts(study):
        rows: dict[str, list[Dot]] = {}
        for number, some in enumerate(found.rows(study, part)[: found.drawn]):
            for row in some:
                label = row.get("ranking")
                if isinstance(label, str) and not label.startswith("the same, ") and (value := point(row, "mean")):
                    rows.setdefault(label.replace("model, known queries removed", "no known queries"), []).append(
                        Dot(number, value)
                    )
        if rows:
            panels.append(dots(canvas, f"mean of R@5 and R@8, %{TITLES[part]}", list(rows.items())[:20]))
    return [Panels(panels, found.keys, "", len(panels) if len(panels) > 1 else 3)] if panels else []


def multi_target(found: Gathered, canvas: Canvas) -> list[Block]:
    """mAP, recall and success over all images that fulfil the dialogue."""
    panels: list[Panel] = []
    for name in ("mAP@10", "recall@10", "Success@10"):
        panels += _dots_by_result(
            found,
            canvas,
            "multi-target",
            f"{name}, %",
            lambda row, name=name: point(row, name) if row.get("turns") == "all" else None,  # type: ignore[misc]
        )
    parts = found.parts("multi-target")
    return [Panels(panels, (), "", len(parts) if len(parts) > 1 else 3)] if panels else []


def latency(found: Gathered, canvas: Canvas) -> list[Block]:
    """R@5 against the time of a turn, asked as a conversation does."""
    drawn = []
    for number, (name, record) in enumerate(zip(found.names, found.records[: found.drawn], strict=False)):
        time = record["studies"].get("latency", {}).get("ms_per_turn")
        if is_number(time) and 1e-6 < time < 1e9:
            low, high = record["intervals"]["R@5"]
            drawn.append((name, number, float(time), (100 * record["measures"]["R@5"], 100 * low, 100 * high)))
    if not drawn:
        return []
    return [Panels([scatter(canvas, "R@5, %", drawn, "ms per turn, interactive (log scale)")], found.keys, "", 2)]


def _dots_by_result(
    found: Gathered, canvas: Canvas, study: str, title: str, value: Callable[[Row], Any]
) -> list[Panel]:
    """A panel for each part, a row for each result: the first row of the study that has the value."""
    made: dict[str, list[tuple[str, Sequence[Dot]]]] = {}
    for part in found.parts(study):
        for number, rows in enumerate(found.rows(study, part)[: found.drawn]):
            some = next((p for row in rows if (p := value(row)) is not None), None)
            if some is not None:
                made.setdefault(part, []).append((found.names[number], [Dot(number, some, full=part == "all")]))
    every = [end for rows in made.values() for _, dots_ in rows for dot in dots_ for end in dot.point]
    if not every:
        return []
    low, high = min(0.0, *every), max(0.0, *every)
    room = max(0.04 * (high - low), 0.2)
    limits = (low - room, high + room)
    return [dots(canvas, f"{title}{TITLES[part]}", rows, limits=limits) for part, rows in made.items()]
