"""The layers that CONTRIBUTING draws are those of the code: imports only point down."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mtbench

HOME = Path(mtbench.__file__).parent
DRAWN = (HOME.parent / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```")[1]
LAYERS = [line.strip().split(", ") for line in re.findall(r"^(\w+(?:, \w+)*) ", DRAWN, re.MULTILINE)]
HEIGHT = {name: -place for place, names in enumerate(LAYERS) for name in names}


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """The parts of the package that a module imports, also late, with the lines."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from ((node.lineno, name.split(".")[1]) for name in names if name.startswith("mtbench."))


def test_every_part_is_in_the_picture() -> None:
    assert set(HEIGHT) == {path.parent.name for path in HOME.glob("*/__init__.py")}


@pytest.mark.parametrize("part", sorted(HEIGHT))
def test_imports_only_point_down(part: str) -> None:
    up = [
        f"{file.relative_to(HOME)}:{line} imports {name}"
        for file in sorted((HOME / part).rglob("*.py"))
        for line, name in imported(file)
        if HEIGHT.get(name, 0) > HEIGHT[part]
    ]
    assert up == []
