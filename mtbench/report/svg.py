"""Matplotlib's drawings as parts of one page: small, without ids that clash, with the page's own letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from mtbench.evaluation.pictures import new_figure, picture_bytes, style
from mtbench.features.needs import need
from mtbench.report.blocks import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 4.4, 2.8
"""Inches of a panel; 100 pixels each where there is room."""

SHAPES = {
    "o": "M1.5 7a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0z",
    "s": "M2 2h10v10H2z",
    "^": "M7 1l6.2 11.5H.8z",
    "D": "M7 .5 13.5 7 7 13.5.5 7z",
    "v": "M7 13 .8 1.5h12.4z",
    "P": "M5 1h4v4h4v4H9v4H5V9H1V5h4z",
    "X": "M4 1l3 3 3-3 3 3-3 3 3 3-3 3-3-3-3 3-3-3 3-3-3-3z",
    "*": "M7 .5l1.7 4.6 4.8.2-3.8 3 1.3 4.7L7 10.3 3 13l1.3-4.7-3.8-3 4.8-.2z",
}
"""Of each of `MARKERS`, a path of 14 by 14 for the key beside the drawings."""

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_GEOMETRY = ("d", "x", "y", "width", "height", "points", "transform", "cx", "cy", "r", "viewBox")
_LOOK = {
    "svg.fonttype": "none",  # letters stay letters: smaller, searchable, read aloud
    "text.parse_math": False,  # a name with $ in it is a name
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
}


class Canvas:
    """Draws the panels of one page, which need different ids."""

    def __init__(self) -> None:
        self._drawn = 0

    def panel(
        self, title: str, alt: str, draw: Callable[[Axes], None], *, height: float = HEIGHT, width: float = WIDTH
    ) -> Panel:
        """One plot: ``draw`` puts marks on it, ``alt`` says in words what it shows."""
        with _look():
            figure, (axes,) = new_figure(1, height=height, width=width)
            draw(axes)
            axes.set_title(title)
            content = picture_bytes(figure, ".svg")
        self._drawn += 1
        return Panel(title, _inline(content, f"p{self._drawn}", alt))


@contextmanager
def _look() -> Iterator[None]:
    with style():
        need("matplotlib", extra="report").rcParams.update(_LOOK)
        yield


def _inline(content: bytes, prefix: str, alt: str) -> Any:
    """The drawing as markup: attributes and text are escaped again when it is written."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(content)
    for parent in [*root.iter()]:
        for child in [*parent]:
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    used = {name for part in root.iter() for value in part.attrib.values() for name in re.findall(r"#([\w-]+)", value)}
    for part in root.iter():
        for name, value in [*part.attrib.items()]:
            if name == "id":
                if value in used:
                    part.set("id", f"{prefix}-{value}")
                else:
                    del part.attrib["id"]
            elif "url(#" in value:
                part.set(name, value.replace("url(#", f"url(#{prefix}-"))
            elif name == f"{{{_LINK}}}href" and value.startswith("#"):
                part.set(name, f"#{prefix}-{value[1:]}")
            elif name in _GEOMETRY:
                part.set(name, _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value))
        if part.tail and not part.tail.strip():
            part.tail = "\n"
        if part.text and not part.text.strip():
            part.text = None
    root.attrib.update({"role": "img", "aria-label": alt, "class": "plot"})
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    text = ElementTree.tostring(root, encoding="unicode")
    return need("markupsafe", extra="report").Markup(text)
