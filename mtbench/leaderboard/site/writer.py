"""Writes pages: templates that escape everything, and the files beside them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from mtbench import __version__
from mtbench.features.needs import need
from mtbench.leaderboard.site import views
from mtbench.leaderboard.site.names import ASSETS, up

_PACKAGE = "mtbench.leaderboard.site"


class Writer:
    """Writes pages and files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = environment()

    def source(self, name: str) -> str:
        """A file beside the templates, as it is."""
        text: str = self._environment.loader.get_source(self._environment, name)[0]
        return text

    def write(self, path: PurePosixPath, text: str) -> None:
        """One file; the path is seen from the first page."""
        whole = self._folder / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(text, encoding="utf-8", newline="\n")

    def page(self, path: PurePosixPath, template: str, **values: Any) -> None:
        """One page."""
        text = self._environment.get_template(template).render(
            up=up(path.parent), assets=f"{up(path.parent)}{ASSETS}", version=__version__, **values
        )
        self.write(path, text.lstrip())


def environment() -> Any:
    """Templates that escape everything and know every name that they use."""
    jinja2 = need("jinja2", extra="report")
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader(_PACKAGE, "templates"),
    )
    made.filters |= {"percent": views.percent, "span": views.span, "count": "{:,}".format}
    return made
