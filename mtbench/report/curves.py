"""Studies that are curves: over the turns shown, the turns of the way, the number of turns, the age of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from mtbench.evaluation.leak_picture import FEW
from mtbench.report.blocks import Block, Key, Panel, Panels, Text
from mtbench.report.gather import Gathered, Row
from mtbench.report.plots import Line, limits_of, lines, point
from mtbench.report.shape import is_number
from mtbench.report.svg import Canvas

TITLES = {"all": "", "clean": ", clean", "leaked": ", leaked"}
MEAN = "mean of R@5 and R@8, %"
HOLLOW = f"Hollow: fewer than {FEW} transactions, which carry no claim; their bands may reach beyond the plot."
LONGEST = 10
"""Numbers of turns that are drawn; more are in the table."""


def history_robustness(found: Gathered, canvas: Canvas) -> list[Block]:
    """The last k turns of dialogues of N turns: with the model's memory, the mean of answers, the roll-out."""
    study = "history-robustness"
    variants = {"model": "", "mean": "dashed", "roll-out": "dotted"}
    names = {"model": "the model's memory", "mean": "mean of single answers", "roll-out": "roll-out"}

    def of(rows: Sequence[Row], name: str, number: int, n: int) -> list[Line]:
        made = []
        for variant, dash in variants.items():
            some = [row for row in rows if row.get("turns") == n and row.get("variant") in (variant, "only final turn")]
            line = _line(name, number, _by(some, lambda row: row.get("last")), range(1, n + 1), "mean", dash)
            if line and len(line.points) > 1:
                made.append(line)
        return made

    panels = _by_length(
        found, canvas, study, of, lambda n: [f"last {k}" if k < n else f"all {n}" for k in range(1, n + 1)], least=2
    )
    keys = [*found.keys, *(Key(names[name], -1, dash or "solid") for name, dash in variants.items())]
    return _figure(found, study, panels, keys, f"{MEAN}, by how many of the last turns were shown")


def trajectory(found: Gathered, canvas: Canvas) -> list[Block]:
    """The rank percentile of the final target after each turn."""
    study = "trajectory"

    def of(rows: Sequence[Row], name: str, number: int, n: int) -> list[Line]:
        some = [row for row in rows if row.get("turns") == n and row.get("target") == "final"]
        line = _line(name, number, _by(some, lambda row: row.get("after turn")), range(1, n + 1), "percentile")
        return [line] if line else []

    panels = _by_length(found, canvas, study, of, lambda n: [f"turn {k}" for k in range(1, n + 1)], least=1, zero=False)
    return _figure(found, study, panels, found.keys, "rank percentile of the final target after each turn, 100 = first")


def closed_loop(found: Gathered, canvas: Canvas) -> list[Block]:
    """True references against the model's own, by number of turns."""
    dashes = {"true": "", "own": "dashed"}
    panels = _over(
        found,
        canvas,
        "closed-loop",
        MEAN,
        lambda row: row.get("turns"),
        lambda n: f"{n} turns",
        {dash: (partial(_references, kind), "mean") for kind, dash in dashes.items()},
    )
    keys = [*found.keys, Key("true references", -1, "solid"), Key("own references", -1, "dashed")]
    return _figure(found, "closed-loop", panels, keys, "")


def retention(found: Gathered, canvas: Canvas) -> list[Block]:
    """Precision of the first five by the age of the request, with the base rate."""
    panels = _over(
        found,
        canvas,
        "retention",
        "precision@5, %",
        lambda row: row.get("age") if "turns" not in row else None,
        lambda age: f"age {age}",
        {"": (lambda row: True, "precision@5"), "dotted": (lambda row: True, "base rate")},
    )
    keys = [*found.keys, Key("precision@5", -1, "solid"), Key("base rate: a random ranking", -1, "dotted")]
    return _figure(found, "retention", panels, keys, "")


def _references(kind: str, row: Row) -> bool:
    return row.get("references") == kind


def _by_length(
    found: Gathered,
    canvas: Canvas,
    study: str,
    of: Callable[[Sequence[Row], str, int, int], list[Line]],
    ticks: Callable[[int], list[str]],
    *,
    least: int,
    zero: bool = True,
) -> list[Panel]:
    """A panel for each number of turns and part; the parts of one number side by side, with one scale for all."""
    parts = found.parts(study)
    lengths = [n for n in _places(found, study, lambda row: row.get("turns"), least) if n <= 2 * LONGEST][:LONGEST]
    made: dict[tuple[int, str], list[Line]] = {}
    counts: dict[tuple[int, str], int] = {}
    for n in lengths:
        for part in parts:
            rows = found.rows(study, part)[: found.drawn]
            drawn = [line for i, some in enumerate(rows) for line in of(some, found.names[i], i, n)]
            made[n, part] = drawn
            counts[n, part] = max((_n(row) for some in rows for row in some if row.get("turns") == n), default=0)
    drawn_groups = [group for group in made.values() if group]
    if not drawn_groups:
        return []
    limits = limits_of(drawn_groups, zero=zero)
    return [
        lines(
            canvas, f"{n} turn{'s' * (n > 1)}{TITLES[part]} (n = {counts[n, part]:,})", group, ticks(n), limits=limits
        )
        if group
        else Panel(f"{n} turns{TITLES[part]}: none", "")
        for (n, part), group in made.items()
    ]


def _over(
    found: Gathered,
    canvas: Canvas,
    study: str,
    title: str,
    place_of: Callable[[Row], object],
    tick: Callable[[int], str],
    kinds: Mapping[str, tuple[Callable[[Row], bool], str]],
) -> list[Panel]:
    """A panel for each part, with places such as numbers of turns along it, and lines of some kinds by their dash."""
    places = _places(found, study, place_of, 0)[: 2 * LONGEST]
    made: dict[str, list[Line]] = {}
    counts: dict[str, list[int]] = {}
    for part in found.parts(study):
        rows = found.rows(study, part)[: found.drawn]
        made[part] = []
        for i, some in enumerate(rows):
            for dash, (kind, measure) in kinds.items():
                chosen = [row for row in some if kind(row)]
                line = _line(found.names[i], i, _by(chosen, place_of), places, measure, dash)
                if line:
                    made[part].append(line)
        counts[part] = [max((_n(r) for s in rows for r in s if place_of(r) == at), default=0) for at in places]
    if not any(made.values()):
        return []
    limits = limits_of([group for group in made.values() if group])
    return [
        lines(
            canvas,
            f"{title}{TITLES[part]}",
            group,
            [f"{tick(at)}\nn = {n:,}" for at, n in zip(places, counts[part], strict=True)],
            limits=limits,
        )
        for part, group in made.items()
        if group
    ]


def _figure(found: Gathered, study: str, panels: Sequence[Panel], keys: Sequence[Key], title: str) -> list[Block]:
    columns = len(found.parts(study)) if len(found.parts(study)) > 1 else 3
    return [Panels(panels, keys, title, columns), Text(HOLLOW, "note")] if panels else []


def _line(
    name: str, number: int, rows: Mapping[int, Row], places: Sequence[int], measure: str, dash: str = ""
) -> Line | None:
    """The line of some rows, each by its place; None where no row says anything of the measure."""
    points, few = {}, set()
    for at, place in enumerate(places):
        value = point(rows.get(place, {}), measure)
        if value is not None:
            points[at] = value
            few |= {at} if _n(rows[place]) < FEW else set()
    return Line(name, number, points, dash, band=not dash, few=frozenset(few)) if points else None


def _places(found: Gathered, study: str, place_of: Callable[[Row], object], least: int) -> list[int]:
    every = [at for part in found.parts(study) for rows in found.rows(study, part) for at in _by(rows, place_of)]
    return sorted({at for at in every if least <= at < 100})


def _by(rows: Sequence[Row], place_of: Callable[[Row], object]) -> dict[int, Row]:
    """Rows by their place; those without one are left out."""
    return {at: row for row in rows if isinstance(at := place_of(row), int)}


def _n(row: Row) -> int:
    n = row.get("n")
    return int(n) if is_number(n) and n is not None else 0
