"""The report for people: the tables that terminal and page have in common, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtbench import __version__
from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file
from mtbench.core.text import points, points_range
from mtbench.features.needs import need
from mtbench.study.claims import p_value

Row = Mapping[str, Any]
SUFFIXES = (".html", ".htm")
PLACES = ("left", "right"), ("left", "middle", "right")


def head(found: Row) -> str:
    """What was asked of whom."""
    took = "" if found["median_seconds"] is None else f"; median {found['median_seconds']:.1f} s"
    return (
        f"{found['benchmark']}, revision {found['revision'][:12]}, {found['split']}: {', '.join(found['models'])}; "
        f"{found['way']}. {_count(found['answers'], 'answer')} of {_count(found['answered'], 'participant')} "
        f"({found['participants']:,} began, {found['finished']:,} finished){took}"
    )


def tables(found: Row) -> list[tuple[str, list[str], list[list[Any]], str]]:
    """Title, headers, rows and a note of each table; those without a row are left out."""
    rates = [
        [
            *(row["model"], row["n"], row["chosen"], points(row["rate"]), _range(row["interval"])),
            *(points(row["decided_rate"]), _range(row["decided_interval"]), _range(row["participant_interval"])),
        ]
        for row in found["rates"]
    ]
    if found["way"] == "three-way" or len(found["models"]) == 2:
        share = points(found["neither"] / found["answers"]) if found["answers"] else "-"
        rates.append(["neither / cannot tell", found["answers"], found["neither"], share, *["-"] * 4])
    pairs = [
        [
            f"{row['first']} : {row['second']}",
            row["n"],
            f"{row['answers_first']:,} : {row['answers_second']:,}",
            f"{row['transactions_first']:,} : {row['transactions_second']:,}",
            *(row["transactions_tied"], p_value(row["p"]), p_value(row["p_holm"]), p_value(row["p_answers"])),
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
    names = PLACES[len(places["counts"]) - 2]
    n = places["n"]
    stood = [
        [name, n, count, points(count / n) if n else "-", points(places["expected"]), p]
        for name, count, p in zip(names, places["counts"], [p_value(places["p"]), "", ""], strict=False)
    ]
    people = found["answered"]
    return [
        (
            "Preference rates, in %",
            ["model", "n", "chosen", "rate", "95% interval", "of decided", "95% interval", "over people"],
            rates,
            "n: answers where it was shown. rate: of all of them, neither included. of decided: neither left out.\n"
            f"Intervals: bootstrap over {_clusters(found)}; over people: of the rate, over participants"
            + (f", who are only {people:,}: take it as a hint." if people < 10 else f" ({people:,})."),
        ),
        (
            "Sign tests",
            ["pair", "n", "answers", "transactions", "tied", "p", "p (Holm)", "p (answers)"],
            pairs,
            "transactions: on which more participants took the one, and the other; those of one final target are one.\n"
            "p: exact, two-sided, over transactions. p (answers) takes answers as independent, which several of one\n"
            "transaction are not: too small where participants share questions.",
        ),
        (
            "Agreement between participants",
            ["choices", "shared questions", "agree %", "Krippendorff's alpha", "Fleiss' kappa", "raters of kappa"],
            agreement,
            "Of the models and neither, beyond chance: 1 is full agreement, 0 what chance brings. kappa: over those\n"
            "who answered every question. A dash: fewer than two raters, or nobody ever chose otherwise.",
        ),
        (
            "Where the chosen image stood, in %",
            ["place", "n", "chosen", "share", "expected", "p"],
            stood,
            "Each model stands in each place equally often. p: exact, two-sided, of the left.",
        ),
    ]


def check_page(out: Path, *, overwrite: bool) -> None:
    """Refuse, before long work, what cannot be written."""
    need("jinja2", extra="chat")
    if out.suffix.lower() not in SUFFIXES:
        raise MtbenchError(f"{out}: a page is written as .html or .htm, not as {out.suffix or 'nothing'}")
    if out.is_dir() or (out.exists() and not overwrite):
        raise MtbenchError(f"{out} exists; give another name, or add --overwrite")


def write_page(found: Row, out: Path) -> None:
    """Write the report as one page that works offline, whole or not at all."""
    jinja2 = need("jinja2", extra="chat")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("mtbench.study", "templates"),
    )
    text = environment.get_template("report.html").render(
        found=found, head=head(found), bars=_bars(found), tables=tables(found), version=__version__
    )
    with atomic_file(out) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))


def _bars(found: Row) -> list[tuple[str, float, float, float, str]]:
    """Name, rate, from and to in per cent, and the numbers as text."""
    return [
        (
            row["model"],
            *(round(100 * share, 2) for share in (row["rate"], *(row["interval"] or [row["rate"]] * 2))),
            f"{points(row['rate'])}%" + (f" ({_range(row['interval'])})" if row["interval"] else ""),
        )
        for row in found["rates"]
        if row["rate"] is not None
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
