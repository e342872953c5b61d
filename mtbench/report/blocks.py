"""What a page consists of. Everything here is plain text but the drawings, which are our own SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias


@dataclass(frozen=True)
class Text:
    """A paragraph; ``look`` is empty, ``note``, or ``warning`` for a box."""

    text: str
    look: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Items:
    """A list of sentences, under a name or none; ``look`` as of `Text`."""

    items: Sequence[str]
    title: str = ""
    look: str = "note"
    kind: ClassVar[str] = "items"


@dataclass(frozen=True)
class Table:
    """Cells as text; what follows a line break in a number is smaller.

    Attributes:
        numeric: whether each column holds numbers, which stand to the right.
        folded: behind a line to click on.
        wrapped: cells of long text go over several lines.
        left_out: rows that there was no room for.
        marks: by the number of a row, the number of the result whose colour stands in its first cell.
    """

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    folded: bool = False
    wrapped: bool = False
    left_out: int = 0
    marks: Sequence[int | None] = ()
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    facts: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Commands:
    """What to type."""

    text: str
    kind: ClassVar[str] = "commands"


@dataclass(frozen=True)
class Key:
    """What a colour, shape and line stand for."""

    name: str
    number: int
    dash: str = ""


@dataclass(frozen=True)
class Panel:
    """One drawing, as markup that may stand in the page as it is."""

    title: str
    svg: Any


@dataclass(frozen=True)
class Panels:
    """Drawings side by side with a common key; ``title`` may be empty."""

    panels: Sequence[Panel]
    keys: Sequence[Key] = ()
    title: str = ""
    columns: int = 3
    kind: ClassVar[str] = "panels"


@dataclass(frozen=True)
class Thumb:
    """An image: as a data address, or in words."""

    image_id: str
    words: str
    src: str | None = None


@dataclass(frozen=True)
class Found:
    """The first images of one result for an example, each with whether it is the target."""

    name: str
    number: int | None
    rank: str
    hit: bool
    head: Sequence[tuple[Thumb, bool]]


@dataclass(frozen=True)
class Example:
    """One transaction: references, each with the feedback that follows it, and the target."""

    transaction_id: str
    category: str
    why: str
    turns: Sequence[tuple[Thumb, str]]
    target: Thumb
    found: Sequence[Found]
    kind: ClassVar[str] = "example"


Block: TypeAlias = "Text | Items | Table | Facts | Commands | Panels | Example"


@dataclass(frozen=True)
class Section:
    """Blocks under a heading, then sections under smaller ones."""

    name: str
    title: str
    blocks: Sequence[Block]
    sections: Sequence[Section] = field(default=())
