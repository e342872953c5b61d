"""Matplotlib's drawings in the colours of the page, which change at night, and without styles, which the page forbids.

The policy of the pages allows no style but that of a file. So each ``style="fill: #222222"`` becomes an attribute
``fill="var(--ink)"``.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from mtbench.evaluation.pictures import FAINT, INK, PALETTE
from mtbench.features.needs import need

AXIS = "#888888"
_COLORS = {
    **{color.lower(): f"var(--c{i})" for i, color in enumerate(PALETTE)},
    **{INK.lower(): "var(--ink)", AXIS: "var(--axis)", FAINT.lower(): "var(--line)", "#ffffff": "var(--paper)"},
}
_FONT = re.compile(r"(?:(?P<weight>bold|\d{3})\s+)?(?P<size>[\d.]+)px\b")


def tinted(svg: str) -> Any:
    """The same drawing, as markup."""
    root = ElementTree.fromstring(svg)
    for part in root.iter():
        for name, value in _declared(part.attrib.pop("style", "")):
            if name == "font":
                found = _FONT.search(value)
                if found:
                    part.set("font-size", found["size"])
                    if found["weight"]:
                        part.set("font-weight", found["weight"])
            else:
                part.set(name, _COLORS.get(value.lower(), value))
        for name in ("fill", "stroke"):
            if (value := part.attrib.get(name, "")).lower() in _COLORS:
                part.set(name, _COLORS[value.lower()])
    return need("markupsafe", extra="report").Markup(ElementTree.tostring(root, encoding="unicode"))


def _declared(style: str) -> list[tuple[str, str]]:
    pairs = (one.partition(":") for one in style.split(";"))
    return [(name.strip(), value.strip()) for name, _, value in pairs if value.strip()]
