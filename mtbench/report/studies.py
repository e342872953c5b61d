"""The sections of the evaluators: a plot where there is one, and a table of the rows of every study."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtbench.evaluation.comparison.comparable import printable
from mtbench.report import changes, curves
from mtbench.report.blocks import Block, Items, Section
from mtbench.report.gather import Gathered
from mtbench.report.svg import Canvas
from mtbench.report.tables import notes_of, study_table

Draw = Callable[[Gathered, Canvas], list[Block]]

HISTORY: Mapping[str, tuple[str, Draw]] = {
    "history-robustness": ("How much do earlier turns help?", curves.history_robustness),
    "trajectory": ("The way to the target", curves.trajectory),
    "counterfactual": ("History counterfactuals and the History Use Index", changes.counterfactual),
    "order": ("Does the order of the turns matter?", changes.order),
    "closed-loop": ("Living with its own answers", curves.closed_loop),
    "retention": ("Is what was asked for still fulfilled at the end?", curves.retention),
    "gallery-prior": ("Scores without reading the query", changes.gallery_prior),
    "multi-target": ("Several images fulfil a dialogue", changes.multi_target),
}
"""Studies with plots of their own, in the order of the page."""

LATENCY = "latency"


def history(found: Gathered, canvas: Canvas) -> Section | None:
    """Every study but the time, those without a plot of their own last; None where nothing was studied."""
    known = {name for record in found.records for name in record["studies"]} - {LATENCY}
    sections = [_section(found, canvas, name, title, draw) for name, (title, draw) in HISTORY.items() if name in known]
    sections += [_section(found, canvas, name, printable(name), None) for name in sorted(known - set(HISTORY))]
    if not sections:
        return None
    return Section("history", "History", [], [section for section in sections if section])


def time(found: Gathered, canvas: Canvas) -> Section | None:
    """Recall against time."""
    if not any(LATENCY in record["studies"] for record in found.records):
        return None
    section = _section(found, canvas, LATENCY, "Recall against time", changes.latency)
    return Section("time", section.title, section.blocks)


def _section(found: Gathered, canvas: Canvas, study: str, title: str, draw: Draw | None) -> Section:
    blocks: list[Block] = draw(found, canvas) if draw else []
    table = study_table(found, study, folded=bool(blocks))
    notes = notes_of(found, study)
    return Section(
        f"study-{study}" if study in HISTORY else "",
        title,
        [*blocks, *([table] if table else []), *([Items(notes)] if notes else [])],
    )
