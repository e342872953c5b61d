"""The page itself: sections through a template that escapes everything but our own drawings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtbench import __version__
from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file
from mtbench.evaluation.comparison.comparable import printable
from mtbench.evaluation.pictures import MARKERS, PALETTE
from mtbench.features.needs import need
from mtbench.report.about import about
from mtbench.report.blocks import Section
from mtbench.report.examples import examples
from mtbench.report.gather import Gathered, gather
from mtbench.report.headline import headline
from mtbench.report.made import made
from mtbench.report.studies import history, time
from mtbench.report.svg import SHAPES, Canvas
from mtbench.report.turns import turns_section

SUFFIXES = (".html", ".htm")
EXAMPLES = 12
MOST = 200


def write_report(
    paths: Sequence[Path],
    out: Path,
    *,
    benchmark: Path | None = None,
    split: str | None = None,
    count: int = EXAMPLES,
    overwrite: bool = False,
) -> Gathered:
    """Write the page of some results to ``out``, whole or not at all; the same results give the same bytes.

    Args:
        paths: result folders, or folders that hold them.
        out: an ``.html`` or ``.htm`` file.
        benchmark: the folder of the benchmark; by default the one that the results lie in.
        split: leave out results on other parts.
        count: how many examples.
        overwrite: replace ``out`` where it exists.

    Raises:
        MtbenchError: results that cannot stand side by side, or ``out`` may not be written.
    """
    _check(out, count, overwrite=overwrite)
    found = gather(paths, benchmark, split=split)
    text = render(found, count)
    with atomic_file(out) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))
    return found


def render(found: Gathered, count: int = EXAMPLES) -> str:
    """The page as HTML."""
    canvas = Canvas()
    shown = examples(found, count)  # first: what is wrong with a file is said at once
    parts = [
        headline(found, canvas),
        turns_section(found, canvas),
        history(found, canvas),
        time(found, canvas),
        shown,
        made(found),
    ]
    sections: list[Section] = [section for section in parts if section is not None]
    jinja2 = need("jinja2", extra="report")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("mtbench.report", "templates"),
    )
    shapes = [(color, SHAPES[marker]) for color, marker in zip(PALETTE, MARKERS, strict=True)]
    first = found.first
    text: str = environment.get_template("page.html.jinja").render(
        name=printable(first["benchmark"]),
        split=printable(first["split"]),
        revision=printable(first["revision"])[:12],
        models=found.names,
        about=about(found),
        sections=sections,
        shapes=shapes,
        undrawn=len(found.results) - found.drawn,
        version=__version__,
    )
    return text.lstrip()


def _check(out: Path, count: int, *, overwrite: bool) -> None:
    """Refuse, before long work, what cannot be written."""
    need("jinja2", extra="report")
    need("matplotlib", extra="report")
    if out.suffix.lower() not in SUFFIXES:
        raise MtbenchError(f"{out}: a report is written as .html or .htm, not as {out.suffix or 'nothing'}")
    if out.is_dir():
        raise MtbenchError(f"{out} is a folder; give a file name")
    if out.exists() and not overwrite:
        raise MtbenchError(f"{out} exists; give another name, or add --overwrite")
    if not 0 <= count <= MOST:
        raise MtbenchError(f"--examples must be 0 to {MOST}, not {count}")
