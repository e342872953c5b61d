"""The report as one page that works offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtbench import __version__
from mtbench.core.errors import MtbenchError
from mtbench.core.files import atomic_file
from mtbench.core.text import points, points_range
from mtbench.features.needs import need
from mtbench.study.tables import head, tables

SUFFIXES = (".html", ".htm")


def check_page(out: Path, *, overwrite: bool) -> None:
    """Refuse, before long work, what cannot be written."""
    need("jinja2", extra="chat")
    if out.suffix.lower() not in SUFFIXES:
        raise MtbenchError(f"{out}: a page is written as .html or .htm, not as {out.suffix or 'nothing'}")
    if out.is_dir() or (out.exists() and not overwrite):
        raise MtbenchError(f"{out} exists; give another name, or add --overwrite")


def write_page(found: Mapping[str, Any], out: Path) -> None:
    """Write the page, whole or not at all."""
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


def _bars(found: Mapping[str, Any]) -> list[tuple[str, float, float, float, str]]:
    """Name, rate, from and to in per cent, and the numbers as text."""
    return [
        (
            row["model"],
            *(round(100 * share, 2) for share in (row["rate"], *(row["interval"] or [row["rate"]] * 2))),
            f"{points(row['rate'])}%" + (f" ({points_range(*row['interval'])})" if row["interval"] else ""),
        )
        for row in found["rates"]
        if row["rate"] is not None
    ]
